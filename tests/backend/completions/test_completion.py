"""A chat completion from request to receipt, against the scripted model server."""

import gc
import json
import socket
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from backend.completions.completion import Completion
from backend.model_server.loading import MAX_LOADS
from backend.protocol import ExtensionOptions
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import (
    DONE,
    FakeModelServer,
    Reply,
    chunk,
    replay,
    stream_reply,
)
from tests.support.model_server_variants import LOADING
from tests.support.requests import HELLO, MODEL_ID, STREAMED
from tests.support.sse import parse_chunks, parse_events, progress_of, receipt_of, text_of
from tests.support.waiting import wait_until

# As reported for Qwen3.5 in docker/docker-agent#2327.
ONE_SYSTEM_MESSAGE = Reply(
    status=500,
    chunks=[b'{"error":{"code":500,"message":"Jinja Exception: System message must be first."}}'],
)
ONE_CHOICE = Reply(chunks=[chunk({"content": "Hi"}, "stop"), DONE])


def phases(text: str) -> list[str]:
    return [progress["phase"] for progress in progress_of(parse_events(text))]


def stream_receipt(text: str) -> dict[str, Any]:
    return receipt_of(parse_events(text))


def metrics(url: str) -> list[str]:
    return httpx.get(f"{url}/metrics", timeout=20).text.splitlines()


def wait_for_queue(url: str, *, running: int, waiting: int) -> None:
    expected = {f"smolchat_running {running:.1f}", f"smolchat_waiting {waiting:.1f}"}
    wait_until(lambda: expected <= {*metrics(url)})


def enqueue(
    pool: ThreadPoolExecutor, send: Callable[[], httpx.Response], url: str, *, waiting: int
) -> Future[httpx.Response]:
    """Send a request, and return when the queue has one running and `waiting` waiting requests."""
    response = pool.submit(send)
    wait_for_queue(url, running=1, waiting=waiting)
    return response


def disconnect_after(url: str, seconds: float, body: dict[str, Any]) -> None:
    """Send a request, and disconnect before there is a response."""
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/chat", json=body, timeout=httpx.Timeout(20, read=seconds))


def test_chat_without_options_has_no_extensions(
    api_url: str, model_server: FakeModelServer
) -> None:
    response = httpx.post(f"{api_url}/chat", json=STREAMED)
    assert b"smolchat" not in response.content
    assert set(model_server.chat_requests[0].body) == {"messages", "model", "max_tokens", "stream"}


def test_stream_has_the_receipt_in_its_last_chunk(
    api_url: str, model_server: FakeModelServer
) -> None:
    response = httpx.post(f"{api_url}/chat", json=STREAMED | {"smolchat": {"receipt": True}})
    receipt = stream_receipt(response.text)
    *_, last, done = parse_events(response.text)
    assert done == "[DONE]"
    assert last["choices"] == []
    assert last["smolchat"]["receipt"] == receipt
    upstream = model_server.chat_requests[0].body
    assert "smolchat" not in upstream
    assert receipt["seed"] == upstream["seed"]
    assert upstream["stream_options"] == {"include_usage": True}


def test_completion_has_the_receipt_beside_its_choices(api_url: str) -> None:
    body = HELLO | {"seed": 5, "smolchat": {"receipt": True}}
    completion = httpx.post(f"{api_url}/chat", json=body).json()
    receipt = completion["smolchat"]["receipt"]
    assert receipt["seed"] == 5
    assert receipt["completion_tokens"] == completion["usage"]["completion_tokens"]
    assert receipt["model"] == completion["model"] == MODEL_ID


@pytest.mark.parametrize("body", [HELLO, STREAMED])
def test_chat_waits_for_a_loading_model(
    body: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [LOADING, LOADING]
    options = {"smolchat": {"receipt": True, "progress": True}}
    response = httpx.post(f"{api_url}/chat", json=body | options, timeout=20)
    assert response.status_code == 200
    if body is STREAMED:
        assert phases(response.text) == ["loading", "writing"]
        receipt = stream_receipt(response.text)
    else:
        receipt = response.json()["smolchat"]["receipt"]
    assert 1500 < receipt["load_ms"] <= receipt["total_ms"]
    assert len(model_server.chat_requests) == 3


def test_chat_returns_503_when_the_model_does_not_finish_loading(
    model_server: FakeModelServer,
) -> None:
    model_server.replies += [LOADING] * 5
    with running_api(settings_for(model_server, read_timeout_seconds=1.5)) as url:
        response = httpx.post(f"{url}/chat", json=HELLO, timeout=20)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "model_loading")


