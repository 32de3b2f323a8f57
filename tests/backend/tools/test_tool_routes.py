"""The HTTP routes of tools."""

from typing import Any

import httpx
import pytest

from tests.support.api_server import API_KEY, api_client_with
from tests.support.fake_model_server import FakeModelServer

pytestmark = pytest.mark.anyio
BUILT_IN = ["calculator", "current_date_and_time", "convert_units"]


async def list_tools(api: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    payload = (await api.get("/tools")).json()
    assert payload["object"] == "list"
    return {tool["name"]: tool for tool in payload["data"]}


async def test_built_in_tools_are_listed(api_client: httpx.AsyncClient) -> None:
    tools = await list_tools(api_client)
    assert list(tools) == BUILT_IN
    calculator = tools["calculator"]
    assert set(calculator["schema"]["properties"]) == {"expression"}
    assert calculator.pop("schema")["required"] == ["expression"]
    assert calculator == {
        "name": "calculator",
        "title": "Calculator",
        "description": calculator["description"],
        "source": "built-in",
        "read_only": True,
        "approval": "always",
    }


async def test_approval_is_stored(api_client: httpx.AsyncClient) -> None:
    for approval in ("never", "ask", "always"):
        response = await api_client.patch("/tools/convert_units", json={"approval": approval})
        assert response.status_code == 200
        assert response.json()["approval"] == approval
        tools = await list_tools(api_client)
        assert tools["convert_units"] == response.json()
        assert tools["calculator"]["approval"] == "always"


@pytest.mark.parametrize("name", ["nothing", "a%20b", "%00", "x" * 201, "Calculator", "a%0Ab"])
async def test_unknown_tool_returns_404(api_client: httpx.AsyncClient, name: str) -> None:
    response = await api_client.patch(f"/tools/{name}", json={"approval": "ask"})
    is_too_long = len(name) > 200
    assert response.status_code == (400 if is_too_long else 404)
    if not is_too_long:
        assert response.json()["error"]["code"] == "tool_not_found"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "approval"),
        ({"approval": "sometimes"}, "approval"),
        ({"approval": None}, "approval"),
        ({"approval": ["ask"]}, "approval"),
        ({"approval": "ask", "name": "other"}, "name"),
        ([], None),
    ],
)
async def test_invalid_approval_returns_400(
    api_client: httpx.AsyncClient, body: Any, param: str | None
) -> None:
    response = await api_client.patch("/tools/calculator", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
    assert (await list_tools(api_client))["calculator"]["approval"] == "always"


async def test_405_lists_the_allowed_methods(api_client: httpx.AsyncClient) -> None:
    single = await api_client.put("/tools/calculator", json={"approval": "ask"})
    assert (single.status_code, single.headers["Allow"]) == (405, "PATCH")


async def test_tools_have_the_guards_of_all_routes(
    model_server: FakeModelServer, api_client: httpx.AsyncClient, tmp_path: object
) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    update = {"approval": "ask"}
    response = await api_client.patch("/tools/calculator", json=update, headers=origin)
    assert response.status_code == 403
    host = {"Host": "elsewhere.example"}
    assert (await api_client.get("/tools", headers=host)).status_code == 403
    async with api_client_with(model_server, api_key=API_KEY, data_dir=tmp_path) as guarded:
        assert (await guarded.get("/tools")).status_code == 401
        assert (await guarded.patch("/tools/calculator", json=update)).status_code == 401
        key = {"Authorization": f"Bearer {API_KEY}"}
        assert (await guarded.get("/tools", headers=key)).status_code == 200
