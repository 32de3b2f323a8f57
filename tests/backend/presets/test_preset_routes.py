"""The HTTP routes of presets."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from backend.presets.repository import MAX_PRESETS
from backend.presets.routes import MAX_PARAMETER_BYTES

pytestmark = pytest.mark.anyio


async def put_preset(api: httpx.AsyncClient, name: str, parameters: Any) -> httpx.Response:
    path = f"/presets/{quote(name, safe='')}"
    return await api.put(path, json={"parameters": parameters})


async def list_presets(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    payload = (await api.get("/presets")).json()
    assert payload["object"] == "list"
    presets: list[dict[str, Any]] = payload["data"]
    return presets


async def test_presets_are_listed_by_name(api_client: httpx.AsyncClient) -> None:
    for name in ("precise", "Wild", "balanced"):
        response = await put_preset(api_client, name, {"temperature": 0.5, "seed": 7})
        assert response.status_code == 200
    presets = await list_presets(api_client)
    assert [preset["name"] for preset in presets] == ["Wild", "balanced", "precise"]
    precise = response.json() | {"name": "precise", "updated_at": presets[2]["updated_at"]}
    assert presets[2] == precise
    assert presets[1]["updated_at"].endswith("Z")


async def test_put_replaces_all_parameters(api_client: httpx.AsyncClient) -> None:
    first = (await put_preset(api_client, "mine", {"temperature": 0.5, "top_k": 3})).json()
    second = (await put_preset(api_client, "mine", {"top_p": 0.9})).json()
    assert await list_presets(api_client) == [second]
    assert second["parameters"] == {"top_p": 0.9}
    assert second["updated_at"] > first["updated_at"]


async def test_preset_keeps_the_tools_that_are_on(api_client: httpx.AsyncClient) -> None:
    parameters = {"top_p": 0.9, "smolchat": {"tools": ["calculator"], "system_prompt": "Hi"}}
    await put_preset(api_client, "mine", parameters)
    [preset] = await list_presets(api_client)
    assert preset["parameters"] == parameters


async def test_deleted_preset_is_gone(api_client: httpx.AsyncClient) -> None:
    await put_preset(api_client, "mine", {})
    response = await api_client.delete("/presets/mine")
    assert (response.status_code, response.content) == (204, b"")
    assert await list_presets(api_client) == []
    repeated = await api_client.delete("/presets/mine")
    assert repeated.status_code == 404
    assert repeated.json()["error"]["code"] == "preset_not_found"


@pytest.mark.parametrize(
    "name",
    [
        "x" * 60,
        "\U0001f999" * 60,
        "a/b",
        "a//b/",
        "/",
        "100 %",
        "?#&",
        "..%2f",
        "'; DROP TABLE",
        "ü",
    ],
)
async def test_name_may_contain_slashes_and_special_characters(
    api_client: httpx.AsyncClient, name: str
) -> None:
    assert (await put_preset(api_client, name, {})).json()["name"] == name
    assert [preset["name"] for preset in await list_presets(api_client)] == [name]
    assert (await api_client.delete(f"/presets/{quote(name, safe='')}")).status_code == 204


@pytest.mark.parametrize("name", ["", "x" * 61, "a\nb", "\0", "\x1b[31m", "a\x7f", "a\x85", "a\n"])
async def test_invalid_name_returns_400(api_client: httpx.AsyncClient, name: str) -> None:
    response = await put_preset(api_client, name, {})
    deletion = await api_client.delete(f"/presets/{quote(name, safe='')}")
    assert (response.status_code, deletion.status_code) == (400, 400)
    assert response.json()["error"]["param"] == "name"
    assert await list_presets(api_client) == []


async def test_parameters_are_stored_unchanged(api_client: httpx.AsyncClient) -> None:
    parameters = {
        "temperature": None,
        "stop": ["\n", "</s>"],
        "logit_bias": [[1, False], ["a", -2.5]],
        "stream_options": {"include_usage": True},
        "samplers": {"unknown": [1, {"deep": "\u202e<script>"}], "large": 10**30},
    }
    assert (await put_preset(api_client, "mine", parameters)).json()["parameters"] == parameters
    [stored] = await list_presets(api_client)
    assert stored["parameters"] == parameters


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"temperature": "hot"}, "parameters.temperature"),
        ({"top_p": 2}, "parameters.top_p"),
        ({"stop": [""]}, "parameters.stop.0"),
        ({"messages": [{"role": "user", "content": "Hello"}]}, "parameters"),
        ({"model": "m"}, "parameters"),
        ({"stream": True}, "parameters"),
        ({"smolchat": {"receipt": True}}, "parameters.smolchat.receipt"),
        ({"smolchat": {"tools": "all"}}, "parameters.smolchat.tools"),
        ({"x": "y" * MAX_PARAMETER_BYTES}, "parameters"),
        ({"logit_bias": [[]] * 20_000}, "parameters.logit_bias.0.0"),
        ({"logit_bias": dict.fromkeys(map(str, range(5000)), "x")}, "parameters"),
        ([], "parameters"),
        (None, "parameters"),
        ("temperature", "parameters"),
    ],
)
async def test_invalid_parameters_return_400(
    api_client: httpx.AsyncClient, parameters: Any, param: str
) -> None:
    response = await put_preset(api_client, "mine", parameters)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert await list_presets(api_client) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b"{}",
        b'{"parameters": {}, "name": "other"}',
        b'{"parameters": {"top_p": NaN}}',
        b'{"parameters": {"top_p": 1e999}}',
        b'{"parameters": {"other": 1e999}}',
        b'{"parameters": {"other": [{"deep": -1e999}]}}',
        b'{"parameters": {"x": "\\ud800"}}',
        b'{"parameters": ' + b'{"a":' * 1000 + b"1" + b"}" * 1001,
        b"[" * 100_000,
    ],
)
async def test_invalid_body_returns_400(api_client: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = await api_client.put("/presets/mine", content=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert await list_presets(api_client) == []


async def test_preset_limit_holds_under_concurrent_requests(
    api_client: httpx.AsyncClient,
) -> None:
    await asyncio.gather(
        *(put_preset(api_client, f"p{number}", {}) for number in range(MAX_PRESETS - 1))
    )
    late_puts = (put_preset(api_client, f"late {number}", {}) for number in range(5))
    responses = await asyncio.gather(*late_puts)
    assert sorted(response.status_code for response in responses) == [200, 400, 400, 400, 400]
    refused = next(response for response in responses if response.status_code == 400)
    assert "Delete or replace one" in refused.json()["error"]["message"]
    assert len(await list_presets(api_client)) == MAX_PRESETS
    assert (await put_preset(api_client, "p1", {"top_k": 1})).status_code == 200


async def test_405_lists_the_allowed_methods(api_client: httpx.AsyncClient) -> None:
    single = await api_client.post("/presets/mine", json={})
    assert (single.status_code, single.headers["Allow"]) == (405, "DELETE, PUT")
    collection = await api_client.put("/presets", json={})
    assert (collection.status_code, collection.headers["Allow"]) == (405, "GET")


async def test_requests_from_foreign_origins_are_refused(api_client: httpx.AsyncClient) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    response = await api_client.put("/presets/mine", json={"parameters": {}}, headers=origin)
    assert response.status_code == 403
    assert await list_presets(api_client) == []
