"""JSON of requests: how many values, how large numbers, and clients that leave while sending it."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.api_server import api_client_with
from tests.support.fake_model_server import FakeModelServer
from tests.support.raw_http import raw_connection
from tests.support.requests import HELLO
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
STRUCTURED = HELLO | {"response_format": SCHEMA}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/chat"): HELLO,
    ("POST", "/v1/chat/completions"): HELLO,
    ("POST", "/structured"): STRUCTURED,
    ("POST", "/conversations"): {"parameters": {}},
    ("PUT", "/presets/mine"): {"parameters": {}},
}
ROUTES = list(BODIES)
JSON_TYPE = {"Content-Type": "application/json"}


@pytest.fixture
async def strict_api(model_server: FakeModelServer) -> AsyncIterator[httpx.AsyncClient]:
    async with api_client_with(model_server, max_json_values=100) as client:
        yield client


def with_field(route: tuple[str, str], value: str) -> str:
    """Return the body of a request with one more parameter."""
    fields = BODIES[route]
    outer, name = ("parameters", '{"x": %s}') if "parameters" in fields else ("x", "%s")
    return json.dumps(fields | {outer: "VALUE"}).replace('"VALUE"', name % value)


@pytest.mark.parametrize("route", ROUTES)
async def test_request_with_too_many_values_is_refused_and_told_the_setting(
    strict_api: httpx.AsyncClient, model_server: FakeModelServer, route: tuple[str, str]
) -> None:
    body = with_field(route, "[" + ",".join(["{}"] * 100) + "]")
    response = await strict_api.request(*route, content=body, headers=JSON_TYPE)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"
    assert "SMOLCHAT_MAX_JSON_VALUES" in response.json()["error"]["message"]
    assert not [request for request in model_server.requests if request.method == "POST"]


@pytest.mark.parametrize("route", ROUTES)
async def test_text_is_not_taken_for_values(
    strict_api: httpx.AsyncClient, route: tuple[str, str]
) -> None:
    body = with_field(route, json.dumps('a, "b": [1], ' * 8000))  # a large body, too
    response = await strict_api.request(*route, content=body, headers=JSON_TYPE)
    assert response.status_code != 413


async def test_change_of_a_conversation_with_too_many_values_is_refused(
    strict_api: httpx.AsyncClient,
) -> None:
    path = f"/conversations/{(await strict_api.post('/conversations', json={})).json()['id']}"
    changes = {"title": "new", "parameters": {"x": [[]] * 100}}
    assert (await strict_api.patch(path, json=changes)).status_code == 413
    assert (await strict_api.get(path)).json()["title"] == ""


@pytest.mark.parametrize("number", ["1e999", "-1E+400", "9" * 400, "9" * 5000, "NaN"])
@pytest.mark.parametrize("route", ROUTES)
async def test_number_that_is_read_as_infinite_is_refused(
    api_client: httpx.AsyncClient, route: tuple[str, str], number: str
) -> None:
    for value in (number, f'[{{"deep": {number}}}]'):
        body = with_field(route, value)
        response = await api_client.request(*route, content=body, headers=JSON_TYPE)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "invalid_request"
    assert not (await api_client.get("/conversations")).json()["data"]
    assert not (await api_client.get("/presets")).json()["data"]


async def test_large_requests_are_parsed_in_turn(api_client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "word " * 20}] * 1000
    responses = await asyncio.gather(
        *(api_client.post("/chat", json={"messages": messages}) for _ in range(3)),
        api_client.post("/chat", json={"messages": messages, "top_p": 2}),
    )
    assert [response.status_code for response in responses] == [200, 200, 200, 400]


@pytest.mark.parametrize("sent", [b"", b"{", b'{"messages": [', b'{"parameters": {}}'])
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_client_that_leaves_while_sending_leaves_no_traceback(
    api_url: str, caplog: pytest.LogCaptureFixture, framing: str, sent: bytes
) -> None:
    caplog.set_level(logging.INFO, logger="smolchat.access")
    server_log = logging.getLogger("uvicorn.error")
    server_log.addHandler(caplog.handler)
    routes = [*ROUTES, ("POST", "/conversations/import"), ("PATCH", "/conversations/a")]
    routes += [("POST", "/conversations/a/duplicate"), ("POST", "/nosuch")]
    body = b"%x\r\n%b" % (len(sent) + 1, sent) if "chunked" in framing else sent
    for method, path in routes:
        head = f"{method} {path} HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
        with raw_connection(api_url, head + framing + "\n", body):
            pass
    try:
        wait_until(lambda: len(log_lines(caplog)) == len(routes))
    finally:
        server_log.removeHandler(caplog.handler)
    assert [record for record in caplog.records if record.exc_info] == []
    assert not [line for line in log_lines(caplog) if " 500 " in line or "failed" in line]


def log_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "smolchat.access"]
