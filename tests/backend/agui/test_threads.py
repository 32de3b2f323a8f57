"""Threads are conversations: what is stored of them, and under which ids."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.agui import QUESTION, TOOL, applied, of_type, run, run_input, with_tools
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer, Reply, stream_reply
from tests.support.tool_replies import ANSWER, SUM, call_reply

Json = dict[str, Any]

NEXT = {"id": "question-2", "role": "user", "content": "And 12 * 8?"}


@pytest.fixture
def client(api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api_url, timeout=30) as client:
        yield client


def stored(client: httpx.Client, thread: str = "thread-1") -> Json:
    response = client.get(f"/conversations/{thread}")
    assert response.status_code == 200, response.text
    return dict(response.json())


def contents(client: httpx.Client, thread: str = "thread-1") -> list[tuple[str, str]]:
    return [(m["role"], m["content"]) for m in stored(client, thread)["messages"]]


def test_thread_is_a_conversation_with_the_ids_of_the_client_and_the_events(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(SUM), ANSWER]
    system = {"id": "s", "role": "system", "content": "Be brief."}
    events = run(client, run_input(system, QUESTION, **with_tools()))
    conversation = stored(client)
    assert (conversation["title"], conversation["system_prompt"]) == (
        "What is 12 * 7?",
        "Be brief.",
    )
    messages = conversation["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "assistant"]
    assert [m["parent"] for m in messages] == [None, *(m["id"] for m in messages[:-1])]
    assert [m["id"] for m in applied([QUESTION], events)] == [m["id"] for m in messages]
    assert messages[-1]["state"] == "finished"
    assert messages[-1]["receipt"]["tools"]["strategy"] == "native"
    assert conversation["current"] == messages[-1]["id"]


def test_known_messages_are_not_stored_again(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(SUM), ANSWER, stream_reply(["It is 96."])]
    kept = applied([QUESTION], run(client, run_input(**with_tools())))
    thought = {"id": "r", "role": "reasoning", "content": "Hm."}
    activity = {"id": "a", "role": "activity", "activityType": "plan", "content": {}}
    run(client, run_input(*kept, thought, activity, NEXT, **with_tools()))
    assert [role for role, _ in contents(client)] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
        "assistant",
    ]
    sent = model_server.chat_requests[-1].body["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool", "assistant", "user"]


def test_question_that_is_sent_again_gets_another_answer(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [ANSWER, stream_reply(["84."])]
    run(client, run_input())
    run(client, run_input())
    question, first, second = stored(client)["messages"]
    assert first["parent"] == second["parent"] == question["id"]
    assert stored(client)["current"] == second["id"]


def test_edited_question_is_another_branch(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [ANSWER, ANSWER]
    run(client, run_input())
    run(client, run_input(NEXT))
    messages = stored(client)["messages"]
    assert [m["parent"] for m in messages if m["role"] == "user"] == [None, None]


def test_history_of_another_agent_is_stored(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    history = [
        QUESTION,
        {"id": "a1", "role": "assistant", "toolCalls": [call]},
        {"id": "r1", "role": "tool", "toolCallId": "c", "content": "", "error": "No such function"},
        {"id": "a2", "role": "assistant", "content": "I cannot."},
    ]
    model_server.replies.append(ANSWER)
    run(client, run_input(*history, NEXT))
    messages = stored(client)["messages"]
    assert [m["id"] for m in messages[:-1]] == ["question-1", "a1", "r1", "a2", "question-2"]
    assert messages[1]["tool_calls"] == [call]
    assert messages[2]["content"] == "No such function"


def test_result_of_the_client_is_stored_under_its_id(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(("get_weather", {"city": "Paris"})), ANSWER, ANSWER]
    kept = applied([QUESTION], run(client, run_input(tools=[TOOL])))
    result = {"id": "result-1", "role": "tool", "toolCallId": kept[-1]["toolCalls"][0]["id"]}
    kept.append(result | {"content": "18 degrees"})
    for _ in range(2):  # once more: another answer to the same result
        run(client, run_input(*kept, tools=[TOOL]))
    messages = stored(client)["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "assistant", "assistant"]
    assert messages[2]["id"] == messages[3]["parent"] == messages[4]["parent"] == "result-1"


def test_failed_and_left_runs_are_stored_as_such(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(SUM), Reply(500, chunks=[b'{"error": {"message": "no"}}'])]
    run(client, run_input(**with_tools()))
    *_, result, answer = stored(client)["messages"]
    assert result["step"]["state"] == "finished"
    assert (answer["state"], answer["error"]["code"]) == ("failed", "model_server_failed")


@pytest.mark.parametrize("message_id", ["../../x", "a" * 1000, "a b", "\x00", "é\u2028", "taken"])
def test_message_with_an_id_that_cannot_be_stored_gets_a_lasting_one(
    message_id: str, client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [ANSWER, ANSWER, ANSWER]
    run(client, run_input(QUESTION | {"id": "taken"}, thread="another"))
    question = QUESTION | {"id": message_id}
    kept = applied([question], run(client, run_input(question)))
    run(client, run_input(*kept, NEXT))
    assert [role for role, _ in contents(client)] == ["user", "assistant", "user", "assistant"]
    assert len(contents(client, "another")) == 2


def test_two_messages_with_one_id_are_stored_once(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies.append(ANSWER)
    run(client, run_input(QUESTION, {"id": "a", "role": "assistant", "content": "84"}, QUESTION))
    assert [role for role, _ in contents(client)] == ["user", "assistant", "assistant"]


def test_full_thread_is_refused(model_server: FakeModelServer, settings: Any) -> None:
    limited = settings.model_copy(update={"max_conversation_messages": 3})
    with running_api(limited) as url, httpx.Client(base_url=url, timeout=30) as client:
        model_server.replies.append(ANSWER)
        kept = applied([QUESTION], run(client, run_input()))
        response = client.post("/ag-ui", json=run_input(*kept, NEXT))
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "conversation_full"
        assert len(model_server.chat_requests) == 1


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"threadId": "../../etc"}, "threadId"),
        ({"threadId": ".."}, "threadId"),
        ({"threadId": "a" * 201}, "threadId"),
        ({"threadId": "a\nb"}, "threadId"),
        ({"threadId": ""}, "threadId"),
        ({"threadId": 7}, "threadId"),
        ({"runId": ""}, "runId"),
        ({"runId": "r" * 201}, "runId"),
        ({"messages": []}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [{"id": "a", "role": "assistant", "content": "Hello"}]}, "messages"),
        ({"messages": [{"id": "a", "role": "system", "content": "Hello"}]}, "messages"),
        ({"messages": [QUESTION | {"id": ""}]}, "messages.0.id"),
        ({"messages": [QUESTION | {"id": "a" * 1001}]}, "messages.0.id"),
        ({"messages": [QUESTION | {"role": "boss"}]}, "messages.0.role"),
        ({"messages": [QUESTION | {"content": None}]}, "messages.0.content"),
        ({"messages": [QUESTION | {"content": []}]}, "messages.0.content"),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tools": [TOOL] * 129}, "tools"),
        ({"tools": [{"name": ""}]}, "tools.0.name"),
        ({"tools": [TOOL | {"parameters": "none"}]}, "tools.0.parameters"),
        ({"context": [{"value": "UTC"}]}, "context.0.description"),
        ({"resume": [{"interruptId": "c", "status": "maybe"}]}, "resume.0.status"),
        ({"forwardedProps": {"temperature": 9}}, "forwardedProps.temperature"),
        ({"forwardedProps": {"smolchat": {"tools": ["none"]}}}, "smolchat.tools"),
        ({"forwardedProps": {"smolchat": {"tool": []}}}, "forwardedProps.smolchat.tool"),
        ({"forwardedProps": {"tool_choice": "f"}}, "tool_choice"),
    ],
)
def test_invalid_request_is_refused_and_nothing_is_stored(
    fields: Json, param: str, client: httpx.Client, model_server: FakeModelServer
) -> None:
    response = client.post("/ag-ui", json=run_input() | fields)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert model_server.chat_requests == []
    assert client.get("/conversations").json()["data"] == []


def test_schema_that_cannot_be_used_is_refused(client: httpx.Client) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "https://elsewhere.example/a"}}}
    response = client.post("/ag-ui", json=run_input(tools=[TOOL | {"parameters": schema}]))
    assert response.status_code == 422


@pytest.mark.parametrize("props", [None, [], "x", 7])
def test_forwarded_props_of_another_kind_are_ignored(
    props: Any, client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies.append(ANSWER)
    assert of_type(run(client, run_input(forwardedProps=props)), "RUN_FINISHED")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Host": "elsewhere.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_guards_are_those_of_the_api(
    headers: dict[str, str], status: int, model_server: FakeModelServer
) -> None:
    with running_api(settings_for(model_server, api_key="secret")) as url:
        right = {"Authorization": "Bearer secret"}
        response = httpx.post(f"{url}/ag-ui", json=run_input(), headers=right | headers)
    assert response.status_code == status
    assert model_server.chat_requests == []


def test_text_with_half_a_character_is_sent(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply(["\ud83d", "\ude00 \ud83d"]))
    events = run(client, run_input())
    assert of_type(events, "RUN_FINISHED")
