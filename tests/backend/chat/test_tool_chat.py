"""What is refused in a request with tools as in any other, and endless ids of calls."""

from typing import Any

import httpx
import pytest

from tests.support.fake_model_server import (
    DONE,
    EVENTS,
    FakeModelServer,
    Reply,
    chunk,
    stream_reply,
)
from tests.support.requests import HELLO
from tests.support.tool_replies import WEATHER

pytestmark = pytest.mark.anyio
REMOTE = {"type": "object", "properties": {"a": {"$ref": "https://elsewhere.example/a"}}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"grammar": 'root ::= "a"'}, "grammar"),
        ({"json_schema": REMOTE}, "json_schema"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": REMOTE},
                }
            },
            "response_format",
        ),
    ],
)
async def test_other_schemas_of_a_request_with_tools_are_checked(
    fields: dict[str, Any],
    param: str,
    api_client: httpx.AsyncClient,
    model_server: FakeModelServer,
) -> None:
    response = await api_client.post("/chat", json=HELLO | {"tools": [WEATHER]} | fields)
    assert (response.status_code, response.json()["error"]["param"]) == (422, param)
    assert model_server.chat_requests == []


@pytest.mark.parametrize("has_result", [True, False])
async def test_stored_chat_with_an_endless_call_id_is_refused(
    has_result: bool, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    function = {"name": "calculator", "arguments": "{}"}
    call = {"id": 201 * "c", "type": "function", "function": function}
    messages = [*HELLO["messages"], {"role": "assistant", "tool_calls": [call]}]
    if has_result:
        messages.append({"role": "tool", "tool_call_id": 201 * "c", "content": "4"})
    conversation = (await api_client.post("/conversations", json={})).json()["id"]
    options = {"tools": ["calculator"], "conversation": conversation}
    response = await api_client.post("/chat", json={"messages": messages, "smolchat": options})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "messages")
    assert model_server.chat_requests == []


async def test_endless_call_id_of_a_model_server_is_replaced(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    function = {"name": "calculator", "arguments": '{"expression": "1 + 1"}'}
    call = {"index": 0, "id": 201 * "c", "type": "function", "function": function}
    chunks = [chunk({"tool_calls": [call]}), chunk({}, "tool_calls"), DONE]
    model_server.replies += [Reply(headers=EVENTS, chunks=chunks), stream_reply(["2"])]
    conversation = (await api_client.post("/conversations", json={})).json()["id"]
    options = {"tools": ["calculator"], "conversation": conversation}
    response = await api_client.post("/chat", json=HELLO | {"smolchat": options})
    [step] = response.json()["smolchat"]["steps"]
    assert (step["state"], len(step["id"])) == ("finished", 29)
