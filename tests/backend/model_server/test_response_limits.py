"""What a model server may answer: bytes, JSON values, compression, floods, huge numbers."""

import gzip
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from tests.support.api_server import api_client_with, running_api, settings_for
from tests.support.fake_model_server import (
    DONE,
    EVENTS,
    JSON,
    FakeModelServer,
    Reply,
    chunk,
    replay,
    stream_reply,
)
from tests.support.requests import HELLO, STREAMED

pytestmark = pytest.mark.anyio

BYTES, VALUES = "SMOLCHAT_MAX_RESPONSE_BYTES", "SMOLCHAT_MAX_RESPONSE_VALUES"
LONG_TEXT, MANY_VALUES = '"' + "a" * 100_000 + '"', "[" + ",".join(["[]"] * 1000) + "]"
EVENT_BYTES = "SMOLCHAT_MAX_EVENT_BYTES"
LIMITS = {
    "max_response_bytes": 10_000,
    "max_event_bytes": 10_000,
    "max_response_values": 1000,
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}


@pytest.fixture
async def narrow_api(model_server: FakeModelServer) -> AsyncIterator[httpx.AsyncClient]:
    async with api_client_with(model_server, **LIMITS) as client:
        yield client


def whole(value: str) -> Reply:
    message = '"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"'
    choices = f'[{{"index": 0, {message}}}]'
    text = f'{{"object": "chat.completion", "model": "m", "choices": {choices}, "x": {value}}}'
    return Reply(chunks=[text.encode()])


def with_value(value: str, *, is_odd: bool = False) -> list[bytes]:
    """Return the chunks of a stream whose second event has a value besides its text."""
    event = chunk({"content": "Hi"}, x="VALUE").replace(b'"VALUE"', value.encode())
    first = b"data: {}\n\n" if is_odd else b""  # an event that is not a chunk: the rest is parsed
    return [first + chunk({"content": "Hello"}), event, chunk({}, "stop"), DONE]


def lines_of_data() -> list[bytes]:
    return [chunk({"content": "Hello"}), b"event: x\n", *[b"data:\n" * 1000] * 12]


@pytest.mark.parametrize(
    ("value", "setting"), [(LONG_TEXT, BYTES), (MANY_VALUES, VALUES)], ids=["bytes", "values"]
)
@pytest.mark.parametrize("status", [200, 500])
async def test_response_over_a_limit_is_the_model_servers_fault(
    narrow_api: httpx.AsyncClient,
    model_server: FakeModelServer,
    status: int,
    value: str,
    setting: str,
) -> None:
    model_server.replies.append(Reply(status=status, chunks=whole(value).chunks))
    response = await narrow_api.post("/chat", json=HELLO)
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "model_server_failed"
    assert setting in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("chunks", "setting"),
    [
        (with_value(LONG_TEXT), EVENT_BYTES),
        (with_value(LONG_TEXT, is_odd=True), EVENT_BYTES),
        ([chunk({"content": "Hi"}), LONG_TEXT.encode()], EVENT_BYTES),
        (lines_of_data(), EVENT_BYTES),
        (with_value(MANY_VALUES), VALUES),
        (with_value(MANY_VALUES, is_odd=True), VALUES),
        ([chunk({"content": "Hi"}), *[b"data: [[],[]" + b",[]" * 300 + b"\n"] * 4, b"\n"], VALUES),
    ],
)
async def test_event_over_a_limit_ends_the_stream_with_an_error(
    narrow_api: httpx.AsyncClient,
    model_server: FakeModelServer,
    chunks: Sequence[bytes],
    setting: str,
) -> None:
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks, interval_seconds=0.02))
    response = await narrow_api.post("/chat", json=STREAMED)
    *_, last = [line for line in response.text.split("\n\n") if line]
    assert setting in json.loads(last.removeprefix("data: "))["error"]["message"]


@pytest.mark.parametrize("delta", [{"content": "ab" * 100}, {"tool_calls": [{"index": 0}]}])
async def test_stored_answer_over_the_limit_keeps_what_was_written(
    narrow_api: httpx.AsyncClient, model_server: FakeModelServer, delta: dict[str, Any]
) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "ab" * 100}}
    delta = {"tool_calls": [call]} if "tool_calls" in delta else delta
    model_server.replies.append(
        Reply(headers=EVENTS, chunks=[chunk(delta)] * 100, interval_seconds=0.002)
    )
    conversation = (await narrow_api.post("/conversations", json={})).json()["id"]
    request = STREAMED | {"smolchat": {"conversation": conversation}}
    assert BYTES in (await narrow_api.post("/chat", json=request)).text
    stored = (await narrow_api.get(f"/conversations/{conversation}")).json()["messages"][1]
    assert stored["state"] == "failed"
    assert BYTES in stored["error"]["message"]
    assert "ab" * 1000 in json.dumps([stored["content"], stored["tool_calls"]])


