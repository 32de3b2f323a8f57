"""CORS: the other origins whose pages may read the API's responses."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from backend.errors import OriginNotAllowedError
from backend.http.error_handlers import error_response
from backend.settings import Settings


class _CorsMiddleware(CORSMiddleware):
    """Starlette's middleware, with its errors in OpenAI's shape."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        reason = bytes(response.body).decode()
        return error_response(
            OriginNotAllowedError(
                f"{reason}. To allow it, add the page's origin to SMOLCHAT_ALLOWED_ORIGINS."
            )
        )


def add_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Allow pages of the configured origins to read the API's responses."""
    if not settings.allowed_origins:
        return app
    return _CorsMiddleware(
        app,
        allow_origins=settings.allowed_origins,
        allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=("*",),
        allow_private_network=True,
        expose_headers=("X-Request-Id", "Retry-After", "SmolChat-Restorable-Until"),
    )
