"""Functions of the client: calls that fit their schemas, on models that know tools and others."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.fake_model_server import FakeModelServer, Reply, stream_reply
from tests.support.requests import complete, stream
from tests.support.sse import extensions_of, receipt_of, text_of
from tests.support.tool_replies import BOOKED, BOOKING, WEATHER, call_reply, calls_of, json_reply

Json = dict[str, Any]

QUESTION = {"role": "user", "content": "What is the weather in Paris?"}
REQUEST: Json = {"messages": [QUESTION], "tools": [WEATHER], "smolchat": {"receipt": True}}
BOOKING_QUESTION = {"role": "user", "content": "Please book a table in the restaurant."}
BOOKING_REQUEST: Json = REQUEST | {"messages": [BOOKING_QUESTION], "tools": [BOOKING]}
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "18 degrees"}


@pytest.fixture
def client(api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api_url, timeout=30) as client:
        yield client


@pytest.fixture
def constrained(model_server: FakeModelServer) -> FakeModelServer:
    """A model whose template knows no tools."""
    model_server.knows_tools = False
    return model_server


def finish_reasons(chunks: list[Json]) -> list[str]:
    return [
        choice["finish_reason"]
        for each in chunks
        for choice in each["choices"]
        if choice["finish_reason"]
    ]


def arguments(call: Json) -> Any:
    return json.loads(call["function"]["arguments"])


# A model that knows tools.


def test_native_call_passes(client: httpx.Client, model_server: FakeModelServer) -> None:
    model_server.replies.append(call_reply(("get_weather", {"city": "Paris"})))
    response = complete(client, REQUEST)
    [choice] = response["choices"]
    assert choice["finish_reason"] == "tool_calls"
    [call] = choice["message"]["tool_calls"]
    assert (call["id"], arguments(call)) == ("call_get_weather_0", {"city": "Paris"})
    assert response["smolchat"]["receipt"]["tools"]["strategy"] == "native"
    assert response["usage"] == {"prompt_tokens": 31, "completion_tokens": 12, "total_tokens": 43}
    [sent] = model_server.chat_requests
    assert sent.body["tools"] == [WEATHER]


def test_native_calls_are_streamed_in_openais_form(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    cities = [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome" * 20})]
    model_server.replies.append(call_reply(*cities, text="Let me look."))
    chunks = stream(client, REQUEST | {"stream_options": {"include_usage": True}})
    calls = calls_of(chunks)
    assert [json.loads(call["arguments"])["city"] for call in calls] == ["Paris", "Rome" * 20]
    assert text_of(chunks) == "Let me look."
    assert finish_reasons(chunks) == ["tool_calls"]
    assert len({each["id"] for each in chunks if each["choices"]}) == 1
    assert [each["usage"]["total_tokens"] for each in chunks if "usage" in each] == [43]
    assert receipt_of(chunks)["tools"]["problems"] == []


@pytest.mark.parametrize(
    "written", ["{}", '{"booking": 5}', '{"booking": {"no', '{"table": {}}', "no"]
)
def test_native_call_that_does_not_fit_is_made_again_under_its_schema(
    written: str, client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(("book_table", written)), json_reply(BOOKED)]
    response = complete(client, BOOKING_REQUEST)
    [call] = response["choices"][0]["message"]["tool_calls"]
    assert arguments(call) == BOOKED
    [problem] = response["smolchat"]["receipt"]["tools"]["problems"]
    assert "book_table does not match its schema" in problem
    assert "response_format" in model_server.chat_requests[1].body


def test_call_that_the_model_server_cannot_read_is_made_under_a_schema(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    message = "The model produced output that does not match the expected peg-native format"
    error = {"error": {"code": 500, "message": message, "type": "server_error"}}
    model_server.replies += [
        Reply(500, chunks=[json.dumps(error).encode()]),
        json_reply(BOOKED),
    ]
    response = complete(client, BOOKING_REQUEST)
    [call] = response["choices"][0]["message"]["tool_calls"]
    assert arguments(call) == BOOKED
    assert len(response["smolchat"]["receipt"]["tools"]["problems"]) == 1


def test_call_of_an_unknown_function_is_not_passed_on(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(("rm", {"path": "/"})), stream_reply(["Sorry."])]
    response = complete(client, REQUEST)
    assert response["choices"][0]["finish_reason"] == "stop"
    assert "tool_calls" not in response["choices"][0]["message"]
    assert "rm" in response["smolchat"]["receipt"]["tools"]["problems"][0]


def test_choice_and_parallel_reach_a_model_that_knows_tools(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    choice = {"type": "function", "function": {"name": "get_weather"}}
    complete(client, REQUEST | {"tool_choice": choice, "parallel_tool_calls": False})
    body = model_server.chat_requests[0].body
    assert (body["tool_choice"], body["parallel_tool_calls"]) == (choice, False)


# A model that knows none.


def test_constrained_call_has_the_arguments_of_the_model(
    client: httpx.Client, constrained: FakeModelServer
) -> None:
    constrained.replies.append(json_reply(BOOKED))
    response = complete(client, BOOKING_REQUEST)
    [choice] = response["choices"]
    [call] = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert (call["function"]["name"], arguments(call)) == ("book_table", BOOKED)
    receipt = response["smolchat"]["receipt"]["tools"]
    assert (receipt["strategy"], receipt["attempts"]) == ("constrained", 1)
    assert 0 < receipt["gate_score"] <= 1
    [sent] = constrained.chat_requests
    assert "tools" not in sent.body
    assert "response_format" in sent.body
    assert response["usage"]["total_tokens"] == 59


def test_constrained_calls_are_streamed_in_openais_form(
    client: httpx.Client, constrained: FakeModelServer
) -> None:
    constrained.replies.append(json_reply(BOOKED))
    chunks = stream(client, BOOKING_REQUEST)
    [call] = calls_of(chunks)
    assert json.loads(call["arguments"]) == BOOKED
    assert finish_reasons(chunks) == ["tool_calls"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"


def test_question_that_needs_no_tool_gets_an_ordinary_answer(
    client: httpx.Client, constrained: FakeModelServer
) -> None:
    constrained.replies.append(stream_reply(["Knock ", "knock."]))
    request = REQUEST | {"messages": [{"role": "user", "content": "Tell me a joke."}]}
    chunks = stream(client, request)
    assert text_of(chunks) == "Knock knock."
    assert (calls_of(chunks), finish_reasons(chunks)) == ([], ["stop"])
    body = constrained.chat_requests[0].body
    assert body.keys().isdisjoint({"tools", "tool_choice", "response_format"})


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "book_table"}}]
)
def test_required_call_is_made_for_any_question(
    choice: Any, client: httpx.Client, constrained: FakeModelServer
) -> None:
    constrained.replies.append(json_reply(BOOKED))
    messages = [{"role": "user", "content": "Tell me a joke."}]
    response = complete(client, BOOKING_REQUEST | {"messages": messages, "tool_choice": choice})
    [call] = response["choices"][0]["message"]["tool_calls"]
    assert arguments(call) == BOOKED


def test_tools_are_not_called_if_the_choice_is_none(
    client: httpx.Client, constrained: FakeModelServer
) -> None:
    constrained.replies.append(stream_reply(["Sunny."]))
    response = complete(client, REQUEST | {"tool_choice": "none"})
    assert response["choices"][0]["message"]["content"] == "Sunny."


def test_call_that_never_fits_is_not_made_and_the_receipt_says_why(
    client: httpx.Client, constrained: FakeModelServer
) -> None:
    constrained.replies += [json_reply("not JSON"), json_reply({"booking": 1}), json_reply("{")]
    constrained.replies += [stream_reply(["I ", "do not know."])]
    response = complete(client, BOOKING_REQUEST)
    assert response["choices"][0]["finish_reason"] == "stop"
    assert response["choices"][0]["message"]["content"] == "I do not know."
    assert "book_table" in response["smolchat"]["receipt"]["tools"]["problems"][0]


def test_older_form_is_answered_in_the_older_form(
    client: httpx.Client, constrained: FakeModelServer
) -> None:
    constrained.replies += [json_reply(BOOKED), json_reply(BOOKED)]
    request = {"messages": BOOKING_REQUEST["messages"], "functions": [BOOKING["function"]]}
    [choice] = complete(client, request)["choices"]
    assert choice["finish_reason"] == "function_call"
    assert json.loads(choice["message"]["function_call"]["arguments"]) == BOOKED
    chunks = stream(client, request | {"function_call": {"name": "book_table"}})
    assert finish_reasons(chunks) == ["function_call"]


def test_history_with_calls_is_text_for_a_template_that_knows_none(
    client: httpx.Client, constrained: FakeModelServer
) -> None:
    constrained.replies.append(stream_reply(["It is 18 degrees in Paris."]))
    calls = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    response = complete(client, REQUEST | {"messages": [QUESTION, calls, RESULT]})
    assert response["choices"][0]["message"]["content"] == "It is 18 degrees in Paris."
    messages = constrained.chat_requests[0].body["messages"]
    assert [m["role"] for m in messages] == ["system", *2 * ["user", "assistant"], "user"]
    assert messages[-1]["content"] == f"Question: {QUESTION['content']}\nResult: 18 degrees"


def test_earlier_calls_are_a_part_of_their_question_for_a_template_that_knows_none(
    client: httpx.Client, constrained: FakeModelServer
) -> None:
    constrained.replies.append(stream_reply(["You are welcome."]))
    calls = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    answer = {"role": "assistant", "content": "It is 18 degrees."}
    thanks = {"role": "user", "content": "Thank you!"}
    complete(client, REQUEST | {"messages": [QUESTION, calls, RESULT, answer, thanks]})
    first, *others = constrained.chat_requests[0].body["messages"]
    assert first["content"] == f"{QUESTION['content']}\n\nget_weather(Paris): 18 degrees"
    assert others == [answer, thanks]


def test_history_with_calls_stays_as_it_is_for_a_template_that_knows_them(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    complete(client, REQUEST | {"messages": [QUESTION, calls, RESULT]})
    roles = [message["role"] for message in model_server.chat_requests[0].body["messages"]]
    assert roles == ["user", "assistant", "tool"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name"),
        ({"tools": [{"type": "function"}]}, "tools.0"),
        ({"tool_choice": "get_weather"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "no"}}}, "tool_choice"),
        ({"n": 2}, "n"),
    ],
)
def test_invalid_request_is_refused(
    fields: Json, param: str, client: httpx.Client, model_server: FakeModelServer
) -> None:
    response = client.post("/chat", json=REQUEST | fields)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert model_server.chat_requests == []


def test_client_that_does_not_ask_sees_no_extension(
    client: httpx.Client, constrained: FakeModelServer
) -> None:
    constrained.replies.append(json_reply(BOOKED))
    request = {name: BOOKING_REQUEST[name] for name in ("messages", "tools")}
    assert extensions_of(stream(client, request)) == []


def test_error_before_the_first_event_has_its_status(
    client: httpx.Client, constrained: FakeModelServer
) -> None:
    error = b'{"error": {"message": "out of memory", "code": 500}}'
    constrained.replies.append(Reply(500, chunks=[error]))
    response = client.post("/chat", json=BOOKING_REQUEST | {"stream": True})
    assert response.status_code == 502
