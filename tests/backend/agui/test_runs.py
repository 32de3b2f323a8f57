"""Runs of AG-UI: text, reasoning, the tools of both sides, failures, clients that leave."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.support.agui import (
    QUESTION,
    TOOL,
    of_type,
    run,
    run_input,
    text_of,
    types_of,
    with_tools,
)
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk, stream_reply
from tests.support.following import follow, stored_answers
from tests.support.images import data_url, encoded, picture, url_bytes
from tests.support.sse import parse_events
from tests.support.tool_replies import ANSWER, RESULT, SUM, WEATHER, call_reply
from tests.support.waiting import wait_until

Json = dict[str, Any]


@pytest.fixture
def client(api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api_url, timeout=30) as client:
        yield client


def test_text_is_a_message(client: httpx.Client, model_server: FakeModelServer) -> None:
    model_server.replies.append(ANSWER)
    events = run(client, run_input())
    assert types_of(events) == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "CUSTOM",
        "RUN_FINISHED",
    ]
    assert text_of(events) == "It is 84."
    assert events[1]["role"] == "assistant"
    [sent] = model_server.chat_requests
    assert sent.body["messages"] == [{"role": "user", "content": "What is 12 * 7?"}]
    assert "tools" not in sent.body


def test_run_ends_with_a_receipt_and_the_usage(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies.append(ANSWER)
    *_, receipt, finished = run(client, run_input())
    assert (receipt["name"], receipt["value"]["completion_tokens"]) == ("smolchat.receipt", 2)
    usage = {"inputTokens": 31, "outputTokens": 2, "totalTokens": 33}
    assert finished["usage"] == [{"model": "ai/smollm2:latest"} | usage]
    assert finished["outcome"] == {"type": "success"}


def test_empty_answer_is_a_message(client: httpx.Client, model_server: FakeModelServer) -> None:
    model_server.replies.append(stream_reply([]))
    events = run(client, run_input())
    assert types_of(events)[1:3] == ["TEXT_MESSAGE_START", "TEXT_MESSAGE_END"]


@pytest.mark.parametrize(
    "deltas",
    [
        [{"reasoning_content": "Twelve "}, {"reasoning_content": "sevens."}, {"content": "84"}],
        [{"content": "<think>Twelve "}, {"content": "sevens.</think>84"}],
    ],
)
def test_reasoning_is_a_message_before_the_text(
    deltas: list[Json], client: httpx.Client, model_server: FakeModelServer
) -> None:
    chunks = [*map(chunk, deltas), chunk({}, "stop"), b"data: [DONE]\n\n"]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks))
    events = run(client, run_input())
    assert text_of(events, "REASONING_MESSAGE") == "Twelve sevens."
    assert text_of(events) == "84"
    assert types_of(events)[1:6] == [
        "REASONING_START",
        "REASONING_MESSAGE_START",
        "REASONING_MESSAGE_CONTENT",
        "REASONING_MESSAGE_END",
        "REASONING_END",
    ]
    ids = {event["messageId"] for event in events if "messageId" in event}
    assert len(ids) == 2


def test_parameters_and_context_reach_the_model(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    props = {"model": "other/model", "temperature": 0.5, "max_tokens": 7, "application": "mine"}
    context = [{"description": "The time zone", "value": "UTC"}]
    system = {"id": "s", "role": "system", "content": "Be brief."}
    run(client, run_input(system, QUESTION, forwardedProps=props, context=context))
    [sent] = model_server.chat_requests
    assert {name: sent.body.get(name) for name in props} == props | {"application": None}
    assert sent.body["messages"][0]["content"] == "Be brief.\n\nThe time zone\nUTC"
    run(client, run_input(QUESTION, context=context))
    system_message = model_server.chat_requests[-1].body["messages"][0]
    assert system_message == {"role": "system", "content": "The time zone\nUTC"}


def test_parts_of_a_message_reach_the_model(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    def source(kind: str, value: str, mime_type: str) -> Json:
        return {"source": {"type": kind, "value": value, "mimeType": mime_type}}

    photo = data_url(encoded(picture(), "JPEG"), "image/jpeg")
    parts = [
        {"type": "text", "text": "Look:"},
        {"type": "image"} | source("data", photo.partition(",")[2], "image/jpeg"),
        {"type": "audio"} | source("data", "BBBB", "audio/mp3"),
        {"type": "document"} | source("file", "file-1", "application/pdf"),
    ]
    run(client, run_input({"id": "q", "role": "user", "content": parts}))
    [sent] = model_server.chat_requests
    assert sent.body["messages"][0]["content"] == [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": photo}},
        {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "mp3"}},
        {"type": "text", "text": "[document]"},
    ]
    stored = client.get("/conversations/thread-1").json()["messages"][0]["parts"][1]
    image = client.get(stored["image_url"]["url"])
    assert image.content == url_bytes(photo)


def test_progress_is_told_on_request(client: httpx.Client, model_server: FakeModelServer) -> None:
    model_server.replies += [ANSWER, ANSWER]
    options = {"smolchat": {"progress": True, "receipt": False}}
    told = of_type(run(client, run_input(forwardedProps=options)), "CUSTOM")
    assert {event["name"] for event in told} == {"smolchat.progress"}
    assert told[-1]["value"] == {"phase": "writing"}


def test_text_that_turns_out_to_be_reasoning_is_told(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply(["Twelve sevens.", "</think>", "84"]))
    told = of_type(run(client, run_input()), "CUSTOM")[0]
    assert told["name"] == "smolchat.reasoning_so_far"
    assert told["value"]["text"] == "Twelve sevens."
    answer = client.get("/conversations/thread-1").json()["messages"][-1]
    assert (answer["reasoning"], answer["content"]) == ("Twelve sevens.", "84")


# Tools.


def test_tool_of_the_api_is_a_step(client: httpx.Client, model_server: FakeModelServer) -> None:
    model_server.replies += [call_reply(SUM), ANSWER]
    events = run(client, run_input(**with_tools()))
    assert types_of(events)[:8] == [
        "RUN_STARTED",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "STEP_STARTED",
        "TOOL_CALL_RESULT",
        "STEP_FINISHED",
        "TEXT_MESSAGE_START",
    ]
    [result] = of_type(events, "TOOL_CALL_RESULT")
    assert result["content"] == RESULT
    details = result["metadata"]["smolchat"]
    assert (details["state"], details["strategy"]) == ("finished", "native")
    assert text_of(events) == "It is 84."
    assert of_type(events, "STEP_STARTED")[0]["stepName"] == "calculator"


def test_steps_that_run_at_once_have_names_of_their_own(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(SUM, ("calculator", {"expression": "1 + 1"})), ANSWER]
    events = run(client, run_input(**with_tools()))
    names = [event["stepName"] for event in of_type(events, "STEP_STARTED")]
    assert names == ["calculator", "calculator 2"]
    assert len(of_type(events, "TOOL_CALL_RESULT")) == 2


def test_failed_step_has_its_error_as_the_result(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(("calculator", {"expression": "1 / 0"})), ANSWER]
    [result] = of_type(run(client, run_input(**with_tools())), "TOOL_CALL_RESULT")
    assert "zero" in result["content"]
    assert result["metadata"]["smolchat"]["state"] == "failed"


def test_tools_of_the_api_are_offered_only_if_they_are_named(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    run(client, run_input(tools=[TOOL]))
    assert model_server.chat_requests[-1].body["tools"] == [WEATHER]


def test_call_of_the_client_ends_the_run(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies.append(call_reply(("get_weather", {"city": "Paris"}), text="Look. "))
    events = run(client, run_input(tools=[TOOL]))
    [start] = of_type(events, "TOOL_CALL_START")
    [text] = of_type(events, "TEXT_MESSAGE_START")
    assert (start["toolCallName"], start["parentMessageId"]) == ("get_weather", text["messageId"])
    assert events[-1]["outcome"] == {
        "type": "success",
        "pendingToolCallIds": [start["toolCallId"]],
    }
    assert of_type(events, "STEP_STARTED") == []


# Failures.

OUT_OF_MEMORY = Reply(500, chunks=[b'{"error": {"message": "out of memory", "code": 500}}'])


@pytest.mark.parametrize("replies", [[OUT_OF_MEMORY], [call_reply(SUM), OUT_OF_MEMORY]])
def test_failure_of_the_model_server_ends_the_run(
    replies: list[Reply], client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += replies
    events = run(client, run_input(**with_tools()))
    assert (events[-1]["type"], events[-1]["code"]) == ("RUN_ERROR", "model_server_failed")


def test_lost_stream_ends_the_run_with_an_error(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    reply = Reply(headers=EVENTS, chunks=[chunk({"content": "It is"})], end="cut")
    model_server.replies.append(reply)
    events = run(client, run_input())
    assert text_of(events) == "It is"
    assert events[-1]["type"] == "RUN_ERROR"


def test_full_queue_ends_the_run(narrow_api_url: str, model_server: FakeModelServer) -> None:
    release = threading.Event()
    model_server.replies += [stream_reply(["."], release=release) for _ in range(3)]

    def ask(number: int) -> None:
        httpx.post(f"{narrow_api_url}/ag-ui", json=run_input(thread=f"t{number}"), timeout=30)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        with httpx.Client(base_url=narrow_api_url, timeout=30) as client:
            wait_until(lambda: client.get("/status").json()["waiting"] == 2)
            events = run(client, run_input(thread="last"))
    finally:
        release.set()
        for thread in threads:
            thread.join()
    assert (events[-1]["type"], events[-1]["code"]) == ("RUN_ERROR", "too_many_requests")


@pytest.mark.parametrize("phase", ["before the first event", "in the text", "in a later answer"])
def test_client_that_leaves_cancels_the_generation(
    phase: str, api_url: str, model_server: FakeModelServer
) -> None:
    begun = chunk({"content": "It"})
    slow = Reply(headers=EVENTS, chunks=[] if phase.startswith("before") else [begun], end="hang")
    model_server.replies += [call_reply(SUM), slow] if phase == "in a later answer" else [slow]
    with httpx.stream("POST", f"{api_url}/ag-ui", json=run_input(**with_tools())) as response:
        waited_for = b"RUN_STARTED" if phase.startswith("before") else b"TEXT_MESSAGE_CONTENT"
        received = response.iter_bytes()
        while waited_for not in next(received):
            pass
        wait_until(lambda: len(model_server.chat_requests) == (2 if "later" in phase else 1))
    left_at = time.monotonic()
    assert model_server.chat_requests[-1].disconnected.wait(2)
    assert time.monotonic() - left_at < 0.2


def test_detached_run_goes_on_and_is_followed(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [
        call_reply(SUM),
        stream_reply(["It ", "is ", "84."], interval_seconds=0.2),
    ]
    body = run_input(**with_tools())
    body["forwardedProps"]["smolchat"]["detach"] = True
    with client.stream("POST", "/ag-ui", json=body) as response:
        next(response.iter_bytes())
    page = follow(client, body["threadId"])
    assert (page.text, page.state) == ("It is 84.", "finished")
    assert [answer["state"] for answer in stored_answers(client, body["threadId"])] == [
        "finished"
    ] * 2


def test_detached_run_that_is_refused_is_not_stored(model_server: FakeModelServer) -> None:
    body = run_input(thread="refused", forwardedProps={"smolchat": {"detach": True}})
    with (
        running_api(settings_for(model_server, max_detached=0)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        refused = client.post("/ag-ui", json=body)
        assert refused.status_code == 429
        assert client.get("/conversations/refused").status_code == 404
    assert model_server.chat_requests == []


@pytest.mark.anyio
async def test_shutdown_ends_the_run(
    app: FastAPI, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    slow = Reply(headers=EVENTS, chunks=[chunk({"content": "It"})], end="hang")
    model_server.replies.append(slow)
    run = asyncio.create_task(api_client.post("/ag-ui", json=run_input()))
    while not model_server.chat_requests:  # noqa: ASYNC110  # in another thread
        await asyncio.sleep(0.01)
    app.state.core.shutting_down.set()
    last = parse_events((await run).text)[-1]
    assert (last["type"], last["code"]) == ("RUN_ERROR", "shutting_down")
