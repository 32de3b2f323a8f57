"""Whether a model's template supports tools: by what the server says, or by a longer prompt."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.fake_model_server import FakeModelServer, Reply, stream_reply
from tests.support.tool_replies import BOOKED, BOOKING, json_reply

REQUEST: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Please book a table in the restaurant."}],
    "tools": [BOOKING],
    "smolchat": {"receipt": True},
}


@pytest.fixture
def client(api_url: str, model_server: FakeModelServer) -> Iterator[httpx.Client]:
    model_server.knows_tools = None
    with httpx.Client(base_url=api_url, timeout=30) as client:
        yield client


def counted(prompt_tokens: int) -> Reply:
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": 1}
    message = {"role": "assistant", "content": "Hi"}
    choices = [{"index": 0, "message": message, "finish_reason": "length"}]
    return Reply(chunks=[json.dumps({"model": "m", "choices": choices, "usage": usage}).encode()])


def strategy(client: httpx.Client) -> str:
    response = client.post("/chat", json=REQUEST)
    assert response.status_code == 200, response.text
    return str(response.json()["smolchat"]["receipt"]["tools"]["strategy"])


@pytest.mark.parametrize(("with_tool", "expected"), [(90, "native"), (30, "constrained")])
def test_length_of_a_prompt_shows_whether_tools_are_in_it(
    with_tool: int, expected: str, client: httpx.Client, model_server: FakeModelServer
) -> None:
    answer = stream_reply(["Sure."]) if expected == "native" else json_reply(BOOKED)
    model_server.replies += [counted(30), counted(with_tool), answer, answer]
    assert strategy(client) == expected
    assert strategy(client) == expected
    probes = [each for each in model_server.chat_requests if each.body.get("max_tokens") == 1]
    assert len(probes) == 2  # once for both requests


def test_server_that_refuses_a_tool_supports_none(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    refusal = Reply(400, chunks=[b'{"error": {"message": "tools are not supported"}}'])
    model_server.replies += [counted(30), refusal, json_reply(BOOKED)]
    assert strategy(client) == "constrained"
