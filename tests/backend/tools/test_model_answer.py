"""What becomes of the calls that a model makes: which leave, and what is answered without one."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.fake_model_server import FakeModelServer, stream_reply
from tests.support.tool_replies import BOOKED, BOOKING, WEATHER, call_reply, json_reply

Json = dict[str, Any]

QUESTION = {"role": "user", "content": "What is the weather in Paris?"}
REQUEST: Json = {"messages": [QUESTION], "tools": [WEATHER], "smolchat": {"receipt": True}}
OWN: Json = {"smolchat": {"tools": ["calculator"], "max_steps": 1, "receipt": True}}
ANSWER = stream_reply(["An answer."])


@pytest.fixture
def client(api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api_url, timeout=30) as client:
        yield client


def choose(name: str) -> Json:
    return {"tool_choice": {"type": "function", "function": {"name": name}}}


def complete(client: httpx.Client, request: Json) -> tuple[Json, Json]:
    """Return the choice of a whole answer, and its `smolchat`."""
    response = client.post("/chat", json=request)
    assert response.status_code == 200, response.text
    return response.json()["choices"][0], response.json()["smolchat"]


def problems(extensions: Json) -> str:
    return " ".join(extensions["receipt"]["tools"]["problems"])


def calculation(expression: str) -> Any:
    return call_reply(("calculator", {"expression": expression}))


def test_calls_after_max_steps_are_not_run_and_the_model_is_asked_for_an_answer(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [calculation("1 + 1"), calculation("2 + 2"), ANSWER]
    choice, extensions = complete(client, REQUEST | OWN)
    assert [step["result"] for step in extensions["steps"]] == ["1 + 1 = 2"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("stop", "An answer.")
    assert "max_steps" in problems(extensions)


def test_stream_ends_with_a_reason_whatever_the_model_calls(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [calculation("1 + 1"), calculation("2 + 2"), calculation("3 + 3")]
    response = client.post("/chat", json=REQUEST | OWN | {"stream": True})
    assert '"finish_reason":"stop"' in response.text
    assert response.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("choice", [{"tool_choice": "none"}, choose("get_weather")])
def test_tool_that_the_choice_excludes_is_not_run(
    choice: Json, client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [calculation("1 + 1"), json_reply({"city": "Paris"}), ANSWER]
    _, extensions = complete(client, REQUEST | OWN | choice)
    assert "steps" not in extensions
    assert "calculator" in problems(extensions)


def test_call_of_a_function_that_the_choice_excludes_does_not_leave(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(("get_weather", {"town": 1})), ANSWER]
    choice, _ = complete(client, REQUEST | OWN | {"tool_choice": "none"})
    assert "tool_calls" not in choice["message"]


@pytest.mark.parametrize("choice", [{"tool_choice": "required"}, choose("book_table")])
def test_required_call_that_the_model_does_not_make_is_made_under_its_schema(
    choice: Json, client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_reply(["No."]), json_reply(BOOKED)]
    answer, extensions = complete(client, REQUEST | {"tools": [BOOKING]} | choice)
    [call] = answer["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == BOOKED
    assert (answer["finish_reason"], answer["message"]["content"]) == ("tool_calls", "No.")
    assert "tool_choice" in problems(extensions)


def test_answer_that_ends_at_its_limit_has_no_required_call(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    reply = stream_reply(["No"])
    cut = [chunk.replace(b'"stop"', b'"length"') for chunk in reply.chunks]
    model_server.replies.append(stream_reply([], chunks=cut))
    choice, _ = complete(client, REQUEST | {"tool_choice": "required"})
    assert choice["finish_reason"] == "length"


def test_only_the_first_call_is_used_if_parallel_calls_are_off(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    calls = [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]
    model_server.replies.append(call_reply(*calls))
    choice, extensions = complete(client, REQUEST | {"parallel_tool_calls": False})
    assert len(choice["message"]["tool_calls"]) == 1
    assert "2 calls" in problems(extensions)


def test_call_of_an_unknown_function_is_replaced_by_an_answer(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(("rm", {"path": "/"})), ANSWER]
    choice, _ = complete(client, REQUEST)
    assert choice["message"]["content"] == "An answer."
    assert "tools" not in model_server.chat_requests[-1].body


def test_function_is_called_once_under_its_schema_however_often_the_model_failed(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(("book_table", {}), ("book_table", {}))]
    model_server.replies += [json_reply(BOOKED), json_reply(BOOKED)]
    choice, _ = complete(client, REQUEST | {"tools": [BOOKING]})
    assert len(choice["message"]["tool_calls"]) == 1


def test_half_a_character_in_the_arguments_of_an_unknown_tool_is_replaced(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(("unknown", '{"text": "\\ud83d"}')), ANSWER]
    _, extensions = complete(client, REQUEST | OWN)
    assert [step["arguments"] for step in extensions["steps"]] == [{"text": "\ufffd"}]


def test_tool_that_is_not_a_function_reaches_the_model_server(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    tool = {"type": "web_search", "web_search": {}}
    model_server.replies.append(ANSWER)
    complete(client, REQUEST | {"tools": [tool], "tool_choice": "required"})
    body = model_server.chat_requests[-1].body
    assert (body["tools"], body["tool_choice"]) == ([tool], "required")


def test_only_allowed_tools_are_offered_and_called(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    function = {"type": "function", "function": {"name": "get_weather"}}
    allowed = {"mode": "required", "tools": [function]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    model_server.replies += [call_reply(("book_table", BOOKED), ("get_weather", {"city": "Rome"}))]
    request = REQUEST | OWN | {"tools": [BOOKING, WEATHER], "tool_choice": choice}
    answer, _ = complete(client, request)
    [call] = answer["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    body = model_server.chat_requests[-1].body
    assert (body["tools"], body["tool_choice"]) == ([WEATHER], "required")


@pytest.mark.parametrize(
    "allowed",
    [{}, {"mode": "none", "tools": []}, {"mode": "auto", "tools": [{"function": {"name": "no"}}]}],
)
def test_allowed_tools_have_to_be_among_the_tools(allowed: Json, client: httpx.Client) -> None:
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    response = client.post("/chat", json=REQUEST | {"tool_choice": choice})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "tool_choice")
