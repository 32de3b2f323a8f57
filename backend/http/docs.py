"""Swagger UI at /docs, with assets from an installed package: it needs no network."""

import asyncio

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic_core import to_json
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

ASSETS, OPENAPI_URL = "/docs-assets", "/openapi.json"

_router = APIRouter(include_in_schema=False)


class _Description:
    """The API's description as JSON. Generating it takes half a second: once, in a thread."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._lock = asyncio.Lock()
        self._json = b""

    async def read(self) -> bytes:
        async with self._lock:
            self._json = self._json or await asyncio.to_thread(self._generate)
        return self._json

    def _generate(self) -> bytes:
        return to_json(self._app.openapi())


def add_docs_page(app: FastAPI) -> None:
    """Serve Swagger UI at /docs."""
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]))
    app.router.routes += _router.routes
    app.state.description = _Description(app)


@_router.get(OPENAPI_URL)
async def openapi(request: Request) -> Response:
    description: _Description = request.app.state.description
    return Response(await description.read(), media_type="application/json")


@_router.get("/docs")
async def docs() -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url=OPENAPI_URL,
        title="SmolChat API",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon-32x32.png",
    )
