"""Swagger UI at /docs, with assets from an installed package: it needs no network."""

from weakref import WeakKeyDictionary

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic_core import to_json
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

ASSETS, OPENAPI_URL = "/docs-assets", "/openapi.json"

_router = APIRouter(include_in_schema=False)
_descriptions = WeakKeyDictionary[FastAPI, bytes]()


def add_docs_page(app: FastAPI) -> None:
    """Serve Swagger UI at /docs."""
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]))
    app.router.routes += _router.routes


@_router.get(OPENAPI_URL)
async def openapi(request: Request) -> Response:
    """Return the API's description, which takes 10 ms to generate: once per app."""
    if (description := _descriptions.get(request.app)) is None:
        description = _descriptions[request.app] = to_json(request.app.openapi())
    return Response(description, media_type="application/json")


@_router.get("/docs")
async def docs() -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url=OPENAPI_URL,
        title="SmolChat API",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon-32x32.png",
    )
