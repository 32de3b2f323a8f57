"""The API's page at /docs, which needs no network, and its OpenAPI description."""

import asyncio
import re
import threading
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

pytestmark = pytest.mark.anyio


async def test_docs_page_loads_its_assets_from_the_api(api_client: httpx.AsyncClient) -> None:
    page = (await api_client.get("/docs")).text
    paths = re.findall(r"(?:src|href)=\"([^\"]+)\"", page)
    assert len(paths) >= 3
    for path in paths:
        assert path.startswith("/")
        assert (await api_client.get(path)).status_code == 200
    assert "//" not in re.sub(r"^\s*//.*$", "", page, flags=re.MULTILINE).replace("</", "")


async def test_redoc_is_disabled(api_client: httpx.AsyncClient) -> None:
    assert (await api_client.get("/redoc")).status_code == 404


async def test_routes_and_sampling_fields_have_descriptions(api_client: httpx.AsyncClient) -> None:
    description = (await api_client.get("/openapi.json")).json()
    fields = description["components"]["schemas"]["ChatCompletionRequest"]["properties"]
    assert {"/chat", "/v1/chat/completions", "/models", "/healthz", "/readyz"} <= set(
        description["paths"]
    )
    assert not [name for name, field in fields.items() if not field.get("description")]


async def test_description_is_generated_once_and_beside_other_requests(
    app: FastAPI, api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, generate = list[threading.Thread](), app.openapi

    def generate_in_thread() -> dict[str, Any]:
        threads.append(threading.current_thread())
        return generate()

    monkeypatch.setattr(app, "openapi", generate_in_thread)
    await asyncio.gather(*(api_client.get("/openapi.json") for _ in range(5)))
    assert len(threads) == 1
    assert threads != [threading.current_thread()]


async def test_numeric_fields_have_bounds(api_client: httpx.AsyncClient) -> None:
    schemas = (await api_client.get("/openapi.json")).json()["components"]["schemas"]
    fields = schemas["ChatCompletionRequest"]["properties"]
    numbers = {
        name: schema
        for name, field in fields.items()
        for schema in field.get("anyOf", [field])
        if schema.get("type") in ("number", "integer") and "enum" not in schema
    }
    assert len(numbers) > 25
    bounds = {"minimum", "maximum"}
    assert not [name for name, schema in numbers.items() if not bounds <= schema.keys()]


async def test_fastapis_own_validation_error_is_not_described(
    api_client: httpx.AsyncClient,
) -> None:
    description = (await api_client.get("/openapi.json")).json()
    assert "HTTPValidationError" not in description["components"]["schemas"]
    assert "422" not in description["paths"]["/models"]["get"]["responses"]


async def test_unknown_route_returns_404_in_openais_error_shape(
    api_client: httpx.AsyncClient,
) -> None:
    response = await api_client.get("/nosuch")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
