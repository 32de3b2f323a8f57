"""Presets over HTTP: kept, replaced, listed, deleted, and what is refused."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from backend.presets.repository import MAX_PRESETS
from backend.presets.routes import MAX_PARAMETER_BYTES
from backend.settings import Settings
from tests.support.fake_model_server import FakeModelServer
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(model_server: FakeModelServer, tmp_path: Path) -> Settings:
    """Keep the presets of each test apart."""
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, data_dir=tmp_path)


async def put(api: httpx.AsyncClient, name: str, parameters: Any) -> httpx.Response:
    path = f"/presets/{quote(name, safe='')}"
    return await api.put(path, json={"parameters": parameters})


async def listed(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = (await api.get("/presets")).json()
    assert answer["object"] == "list"
    data: list[dict[str, Any]] = answer["data"]
    return data


async def test_presets_are_kept_and_listed_by_name(api_client: httpx.AsyncClient) -> None:
    for name in ("precise", "Wild", "balanced"):
        response = await put(api_client, name, {"temperature": 0.5, "seed": 7})
        assert response.status_code == 200
    found = await listed(api_client)
    assert [preset["name"] for preset in found] == ["Wild", "balanced", "precise"]
    assert found[2] == response.json() | {"name": "precise", "updated_at": found[2]["updated_at"]}
    assert found[1]["updated_at"].endswith("Z")


async def test_a_preset_is_replaced_as_a_whole(api_client: httpx.AsyncClient) -> None:
    first = (await put(api_client, "mine", {"temperature": 0.5, "top_k": 3})).json()
    second = (await put(api_client, "mine", {"top_p": 0.9})).json()
    assert await listed(api_client) == [second]
    assert second["parameters"] == {"top_p": 0.9}
    assert second["updated_at"] > first["updated_at"]


async def test_deleted_is_gone(api_client: httpx.AsyncClient) -> None:
    await put(api_client, "mine", {})
    response = await api_client.delete("/presets/mine")
    assert (response.status_code, response.content) == (204, b"")
    assert await listed(api_client) == []
    again = await api_client.delete("/presets/mine")
    assert again.status_code == 404
    assert again.json()["error"]["code"] == "preset_not_found"


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
async def test_any_text_can_be_a_name(api_client: httpx.AsyncClient, name: str) -> None:
    assert (await put(api_client, name, {})).json()["name"] == name
    assert [preset["name"] for preset in await listed(api_client)] == [name]
    assert (await api_client.delete(f"/presets/{quote(name, safe='')}")).status_code == 204


@pytest.mark.parametrize("name", ["", "x" * 61, "a\nb", "\0", "\x1b[31m", "a\x7f", "a\x85", "a\n"])
async def test_what_is_no_name_is_400(api_client: httpx.AsyncClient, name: str) -> None:
    response = await put(api_client, name, {})
    gone = await api_client.delete(f"/presets/{quote(name, safe='')}")
    assert (response.status_code, gone.status_code) == (400, 400)
    assert response.json()["error"]["param"] == "name"
    assert await listed(api_client) == []


async def test_parameters_stay_as_they_were_set(api_client: httpx.AsyncClient) -> None:
    parameters = {
        "temperature": None,
        "stop": ["\n", "</s>"],
        "logit_bias": [[1, False], ["a", -2.5]],
        "stream_options": {"include_usage": True},
        "samplers": {"unknown": [1, {"deep": "\u202e<script>"}], "large": 10**30},
    }
    assert (await put(api_client, "mine", parameters)).json()["parameters"] == parameters
    [kept] = await listed(api_client)
    assert kept["parameters"] == parameters


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"temperature": "hot"}, "parameters.temperature"),
        ({"top_p": 2}, "parameters.top_p"),
        ({"stop": [""]}, "parameters.stop.0"),
        ({"messages": [{"role": "user", "content": "Hello"}]}, "parameters"),
        ({"model": "m"}, "parameters"),
        ({"stream": True}, "parameters"),
        ({"smolchat": {"receipt": True}}, "parameters"),
        ({"x": "y" * MAX_PARAMETER_BYTES}, "parameters"),
        ({"logit_bias": [[]] * 20_000}, "parameters"),
        ([], "parameters"),
        (None, "parameters"),
        ("temperature", "parameters"),
    ],
)
async def test_what_are_no_parameters_is_400(
    api_client: httpx.AsyncClient, parameters: Any, param: str
) -> None:
    response = await put(api_client, "mine", parameters)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert await listed(api_client) == []


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
async def test_what_is_no_preset_is_400(api_client: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = await api_client.put("/presets/mine", content=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert await listed(api_client) == []


async def test_there_are_a_hundred_at_most_however_many_come_at_once(
    api_client: httpx.AsyncClient,
) -> None:
    await asyncio.gather(*(put(api_client, f"p{number}", {}) for number in range(MAX_PRESETS - 1)))
    answers = await asyncio.gather(*(put(api_client, f"late {number}", {}) for number in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    refused = next(answer for answer in answers if answer.status_code == 400)
    assert "Delete one" in refused.json()["error"]["message"]
    assert len(await listed(api_client)) == MAX_PRESETS
    assert (await put(api_client, "p1", {"top_k": 1})).status_code == 200


async def test_other_methods_are_told_what_can_be_done(api_client: httpx.AsyncClient) -> None:
    one = await api_client.post("/presets/mine", json={})
    assert (one.status_code, one.headers["Allow"]) == (405, "DELETE, PUT")
    every = await api_client.put("/presets", json={})
    assert (every.status_code, every.headers["Allow"]) == (405, "GET")


async def test_pages_elsewhere_get_nothing(api_client: httpx.AsyncClient) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    response = await api_client.put("/presets/mine", json={"parameters": {}}, headers=origin)
    assert response.status_code == 403
    assert await listed(api_client) == []