async def test_structured_answer_over_the_limit_is_refused(
    narrow_api: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    probe = replay("chat")
    model_server.replies += [probe, stream_reply(["a" * 200] * 100)]
    response = await narrow_api.post("/structured", json=HELLO | {"response_format": SCHEMA})
    assert response.status_code == 502
    assert BYTES in response.text


@pytest.mark.parametrize("value", [LONG_TEXT, MANY_VALUES], ids=["bytes", "values"])
async def test_model_list_over_a_limit_is_not_read(
    narrow_api: httpx.AsyncClient, model_server: FakeModelServer, value: str
) -> None:
    model_server.models = Reply(chunks=[b'{"data": [], "x": ' + value.encode() + b"}"])
    response = await narrow_api.get("/healthz")
    assert response.json()["model_server"]["state"] != "ready"
    assert (await narrow_api.get("/models")).status_code == 502


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP, gzip", "x"])
@pytest.mark.parametrize("is_stream", [False, True])
async def test_compressed_response_is_refused(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, encoding: str, is_stream: bool
) -> None:
    body = b"".join(stream_reply(["Hi"]).chunks if is_stream else replay("chat").chunks)
    headers = [*(EVENTS if is_stream else JSON), ("Content-Encoding", encoding)]
    model_server.replies.append(Reply(headers=headers, chunks=[gzip.compress(body)]))
    response = await api_client.post("/chat", json=HELLO | {"stream": is_stream})
    assert response.status_code == 502
    assert encoding.lower() in response.json()["error"]["message"].lower()
    assert model_server.requests[-1].headers["accept-encoding"] == "identity"


async def test_compressed_model_list_is_refused_and_was_not_asked_for(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(
        headers=[*JSON, ("Content-Encoding", "gzip")], chunks=[gzip.compress(b'{"data": []}')]
    )
    assert (await api_client.get("/models")).status_code == 502
    assert {request.headers["accept-encoding"] for request in model_server.requests} == {"identity"}


async def test_response_that_names_no_compression_is_read(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    reply = replay("chat")
    headers = [*reply.headers, ("Content-Encoding", "Identity")]
    model_server.replies.append(replay("chat", headers=headers))
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200


@pytest.mark.parametrize("number", ["1e999", "-1e999", "-1" + "0" * 400, "9" * 5000, "NaN"])
@pytest.mark.parametrize("is_stream", [False, True])
async def test_huge_numbers_become_null(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, number: str, is_stream: bool
) -> None:
    value = f'{{"logprob": {number}, "token": ": 1e999", "id": "3e123"}}'
    reply = Reply(headers=EVENTS, chunks=with_value(value)) if is_stream else whole(value)
    model_server.replies.append(reply)
    response = await api_client.post("/chat", json=HELLO | {"stream": is_stream})
    lines = response.text.replace("data: ", "").replace("[DONE]", "{}").split("\n\n")
    events = [json.loads(line, parse_constant=pytest.fail) for line in lines if line]
    [found] = [event["x"] for event in events if "x" in event]
    assert found == {"logprob": None, "token": ": 1e999", "id": "3e123"}


async def test_huge_log_probability_is_stored_and_exported_as_null(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    logprobs = '[{"token": "Hi", "logprob": -1' + "0" * 400 + ', "top_logprobs": []}]'
    first = chunk({"content": "Hi"}).replace(
        b'"index": 0' if b'"index": 0' in chunk({}) else b'"index":0',
        b'"index":0,"logprobs":{"content":' + logprobs.encode() + b"}",
    )
    model_server.replies.append(Reply(headers=EVENTS, chunks=[first, chunk({}, "stop"), DONE]))
    conversation = (await api_client.post("/conversations", json={})).json()["id"]
    request = STREAMED | {"smolchat": {"conversation": conversation}}
    await api_client.post("/chat", json=request)
    for path in (f"/conversations/{conversation}", "/conversations/export"):
        text = (await api_client.get(path)).text
        assert '"logprob":null' in text
        assert "0" * 100 not in text


@pytest.mark.parametrize("name", ["text", "empty"])
def test_flood_of_the_model_server_lets_others_go_on(
    model_server: FakeModelServer, name: str
) -> None:
    block = chunk({"content": "a" * 100}) * 1000 if name == "text" else b"data:{}\n\n" * 20_000
    chunks = [chunk({"content": "Hi"}), *[block] * 40]
    model_server.replies += [Reply(headers=EVENTS, chunks=chunks, end="hang")] * 2
    with (
        running_api(settings_for(model_server)) as url,
        httpx.stream("POST", f"{url}/chat", json=STREAMED, timeout=30),
        httpx.stream("POST", f"{url}/chat", json=STREAMED, timeout=30),
    ):
        longest = 0.0
        for _ in range(5):
            started_at = time.monotonic()
            httpx.get(f"{url}/healthz", timeout=30).raise_for_status()
            longest = max(longest, time.monotonic() - started_at)
    assert longest < 5  # it is a matter of hundredths of a second
