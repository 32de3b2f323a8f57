"""Calls that await approval: they interrupt a run, and the next one resumes it."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from backend.tools.tool import ToolResult
from tests.support.agui import (
    QUESTION,
    TOOL,
    applied,
    of_type,
    run,
    run_input,
    text_of,
    types_of,
    with_tools,
)
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer, stream_reply
from tests.support.tool_replies import ANSWER, RESULT, SUM, call_reply
from tests.support.tools import make_tool
from tests.support.waiting import wait_until

Json = dict[str, Any]

DENIED = "The user did not allow this call."
ALLOW: Json = {"approved": True}
CALL_ID = "call_calculator_0"


@pytest.fixture
def client(api_url: str) -> Iterator[httpx.Client]:
    """A client whose calculator asks first."""
    with httpx.Client(base_url=api_url, timeout=30) as client:
        client.patch("/tools/calculator", json={"approval": "ask"}).raise_for_status()
        yield client


@pytest.fixture
def interrupted(client: httpx.Client, model_server: FakeModelServer) -> list[Json]:
    """The messages of a client whose run was interrupted."""
    model_server.replies.append(call_reply(SUM, text="Let me see."))
    events = run(client, run_input(**with_tools()))
    [start] = of_type(events, "TOOL_CALL_START")
    outcome = events[-1]["outcome"]
    [interrupt] = outcome["interrupts"]
    assert outcome["type"] == "interrupt"
    assert interrupt["id"] == interrupt["toolCallId"] == start["toolCallId"]
    assert interrupt["reason"] == "tool_call"
    schema = interrupt["responseSchema"]
    assert schema["properties"]["editedArgs"]["properties"].keys() == {"expression"}
    assert of_type(events, "STEP_STARTED") == of_type(events, "TOOL_CALL_RESULT") == []
    return applied([QUESTION], events)


def resume(
    payload: Any = ALLOW, *, status: str = "resolved", call: str = "call_calculator_0"
) -> Json:
    fields = {} if payload is None else {"payload": payload}
    return {"resume": [{"interruptId": call, "status": status} | fields]}


def resume_edited(arguments: Any) -> Json:
    return resume(ALLOW | {"editedArgs": arguments})


def stored(client: httpx.Client, thread: str = "thread-1") -> list[Json]:
    return list(client.get(f"/conversations/{thread}").json()["messages"])


def sent_results(model_server: FakeModelServer) -> list[str]:
    messages = model_server.chat_requests[-1].body["messages"]
    return [message["content"] for message in messages if message["role"] == "tool"]


@pytest.mark.parametrize(
    ("answer", "state", "result"),
    [
        (resume(), "finished", RESULT),
        (resume_edited({"expression": "1 + 1"}), "finished", "1 + 1 = 2"),
        (resume_edited({"formula": "1"}), "failed", "do not match"),
        (resume({"approved": False}), "denied", DENIED),
        (resume(None, status="cancelled"), "denied", DENIED),
        ({"resume": []}, "denied", DENIED),
    ],
)
def test_run_resumes_as_the_interrupt_was_answered(
    answer: Json,
    state: str,
    result: str,
    client: httpx.Client,
    model_server: FakeModelServer,
    interrupted: list[Json],
) -> None:
    model_server.replies.append(ANSWER)
    events = run(client, run_input(*interrupted, **with_tools(), **answer))
    [told] = of_type(events, "TOOL_CALL_RESULT")
    assert result in told["content"]
    assert (told["toolCallId"], told["metadata"]["smolchat"]["state"]) == (CALL_ID, state)
    assert of_type(events, "TOOL_CALL_START") == []
    assert text_of(events) == "It is 84."
    assert events[-1]["outcome"] == {"type": "success"}
    assert result in sent_results(model_server)[0]
    messages = stored(client)
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "assistant"]
    assert (messages[2]["id"], messages[2]["step"]["state"]) == (told["messageId"], state)
    assert [m["id"] for m in applied(interrupted, events)] == [m["id"] for m in messages]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (resume({"approve": True}), "payload"),
        (resume_edited("1 + 1"), "payload"),
        (resume(None), "payload"),
        (resume(call="another"), "another"),
    ],
)
def test_answer_that_fits_no_interrupt_is_an_error_of_the_run(
    answer: Json,
    message: str,
    client: httpx.Client,
    model_server: FakeModelServer,
    interrupted: list[Json],
) -> None:
    events = run(client, run_input(*interrupted, **with_tools(), **answer))
    assert types_of(events) == ["RUN_STARTED", "RUN_ERROR"]
    assert events[-1]["code"] == "invalid_resume"
    assert message in events[-1]["message"]
    assert len(model_server.chat_requests) == 1
    assert stored(client)[-1]["step"]["state"] == "awaiting_approval"


def test_answer_without_the_tools_of_the_call_is_an_error_of_the_run(
    client: httpx.Client, interrupted: list[Json]
) -> None:
    events = run(client, run_input(*interrupted, **resume()))
    assert "same tools" in events[-1]["message"]


def test_replayed_answer_does_not_run_the_call_again(
    client: httpx.Client, model_server: FakeModelServer, interrupted: list[Json]
) -> None:
    model_server.replies += [ANSWER, ANSWER]
    first = run(client, run_input(*interrupted, **with_tools(), **resume()))
    second = run(client, run_input(*interrupted, **with_tools(), **resume()))
    results = [of_type(events, "TOOL_CALL_RESULT")[0] for events in (first, second)]
    assert results[0]["messageId"] == results[1]["messageId"]
    assert results[0]["content"] == results[1]["content"] == RESULT
    assert of_type(second, "STEP_STARTED") == []
    assert sent_results(model_server) == [RESULT]
    third = run(client, run_input(*applied(interrupted, second)[:-1], **with_tools(), **resume()))
    assert of_type(third, "TOOL_CALL_RESULT") == []


def test_call_that_is_running_is_not_run_beside_itself(model_server: FakeModelServer) -> None:
    runs, release = list[Json](), threading.Event()

    async def delete(arguments: Json) -> ToolResult:
        runs.append(arguments)
        await asyncio.to_thread(release.wait, 20)
        return ToolResult("It is deleted.")

    with (
        running_api(settings_for(model_server), tools=[make_tool("delete", delete)]) as url,
        httpx.Client(base_url=url, timeout=30) as client,
        ThreadPoolExecutor() as threads,
    ):
        model_server.replies += [call_reply(("delete", {})), ANSWER]
        messages = applied([QUESTION], run(client, run_input(**with_tools("delete"))))
        body = run_input(*messages, **with_tools("delete"), **resume(call="call_delete_0"))
        first = threads.submit(run, client, body)
        wait_until(lambda: bool(runs))
        again = client.post("/ag-ui", json=body)
        release.set()
        assert again.status_code == 400
        assert "running already" in again.json()["error"]["message"]
        assert text_of(first.result()) == "It is 84."
    assert len(runs) == 1


def test_next_question_denies_the_call_and_tells_the_client(
    client: httpx.Client, model_server: FakeModelServer, interrupted: list[Json]
) -> None:
    model_server.replies.append(stream_reply(["Fine."]))
    never_mind = {"id": "question-2", "role": "user", "content": "Never mind."}
    events = run(client, run_input(*interrupted, never_mind, **with_tools()))
    [denied] = of_type(events, "TOOL_CALL_RESULT")
    assert denied["content"] == DENIED
    assert sent_results(model_server) == [DENIED]
    messages = stored(client)
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "user", "assistant"]
    assert messages[2]["step"]["state"] == "denied"
    kept = applied([*interrupted, never_mind], events)
    assert [m["id"] for m in kept] == [m["id"] for m in messages]


def test_calls_of_both_sides_are_decided_by_both(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies.append(call_reply(SUM, ("get_weather", {"city": "Paris"})))
    body = run_input(tools=[TOOL], **with_tools())
    events = run(client, body)
    assert [each["id"] for each in events[-1]["outcome"]["interrupts"]] == [CALL_ID]
    weather = {"id": "result-1", "role": "tool", "toolCallId": "call_get_weather_1"}
    messages = [*applied([QUESTION], events), weather | {"content": "18 degrees"}]
    model_server.replies.append(ANSWER)
    events = run(client, run_input(*messages, tools=[TOOL], **with_tools(), **resume()))
    assert text_of(events) == "It is 84."
    assert sorted(sent_results(model_server)) == [RESULT, "18 degrees"]
    assert [m["role"] for m in stored(client)] == ["user", "assistant", "tool", "tool", "assistant"]
