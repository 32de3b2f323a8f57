"""Tools that the API runs: their steps, approval, limits, and what is stored of them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.fake_model_server import FakeModelServer, Reply, stream_reply
from tests.support.requests import complete, stream
from tests.support.sse import extensions_of, text_of
from tests.support.tool_replies import (
    ANSWER,
    RESULT,
    SUM,
    WEATHER,
    call_reply,
    calls_of,
    json_reply,
)

Json = dict[str, Any]

QUESTION = {"role": "user", "content": "What is 12 * 7?"}


@pytest.fixture
def client(api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api_url, timeout=30) as client:
        yield client


@pytest.fixture
def asking(client: httpx.Client) -> httpx.Client:
    """A client whose calculator asks first."""
    assert client.patch("/tools/calculator", json={"approval": "ask"}).status_code == 200
    return client


def request(tools: Any = ("calculator",), **options: Any) -> Json:
    names = tools if isinstance(tools, str) else list(tools)
    return {"messages": [QUESTION], "smolchat": {"tools": names} | options}


def steps_of(chunks: list[Json]) -> list[Json]:
    return [fields["step"] for fields in extensions_of(chunks) if "step" in fields]


def sent_messages(model_server: FakeModelServer) -> list[Json]:
    return list(model_server.chat_requests[-1].body["messages"])


def test_tool_runs_and_the_model_answers_with_its_result(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(SUM), ANSWER]
    response = complete(client, request())
    [choice] = response["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("It is 84.", "stop")
    assert "tool_calls" not in choice["message"]
    [step] = response["smolchat"]["steps"]
    assert step.pop("milliseconds") >= 0
    assert step == {
        "id": "call_calculator_0",
        "tool": "calculator",
        "arguments": {"expression": "12 * 7"},
        "strategy": "native",
        "state": "finished",
        "result": RESULT,
    }
    assert sent_messages(model_server)[-1]["content"] == RESULT


def test_steps_are_streamed_as_they_change(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(SUM, text="Let me see. "), ANSWER]
    chunks = stream(client, request())
    assert [step["state"] for step in steps_of(chunks)] == ["running", "finished"]
    assert text_of(chunks) == "Let me see. It is 84."
    assert calls_of(chunks) == []
    reasons = [c["finish_reason"] for each in chunks for c in each["choices"]]
    assert [reason for reason in reasons if reason] == ["stop"]


def test_constrained_model_answers_from_the_result(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.knows_tools = False
    model_server.replies += [ANSWER]  # the question states the arguments
    response = complete(client, request())
    assert response["choices"][0]["message"]["content"] == "It is 84."
    [step] = response["smolchat"]["steps"]
    assert (step["strategy"], step["result"]) == ("constrained", RESULT)
    assert (
        sent_messages(model_server)[-1]["content"] == f"Question: What is 12 * 7?\nResult: {RESULT}"
    )


def test_constrained_model_writes_what_the_question_does_not_state(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.knows_tools = False
    model_server.replies += [json_reply({"expression": "3 * 19.99"}), stream_reply(["59.97"])]
    question = {"role": "user", "content": "Calculate the price of three shirts at 19.99 each."}
    response = complete(client, request() | {"messages": [question], "tool_choice": "required"})
    assert response["smolchat"]["steps"][0]["result"] == "3 * 19.99 = 59.97"


def test_parallel_calls_are_all_run(client: httpx.Client, model_server: FakeModelServer) -> None:
    other = ("calculator", {"expression": "1 + 1"})
    model_server.replies += [call_reply(SUM, other), ANSWER]
    response = complete(client, request())
    assert [step["result"] for step in response["smolchat"]["steps"]] == [RESULT, "1 + 1 = 2"]


def test_only_so_many_calls_of_an_answer_are_used(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    calls = [("calculator", {"expression": f"{number} + 1"}) for number in range(40)]
    model_server.replies += [call_reply(*calls), ANSWER]
    response = complete(client, request(receipt=True))
    assert len(response["smolchat"]["steps"]) == 32
    assert "40 calls" in str(response["smolchat"]["receipt"]["tools"]["problems"])


def test_step_says_if_a_native_call_was_made_again_under_its_schema(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(("calculator", "{}")), json_reply({"expression": "1 + 1"})]
    model_server.replies.append(ANSWER)
    response = complete(client, request())
    assert response["smolchat"]["steps"][0]["strategy"] == "constrained"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (("calculator", {"expression": "12 / 0"}), "zero"),
        (("no_such_tool", {}), "There is no tool no_such_tool"),
    ],
)
def test_failed_call_is_a_result(
    call: tuple[str, Any], error: str, client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(call), ANSWER]
    response = complete(client, request())
    [step] = response["smolchat"]["steps"]
    assert step["state"] == "failed"
    assert error in step["error"]
    assert response["choices"][0]["message"]["content"] == "It is 84."


def test_same_call_twice_in_a_row_ends_the_calls(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(SUM), call_reply(SUM), ANSWER]
    response = complete(client, request(receipt=True))
    assert [step["state"] for step in response["smolchat"]["steps"]] == ["finished", "failed"]
    assert "tools" not in model_server.chat_requests[-1].body
    assert "twice" in str(response["smolchat"]["receipt"]["tools"]["problems"])


def test_model_answers_without_tools_after_max_steps(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    sums = [call_reply(("calculator", {"expression": f"{n} + 1"})) for n in range(2)]
    model_server.replies += [*sums, ANSWER]
    response = complete(client, request(max_steps=2, receipt=True))
    assert response["choices"][0]["message"]["content"] == "It is 84."
    assert "tools" not in model_server.chat_requests[-1].body
    assert "max_steps" in str(response["smolchat"]["receipt"]["tools"]["problems"])


def test_unknown_tool_of_the_request_is_refused(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    response = client.post("/chat", json=request(["no_such_tool"]))
    assert (response.status_code, response.json()["error"]["param"]) == (400, "smolchat.tools")
    assert model_server.chat_requests == []


def test_tool_that_may_never_run_is_not_offered(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    client.patch("/tools/calculator", json={"approval": "never"})
    complete(client, request())
    assert "tools" not in model_server.chat_requests[-1].body


def test_calls_of_the_client_end_the_answer_after_ours(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies.append(call_reply(SUM, ("get_weather", {"city": "Paris"})))
    response = complete(client, request() | {"tools": [WEATHER]})
    [choice] = response["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert [call["function"]["name"] for call in choice["message"]["tool_calls"]] == ["get_weather"]
    assert [step["state"] for step in response["smolchat"]["steps"]] == ["finished"]


# Approval.


def awaiting(client: httpx.Client, model_server: FakeModelServer) -> tuple[Json, list[Json]]:
    """Return the message whose call awaits approval, and the history with it."""
    model_server.replies.append(call_reply(SUM))
    response = complete(client, request())
    [choice] = response["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert [step["state"] for step in response["smolchat"]["steps"]] == ["awaiting_approval"]
    return choice["message"], [QUESTION, choice["message"]]


@pytest.mark.parametrize(
    ("decision", "state", "result"),
    [
        ("allow", "finished", RESULT),
        ("deny", "denied", "The user did not allow this call."),
        ({"arguments": {"expression": "12 * 8"}}, "finished", "12 * 8 = 96"),
        ({"arguments": {"formula": "12 * 8"}}, "failed", None),
    ],
)
def test_step_waits_for_approval(
    decision: Any,
    state: str,
    result: str | None,
    asking: httpx.Client,
    model_server: FakeModelServer,
) -> None:
    message, history = awaiting(asking, model_server)
    model_server.replies.append(ANSWER)
    approvals = {message["tool_calls"][0]["id"]: decision}
    response = complete(asking, request(approvals=approvals) | {"messages": history})
    [step] = response["smolchat"]["steps"]
    assert (step["state"], step.get("result")) == (state, result)
    assert step["id"] == message["tool_calls"][0]["id"]
    sent_call, sent_result = sent_messages(model_server)[-2:]
    assert json.loads(sent_call["tool_calls"][0]["function"]["arguments"]) == step["arguments"]
    assert sent_result["content"] == (result or step["error"])


@pytest.mark.parametrize("follows", [[], [{"role": "user", "content": "Never mind."}]])
def test_message_without_approvals_denies(
    follows: list[Json], asking: httpx.Client, model_server: FakeModelServer
) -> None:
    _, history = awaiting(asking, model_server)
    model_server.replies.append(ANSWER)
    complete(asking, request() | {"messages": [*history, *follows]})
    [result] = [m for m in sent_messages(model_server) if m["role"] == "tool"]
    assert result["content"] == "The user did not allow this call."


# Storage.


@pytest.fixture
def conversation(client: httpx.Client) -> str:
    return str(client.post("/conversations", json={}).json()["id"])


def stored(client: httpx.Client, conversation: str) -> list[Json]:
    return list(client.get(f"/conversations/{conversation}").json()["messages"])


def test_turn_is_stored_as_its_messages(
    client: httpx.Client, model_server: FakeModelServer, conversation: str
) -> None:
    model_server.replies += [call_reply(SUM), ANSWER]
    chunks = stream(client, request(conversation=conversation))
    question, calls, result, answer = stored(client, conversation)
    assert [m["role"] for m in (question, calls, result, answer)] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert calls["tool_calls"][0]["function"]["name"] == "calculator"
    assert (result["content"], result["tool_call_id"]) == (RESULT, calls["tool_calls"][0]["id"])
    assert result["step"] == steps_of(chunks)[-1]
    assert (answer["content"], answer["state"]) == ("It is 84.", "finished")
    assert [m["parent"] for m in (calls, result, answer)] == [
        question["id"],
        calls["id"],
        result["id"],
    ]
    assert answer["receipt"]["tools"]["strategy"] == "native"
    current = client.get(f"/conversations/{conversation}").json()["current"]
    assert current == answer["id"]


def test_approved_step_goes_on_where_it_is_stored(
    asking: httpx.Client, model_server: FakeModelServer, conversation: str
) -> None:
    model_server.replies.append(call_reply(SUM))
    complete(asking, request(conversation=conversation))
    _, calls, step = stored(asking, conversation)
    assert step["step"]["state"] == "awaiting_approval"
    model_server.replies.append(ANSWER)
    history = [QUESTION, {"role": "assistant", "content": "", "tool_calls": calls["tool_calls"]}]
    approvals = {calls["tool_calls"][0]["id"]: "allow"}
    body = request(conversation=conversation, approvals=approvals) | {"messages": history}
    stream(asking, body)
    _, _, result, answer = stored(asking, conversation)
    assert (result["id"], result["content"], result["step"]["state"]) == (
        step["id"],
        RESULT,
        "finished",
    )
    assert (answer["content"], answer["parent"]) == ("It is 84.", result["id"])


@pytest.mark.parametrize("names_parent", [False, True])
def test_next_question_denies_a_stored_step(
    asking: httpx.Client, model_server: FakeModelServer, conversation: str, *, names_parent: bool
) -> None:
    model_server.replies.append(call_reply(SUM))
    complete(asking, request(conversation=conversation))
    model_server.replies.append(stream_reply(["Fine."]))
    parent = {"parent": stored(asking, conversation)[-1]["id"]} if names_parent else {}
    body = request(conversation=conversation, **parent)
    complete(asking, body | {"messages": [{"role": "user", "content": "Never mind."}]})
    messages = stored(asking, conversation)
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "user", "assistant"]
    assert messages[2]["step"]["state"] == "denied"
    assert messages[3]["parent"] == messages[2]["id"]


def test_regenerated_turn_is_a_sibling_of_the_first_answer(
    client: httpx.Client, model_server: FakeModelServer, conversation: str
) -> None:
    model_server.replies += [call_reply(SUM), ANSWER, call_reply(SUM), ANSWER]
    complete(client, request(conversation=conversation))
    question = stored(client, conversation)[0]["id"]
    complete(client, request(conversation=conversation, parent=question))
    messages = stored(client, conversation)
    assert [m["role"] for m in messages].count("user") == 1
    assert [m["parent"] for m in messages if m["role"] == "assistant"].count(question) == 2


def test_failed_step_is_tried_again_where_it_is_stored(
    client: httpx.Client, model_server: FakeModelServer, conversation: str
) -> None:
    model_server.replies += [call_reply(("calculator", {"expression": "1 / 0"})), ANSWER]
    complete(client, request(conversation=conversation))
    _, calls, step, first = stored(client, conversation)
    assert step["step"]["state"] == "failed"
    call_id = calls["tool_calls"][0]["id"]
    approvals = {call_id: {"arguments": {"expression": "12 * 7"}}}
    history = [QUESTION, {"role": "assistant", "content": "", "tool_calls": calls["tool_calls"]}]
    options = request(conversation=conversation, parent=step["id"], approvals=approvals)
    model_server.replies.append(ANSWER)
    complete(client, options | {"messages": history})
    _, _, again, old, new = stored(client, conversation)
    assert (again["id"], again["step"]["state"], again["content"]) == (
        step["id"],
        "finished",
        RESULT,
    )
    assert (old["id"], old["parent"], new["parent"]) == (first["id"], step["id"], step["id"])


def test_results_of_the_client_are_stored(
    client: httpx.Client, model_server: FakeModelServer, conversation: str
) -> None:
    model_server.replies.append(call_reply(("get_weather", {"city": "Paris"})))
    smolchat = {"conversation": conversation}
    body: Json = {"messages": [QUESTION], "tools": [WEATHER], "smolchat": smolchat}
    message = complete(client, body)["choices"][0]["message"]
    assert stored(client, conversation)[-1]["tool_calls"] == message["tool_calls"]
    model_server.replies.append(ANSWER)
    call_id = message["tool_calls"][0]["id"]
    result = {"role": "tool", "tool_call_id": call_id, "content": "18 degrees"}
    complete(client, body | {"messages": [QUESTION, message, result]})
    messages = stored(client, conversation)
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "assistant"]
    assert (messages[2]["content"], messages[2]["tool_call_id"]) == ("18 degrees", call_id)
    assert messages[3]["parent"] == messages[2]["id"]


def test_failure_after_a_step_is_stored(
    client: httpx.Client, model_server: FakeModelServer, conversation: str
) -> None:
    error = b'{"error": {"message": "out of memory", "code": 500}}'
    model_server.replies += [call_reply(SUM), Reply(500, chunks=[error])]
    response = client.post("/chat", json=request(conversation=conversation) | {"stream": True})
    assert "error" in parse_error(response.text)
    *_, result, answer = stored(client, conversation)
    assert result["step"]["state"] == "finished"
    assert (answer["state"], answer["error"]["code"]) == ("failed", "model_server_failed")


def parse_error(text: str) -> Json:
    return dict(json.loads(text.strip().rsplit("data: ", 1)[1]))


def test_stored_turn_survives_export_and_import(
    client: httpx.Client, model_server: FakeModelServer, conversation: str
) -> None:
    model_server.replies += [call_reply(SUM), ANSWER]
    complete(client, request(conversation=conversation))
    exported = client.get(f"/conversations/{conversation}/export", params={"format": "json"})
    headers = {"Content-Type": "application/json"}
    imported = client.post("/conversations/import", content=exported.content, headers=headers)
    assert imported.status_code == 201, imported.text
    copy = imported.json()["data"][0]["id"]
    kept = ("role", "content", "tool_calls", "tool_call_id", "step")
    first, second = (
        [[m[name] for name in kept] for m in stored(client, each)] for each in (conversation, copy)
    )
    assert first == second
