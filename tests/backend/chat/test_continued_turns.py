"""Stored turns that a client continues: which message follows which, and what runs twice."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from backend.tools.pending_calls import DENIED
from backend.tools.tool import ToolResult
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer, stream_reply
from tests.support.tool_replies import call_reply
from tests.support.tools import make_tool
from tests.support.waiting import wait_until

Json = dict[str, Any]

QUESTION = {"role": "user", "content": "Please delete it."}
ANSWER = stream_reply(["Done."])
MAX_MESSAGES = 6


class Stack:
    """The API with a tool that asks first, and whose runs are counted."""

    def __init__(
        self, client: httpx.Client, model_server: FakeModelServer, runs: list[Json]
    ) -> None:
        self.client, self.model_server, self.runs = client, model_server, runs
        self.conversation = str(client.post("/conversations", json={}).json()["id"])

    def post(self, *messages: Json, **options: Any) -> httpx.Response:
        self.model_server.replies.append(ANSWER)
        extensions = {"tools": ["delete"], "conversation": self.conversation} | options
        return self.client.post("/chat", json={"messages": messages, "smolchat": extensions})

    def ask(self) -> tuple[Json, str]:
        """Return a message whose call awaits approval, and the id of the call."""
        self.model_server.replies.append(call_reply(("delete", {})))
        response = self.post(QUESTION)
        self.model_server.replies.clear()
        message = response.json()["choices"][0]["message"]
        return message, message["tool_calls"][0]["id"]

    def stored(self) -> list[Json]:
        response = self.client.get(f"/conversations/{self.conversation}")
        return list(response.json()["messages"])


@pytest.fixture
def stack(model_server: FakeModelServer) -> Iterator[Stack]:
    runs: list[Json] = []

    async def delete(arguments: Json) -> ToolResult:
        runs.append(arguments)
        await asyncio.sleep(arguments.get("seconds", 0))
        return ToolResult("It is deleted.")

    settings = settings_for(model_server, max_conversation_messages=MAX_MESSAGES)
    with (
        running_api(settings, tools=[make_tool("delete", delete)]) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield Stack(client, model_server, runs)


def test_approval_that_is_sent_twice_runs_the_call_once(stack: Stack) -> None:
    message, call_id = stack.ask()
    assert stack.post(QUESTION, message, approvals={call_id: "allow"}).status_code == 200
    again = stack.post(QUESTION, message, approvals={call_id: "allow"})
    assert (again.status_code, again.json()["error"]["param"]) == (400, "messages")
    assert len(stack.runs) == 1
    assert [m["role"] for m in stack.stored()] == ["user", "assistant", "tool", "assistant"]


def test_call_that_is_running_is_not_run_beside_itself(stack: Stack) -> None:
    message, call_id = stack.ask()
    approvals = {call_id: {"arguments": {"seconds": 1}}}
    with ThreadPoolExecutor() as threads:
        first = threads.submit(stack.post, QUESTION, message, approvals=approvals)
        wait_until(lambda: bool(stack.runs))
        again = stack.post(QUESTION, message, approvals=approvals)
    assert (first.result().status_code, again.status_code) == (200, 400)
    assert "running already" in again.json()["error"]["message"]
    assert len(stack.runs) == 1


def test_approvals_that_are_sent_at_once_run_the_call_once(stack: Stack) -> None:
    message, call_id = stack.ask()
    approvals = {call_id: "allow"}
    with ThreadPoolExecutor(8) as threads:
        sent = [
            threads.submit(stack.post, QUESTION, message, approvals=approvals) for _ in range(8)
        ]
    statuses = {response.result().status_code for response in sent}
    assert 200 in statuses <= {200, 400}  # a request that finds the result answers from it
    assert len(stack.runs) == 1
    assert [m["role"] for m in stack.stored()].count("tool") == 1


def test_finished_step_that_is_continued_again_is_answered_and_not_run(stack: Stack) -> None:
    message, call_id = stack.ask()
    stack.post(QUESTION, message, approvals={call_id: "allow"})
    result = stack.stored()[2]
    options = {"approvals": {call_id: "allow"}, "parent": result["id"]}
    assert stack.post(QUESTION, message, **options).status_code == 200
    assert len(stack.runs) == 1
    sent = stack.model_server.chat_requests[-1].body["messages"]
    assert sent[-1]["content"] == "It is deleted."
    assert [m["parent"] for m in stack.stored()].count(result["id"]) == 2


@pytest.mark.parametrize(("text", "state"), [("I did it.", "finished"), (DENIED, "denied")])
def test_call_that_the_client_answers_itself_is_stored_with_its_result(
    stack: Stack, text: str, state: str
) -> None:
    message, call_id = stack.ask()
    stack.post(QUESTION, message, {"role": "tool", "tool_call_id": call_id, "content": text})
    _, _, stored, _ = stack.stored()
    assert (stored["content"], stored["step"]["state"]) == (text, state)
    assert stack.runs == []


def test_results_of_calls_that_are_not_stored_are_refused(stack: Stack) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "delete", "arguments": "{}"}}
    calls = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "c1", "content": "I did it."}
    for parent in ({}, {"parent": None}):
        response = stack.post(QUESTION, calls, result, **parent)
        assert (response.status_code, response.json()["error"]["param"]) == (400, "messages")
    assert stack.stored() == []


def test_turn_may_be_continued_after_its_calls_or_their_results(stack: Stack) -> None:
    message, call_id = stack.ask()
    _, calls, _ = stack.stored()
    options = {"approvals": {call_id: "allow"}, "parent": calls["id"]}
    assert stack.post(QUESTION, message, **options).status_code == 200
    assert [m["role"] for m in stack.stored()] == ["user", "assistant", "tool", "assistant"]


def test_full_conversation_takes_no_results(stack: Stack) -> None:
    for _ in range(2):
        message, call_id = stack.ask()
        options = {"approvals": {call_id: "allow"}}
        response = stack.post(QUESTION, message, **options)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "conversation_full")
    assert len(stack.runs) == 1