def test_system_messages_are_merged_when_the_template_requires_it(
    api_url: str, model_server: FakeModelServer
) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
    ]
    model_server.replies.append(ONE_SYSTEM_MESSAGE)
    assert httpx.post(f"{api_url}/chat", json={"messages": messages}).status_code == 200
    first, second = model_server.chat_requests
    assert first.body["messages"] == messages
    assert second.body["messages"] == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        {"role": "user", "content": "Hello"},
    ]


def test_chat_returns_400_when_the_template_rejects_merged_messages(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [ONE_SYSTEM_MESSAGE]
    response = httpx.post(f"{api_url}/chat", json=HELLO)
    assert response.status_code == 400
    assert "template does not support" in response.json()["error"]["message"]
    assert len(model_server.chat_requests) == 1


@pytest.mark.parametrize("body", [HELLO, STREAMED])
def test_more_choices_than_slots_are_requested_in_batches(
    body: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("err-n-huge"))
    if body is STREAMED:
        # The fake server returns one choice however many are requested.
        model_server.replies += [ONE_CHOICE] * 3
    response = httpx.post(f"{api_url}/chat", json=body | {"n": 10, "seed": 1})
    chunks = parse_events(response.text)[:-1] if body is STREAMED else [response.json()]
    assert [choice["index"] for chunk in chunks for choice in chunk["choices"]] == [0, 4, 8]
    assert {chunk["model"] for chunk in chunks} == {MODEL_ID}
    batches = [(chat.body["n"], chat.body["seed"]) for chat in model_server.chat_requests]
    assert batches == [(10, 1), (4, 1), (4, 5), (2, 9)]


def test_queued_chats_report_their_position_and_excess_ones_get_429(
    narrow_api_url: str, model_server: FakeModelServer
) -> None:
    held = [threading.Event(), threading.Event()]
    model_server.replies += [stream_reply(["Hi"], release=event) for event in held]
    send = partial(
        httpx.post,
        f"{narrow_api_url}/chat",
        json=STREAMED | {"smolchat": {"progress": True, "receipt": True}},
        timeout=60,
    )
    with ThreadPoolExecutor() as pool:
        pending = [enqueue(pool, send, narrow_api_url, waiting=waiting) for waiting in range(3)]
        rejected = httpx.post(f"{narrow_api_url}/chat", json=HELLO, timeout=60)
        held[0].set()
        wait_for_queue(narrow_api_url, running=1, waiting=1)
        held[1].set()
    first, second, third = (response.result().text for response in pending)
    assert (rejected.status_code, rejected.json()["error"]["code"]) == (429, "too_many_requests")
    assert rejected.headers["retry-after"]
    assert phases(first) == ["loading", "writing"]
    positions = [progress.get("position") for progress in progress_of(parse_events(third))]
    assert positions == [2, 1, None]
    assert 0 <= stream_receipt(first)["queue_ms"] < stream_receipt(third)["queue_ms"]
    assert text_of(parse_events(second)) == "Hi"


def test_cancelled_chat_frees_its_queue_slot(
    narrow_api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.replies.append(replay("chat", release=held))
    send = partial(httpx.post, f"{narrow_api_url}/chat", json=HELLO, timeout=60)
    with ThreadPoolExecutor() as pool:
        first = enqueue(pool, send, narrow_api_url, waiting=0)
        for _ in range(4):  # more than may wait, one after the other
            disconnect_after(narrow_api_url, 0.3, STREAMED)
            wait_for_queue(narrow_api_url, running=1, waiting=0)
        last = enqueue(pool, send, narrow_api_url, waiting=1)
        held.set()
        assert last.result().status_code == 200
    assert first.result().status_code == 200
    assert len(model_server.chat_requests) == 2


def test_deterministic_chat_runs_alone_and_without_the_prompt_cache(
    api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.replies.append(stream_reply(["Hi"], release=held))
    send = partial(httpx.post, f"{api_url}/chat", timeout=60)
    deterministic = HELLO | {"smolchat": {"deterministic": True}}
    with ThreadPoolExecutor() as pool:
        enqueue(pool, partial(send, json=STREAMED), api_url, waiting=0)
        wait_until(lambda: bool(model_server.chat_requests))
        response = enqueue(pool, partial(send, json=deterministic), api_url, waiting=1)
        assert len(model_server.chat_requests) == 1
        held.set()
    assert response.result().status_code == 200
    assert model_server.chat_requests[1].body["cache_prompt"] is False


def test_docker_model_runner_loads_a_model_once_for_all_waiting_chats(
    api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.preload_reply = replay("preload-only-unloaded", release=held)
    with ThreadPoolExecutor() as pool:
        disconnect_after(api_url, 0.3, HELLO)
        streamed = STREAMED | {"smolchat": {"progress": True, "receipt": True}}
        pending = [
            pool.submit(httpx.post, f"{api_url}/chat", json=body, timeout=60)
            for body in (HELLO, streamed)
        ]
        wait_for_queue(api_url, running=2, waiting=0)
        held.set()
    [preload] = model_server.preload_requests
    assert not preload.disconnected.is_set()
    assert preload.body == HELLO | {"model": MODEL_ID, "max_tokens": 1}
    assert [response.result().status_code for response in pending] == [200, 200]
    assert phases(pending[1].result().text) == ["loading", "writing"]
    assert stream_receipt(pending[1].result().text)["load_ms"] > 0
    assert len(model_server.chat_requests) == 2  # none for the client that disconnected
    assert httpx.post(f"{api_url}/chat", json=HELLO).status_code == 200
    assert len(model_server.preload_requests) == 1


def test_model_is_loaded_again_after_a_failure(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [replay("chat"), replay("runner-killed-non-stream")]
    statuses = [httpx.post(f"{api_url}/chat", json=HELLO).status_code for _ in range(3)]
    assert statuses == [200, 502, 200]
    assert len(model_server.preload_requests) == 2


def test_server_that_replaced_docker_model_runner_gets_no_load_request(
    api_url: str, model_server: FakeModelServer
) -> None:
    httpx.post(f"{api_url}/chat", json=HELLO).raise_for_status()
    model_server.models = replay("err-unknown-route")
    model_server.replies.append(replay("err-unknown-route"))  # restarts the discovery
    for model in (MODEL_ID, "ai/other"):
        httpx.post(f"{api_url}/chat", json=HELLO | {"model": model}).raise_for_status()
    assert len(model_server.preload_requests) == 1


def test_different_server_at_the_same_url_gets_no_load_request(
    model_server: FakeModelServer,
) -> None:
    with running_api(settings_for(model_server, server_check_seconds=0.1)) as url:
        httpx.post(f"{url}/chat", json=HELLO).raise_for_status()
        model_server.models = Reply(chunks=[b'{"data": [{"id": "m", "owned_by": "vllm"}]}'])
        for _ in range(2):
            time.sleep(0.2)
            httpx.post(f"{url}/chat", json=HELLO).raise_for_status()
    assert len(model_server.preload_requests) == 1
    assert len(model_server.chat_requests) == 3


@pytest.mark.anyio
async def test_chat_returns_429_when_too_many_models_are_loading(
    api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.preload_reply = replay("preload-only-unloaded", release=held)
    async with (
        httpx.AsyncClient(base_url=api_url, timeout=60) as client,
        anyio.create_task_group() as tasks,
    ):
        for number in range(MAX_LOADS):
            tasks.start_soon(partial(client.post, "/chat", json=HELLO | {"model": f"m{number}"}))
        while len(model_server.preload_requests) < MAX_LOADS:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()  # a model that is loading goes on without its client
    rejected = httpx.post(f"{api_url}/chat", json=HELLO | {"model": "another"})
    assert (rejected.status_code, rejected.json()["error"]["code"]) == (429, "too_many_requests")
    assert len(model_server.preload_requests) == MAX_LOADS
    held.set()
    wait_until(lambda: httpx.post(f"{api_url}/chat", json=HELLO).status_code == 200)


def test_model_is_loaded_when_the_api_starts(model_server: FakeModelServer) -> None:
    with running_api(settings_for(model_server, preload=True)):
        wait_until(lambda: bool(model_server.preload_requests))
    assert len(model_server.preload_requests) == 1


def test_stream_with_only_comments_after_its_first_chunk_times_out(
    model_server: FakeModelServer,
) -> None:
    comments = [b": ping\n\n"] * 40
    model_server.replies.append(
        Reply(chunks=[chunk({"content": "Hi"}), *comments], interval_seconds=0.05, end="hang")
    )
    with running_api(settings_for(model_server, stall_seconds=0.4)) as url:
        response = httpx.post(f"{url}/chat", json=STREAMED)
    assert parse_events(response.text)[-1]["error"]["code"] == "model_server_timeout"
    assert model_server.chat_requests[0].disconnected.wait(5)


def test_chat_returns_504_when_only_comments_arrive_before_the_first_event(
    model_server: FakeModelServer,
) -> None:
    model_server.replies.append(
        Reply(chunks=[b": ping\n\n"] * 60, interval_seconds=0.05, end="hang")
    )
    with running_api(settings_for(model_server, read_timeout_seconds=0.5)) as url:
        response = httpx.post(f"{url}/chat", json=STREAMED)
    assert (response.status_code, response.json()["error"]["code"]) == (504, "model_server_timeout")


def test_context_size_is_known_after_a_context_length_error(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("err-overflow-configured-1024"))
    assert httpx.post(f"{api_url}/chat", json=HELLO).status_code == 400
    response = httpx.post(f"{api_url}/chat", json=HELLO | {"smolchat": {"receipt": True}})
    assert response.json()["smolchat"]["receipt"]["context_size"] == 1024


def test_long_pause_in_a_stream_is_filled_with_comments(model_server: FakeModelServer) -> None:
    model_server.replies.append(stream_reply(["a", "b"], interval_seconds=0.4))
    settings = settings_for(model_server, first_event_seconds=0.1, keep_alive_seconds=0.1)
    with running_api(settings) as url:
        response = httpx.post(f"{url}/chat", json=STREAMED)
    assert response.text.count("\n: still waiting") >= 2
    assert text_of(parse_events(response.text)) == "ab"


def test_client_that_pauses_reading_receives_no_comments(model_server: FakeModelServer) -> None:
    chunks = [chunk({"content": "x" * 60_000})] * 400
    model_server.replies.append(Reply(chunks=[*chunks, chunk({}, "stop"), DONE]))
    settings = settings_for(model_server, first_event_seconds=0.4, keep_alive_seconds=0.4)
    with (
        running_api(settings) as url,
        httpx.stream("POST", f"{url}/chat", json=STREAMED) as response,
    ):
        stream = response.iter_bytes()
        received = next(stream)
        time.sleep(2)
        received += b"".join(stream)
    assert received.count(b"x" * 60_000) == 400
    assert b": still waiting" not in received


def send_without_reading(url: str, body: dict[str, Any]) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", int(url.rpartition(":")[2])))
    content = json.dumps(body).encode()
    head = "POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(content) + content)
    return connection


def test_client_that_never_reads_is_disconnected(model_server: FakeModelServer) -> None:
    """An exclusive request of such a client would block all others forever."""
    model_server.replies.append(Reply(chunks=[chunk({"content": "x" * 60_000})] * 400))
    settings = settings_for(
        model_server, first_event_seconds=0.2, keep_alive_seconds=0.2, stall_seconds=0.6
    )
    exclusive = STREAMED | {"smolchat": {"deterministic": True}}
    with running_api(settings) as url, send_without_reading(url, exclusive):
        wait_for_queue(url, running=1, waiting=0)
        assert httpx.post(f"{url}/chat", json=HELLO, timeout=20).status_code == 200
        assert model_server.chat_requests[0].disconnected.wait(5)


def test_usage_followed_by_comments_is_counted(api_url: str, model_server: FakeModelServer) -> None:
    chunks = list(stream_reply(["a", "b"]).chunks)
    chunks[-1:-1] = [b": ping\n\n"] * 3
    model_server.replies.append(Reply(chunks=chunks, interval_seconds=0.02))
    httpx.post(f"{api_url}/chat", json=STREAMED).raise_for_status()
    expected = {"smolchat_prompt_tokens_total 31.0", "smolchat_completion_tokens_total 2.0"}
    assert expected <= {*metrics(api_url)}


@pytest.mark.parametrize("body", [HELLO, STREAMED])
def test_n_cmpl_is_accepted_as_the_number_of_choices(
    body: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("err-n-huge"))
    if body is STREAMED:
        model_server.replies += [ONE_CHOICE] * 2
    options = {"n_cmpl": 8, "smolchat": {"receipt": True}}
    response = httpx.post(f"{api_url}/chat", json=body | options)
    chunks = parse_events(response.text)[:-1] if body is STREAMED else [response.json()]
    assert [chat.body["n"] for chat in model_server.chat_requests] == [8, 4, 4]
    assert chunks[-1]["smolchat"]["receipt"]["completion_tokens"] is None


@pytest.mark.parametrize("body", [HELLO, STREAMED])
@pytest.mark.parametrize("number", [10**400, 10**4000])
def test_numbers_with_hundreds_of_digits_do_not_break_a_chat(
    number: int, body: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    usage = b'"usage":{"prompt_tokens":%d,"completion_tokens":%d}' % (number, number)
    timings = b'"timings":{"predicted_per_second":%d}' % number
    numbers = usage + b"," + timings
    completion = b'{"choices":[{"index":0,"message":{"content":"Hi"}}],%b}' % numbers
    chunks = [chunk({}, "stop"), b'data: {"choices":[],%b}\n\n' % numbers, DONE]
    model_server.replies.append(Reply(chunks=chunks if body is STREAMED else [completion]))
    response = httpx.post(f"{api_url}/chat", json=body | {"smolchat": {"receipt": True}})
    assert response.status_code == 200
    assert '"completion_tokens":null' in response.text
    assert "internal_error" not in response.text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.anyio
async def test_finished_completion_leaves_no_reference_cycle(
    app: FastAPI, model_server: FakeModelServer, *, stream: bool
) -> None:
    state = app.state.core
    completion = Completion(
        body=HELLO | {"model": MODEL_ID, "stream": stream},
        options=ExtensionOptions(receipt=True),
        model_server=state.model_server,
        queue=state.queue,
        metrics=state.metrics,
    )
    reference = weakref.ref(completion)
    gc.disable()
    try:
        assert [chunk async for chunk in completion.stream()]
        del completion
        assert reference() is None
    finally:
        gc.enable()
    assert len(model_server.chat_requests) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("case", ["chat-n-2", "stream-n-2"])
async def test_usage_of_several_choices_is_null_where_the_server_counts_only_one(
    case: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay(case))
    body = HELLO | {"n": 2, "stream": case.startswith("stream")}
    response = await api_client.post("/chat", json=body)
    answers = parse_chunks(response.text) if body["stream"] else [response.json()]
    assert not [answer for answer in answers if answer.get("usage") or "timings" in answer]
    assert {choice["index"] for each in answers for choice in each["choices"]} == {0, 1}


@pytest.mark.anyio
@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "f"}}])
@pytest.mark.parametrize("stream", [False, True])
async def test_ignored_tool_choice_is_reported_in_the_receipt(
    choice: object, api_client: httpx.AsyncClient, model_server: FakeModelServer, *, stream: bool
) -> None:
    reply = stream_reply(["No", "."]) if stream else replay("chat-no-max-tokens-short-answer")
    model_server.replies.append(reply)
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    body = HELLO | {"tools": [tool], "tool_choice": choice, "stream": stream}
    response = await api_client.post("/chat", json=body | {"smolchat": {"receipt": True}})
    answer = parse_chunks(response.text)[-1] if stream else response.json()
    [warning] = answer["smolchat"]["receipt"]["warnings"]
    assert "ignored tool_choice" in warning
