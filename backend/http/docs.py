"""Swagger UI at /docs, with assets from an installed package: it needs no network."""

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic_core import to_json
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

ASSETS, OPENAPI_URL = "/docs-assets", "/openapi.json"


def add_docs_page(app: FastAPI) -> None:
    """Serve Swagger UI at /docs, and redirect / there."""
    description = b""
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]))

    @app.get(OPENAPI_URL, include_in_schema=False)
    async def openapi() -> Response:
        """Return the API's description. To write it takes 10 ms, so that is done once."""
        nonlocal description
        description = description or to_json(app.openapi())
        return Response(description, media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=OPENAPI_URL,
            title="SmolChat API",
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/favicon-32x32.png",
        )

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/docs")
