"""The API's own page works without a network."""

import re

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_the_page_loads_its_files_from_the_api_itself(api_client: httpx.AsyncClient) -> None:
    page = (await api_client.get("/docs")).text
    addresses = re.findall(r"(?:src|href)=\"([^\"]+)\"", page)
    assert len(addresses) >= 3
    for address in addresses:
        assert address.startswith("/")
        assert (await api_client.get(address)).status_code == 200
    assert "//" not in re.sub(r"^\s*//.*$", "", page, flags=re.MULTILINE).replace("</", "")


async def test_the_root_leads_there_and_redoc_is_off(api_client: httpx.AsyncClient) -> None:
    assert (await api_client.get("/")).headers["location"] == "/docs"
    assert (await api_client.get("/redoc")).status_code == 404


async def test_every_route_and_sampling_field_is_described(api_client: httpx.AsyncClient) -> None:
    description = (await api_client.get("/openapi.json")).json()
    fields = description["components"]["schemas"]["ChatCompletionRequest"]["properties"]
    assert {"/chat", "/v1/chat/completions", "/models", "/healthz", "/readyz"} <= set(
        description["paths"]
    )
    assert not [name for name, field in fields.items() if not field.get("description")]


async def test_every_number_has_its_bounds(api_client: httpx.AsyncClient) -> None:
    schemas = (await api_client.get("/openapi.json")).json()["components"]["schemas"]
    fields = schemas["ChatCompletionRequest"]["properties"]
    numbers = {
        name: kind
        for name, field in fields.items()
        for kind in field.get("anyOf", [field])
        if kind.get("type") in ("number", "integer") and "enum" not in kind
    }
    assert len(numbers) > 25
    assert not [name for name, kind in numbers.items() if not {"minimum", "maximum"} <= set(kind)]


async def test_no_answer_is_described_that_is_never_given(api_client: httpx.AsyncClient) -> None:
    described = (await api_client.get("/openapi.json")).json()
    # FastAPI would describe a refusal of its own shape.
    assert "HTTPValidationError" not in described["components"]["schemas"]
    assert "422" not in described["paths"]["/models"]["get"]["responses"]


async def test_an_unknown_route_is_an_error_in_openais_shape(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.get("/nosuch")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
