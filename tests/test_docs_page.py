"""The API's own page works without a network."""

import re

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_the_page_loads_its_files_from_the_api_itself(api: httpx.AsyncClient) -> None:
    page = (await api.get("/docs")).text
    addresses = re.findall(r"(?:src|href)=\"([^\"]+)\"", page)
    assert len(addresses) >= 3
    for address in addresses:
        assert address.startswith("/")
        assert (await api.get(address)).status_code == 200
    assert "//" not in re.sub(r"^\s*//.*$", "", page, flags=re.MULTILINE).replace("</", "")


async def test_the_root_leads_there_and_redoc_is_off(api: httpx.AsyncClient) -> None:
    assert (await api.get("/")).headers["location"] == "/docs"
    assert (await api.get("/redoc")).status_code == 404


async def test_every_route_and_sampling_field_is_described(api: httpx.AsyncClient) -> None:
    description = (await api.get("/openapi.json")).json()
    fields = description["components"]["schemas"]["ChatRequest"]["properties"]
    assert {"/chat", "/v1/chat/completions", "/models", "/healthz", "/readyz"} <= set(
        description["paths"]
    )
    assert all(
        fields[name].get("description") for name in ("min_p", "dry_multiplier", "xtc_threshold")
    )


async def test_an_unknown_route_is_an_error_in_openais_shape(api: httpx.AsyncClient) -> None:
    answer = await api.get("/nosuch")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
