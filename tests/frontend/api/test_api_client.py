"""The page's door to the API, against the real API and against what a broken one might send."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx
import pytest
import respx

from api.chat_chunk import Chunk
from api.client import ApiClient
from api.errors import ApiError
from api.sse import parse_sse
from api.structured_response import StructuredEvent
from benchmarks.processes import free_port
from settings import Settings
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, stream_of
from tests.support.fake_model_server import chunk as event

HELLO = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}


def client_of(url: str) -> ApiClient:
    return ApiClient(Settings(api_base_url=url))


def ask(url: str, body: dict[str, Any] = HELLO) -> list[Chunk]:
    async def collected() -> list[Chunk]:
        return [chunk async for chunk in client_of(url).stream_chat(body)]

    return asyncio.run(collected())


def parse(*pieces: bytes) -> list[str]:
    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def collected() -> list[str]:
        return [event async for event in parse_sse(stream())]

    return asyncio.run(collected())


@contextmanager
def answering(raw: bytes) -> Iterator[str]:
    """Answer one connection with these bytes, whatever it asks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(raw)

        thread = Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_health_and_models_come_from_the_api(api_url: str, model_server: FakeModelServer) -> None:
    client = client_of(api_url)
    health = client.health()
    assert (health.model, health.model_server.state) == ("ai/smollm2:latest", "ready")
    assert health.model_server.url == model_server.base_url
    assert client.models()[0].id == "ai/smollm2:latest"


def test_status_comes_from_the_api(api_url: str, model_server: FakeModelServer) -> None:
    status = client_of(api_url).status()
    assert status.model_server.url == model_server.base_url
    assert status.store.conversations is not None
    assert status.settings["SMOLCHAT_API_KEY"] == "not set"


@pytest.mark.parametrize("name", ["mine", "a/b", "..", "../chat", "100 % \U0001f999", "?#", "%2F"])
def test_presets_are_kept_under_any_name(api_url: str, name: str) -> None:
    client = client_of(api_url)
    kept = client.put_preset(name, {"temperature": 0.5, "other": [1]})
    assert (kept.name, kept.parameters) == (name, {"temperature": 0.5, "other": [1]})
    assert kept in client.presets()
    client.delete_preset(name)
    assert kept not in client.presets()
    with pytest.raises(ApiError) as gone:
        client.delete_preset(name)
    assert gone.value.code == "preset_not_found"


def test_a_preset_that_the_api_refuses_is_told(api_url: str) -> None:
    with pytest.raises(ApiError, match=r"parameters\.temperature") as refusal:
        client_of(api_url).put_preset("mine", {"temperature": 9})
    assert refusal.value.details["param"] == "parameters.temperature"


def test_an_answer_comes_in_chunks_and_whole(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies.append(stream_of(["Hi", " there"]))
    chunks = ask(api_url, HELLO | {"smolchat": {"receipt": True}})
    deltas = [chunk.choices[0].delta for chunk in chunks[1:3]]
    assert [delta.content for delta in deltas if delta] == ["Hi", " there"]
    assert chunks[-1].smolchat
    assert chunks[-1].smolchat.receipt
    assert chunks[-1].smolchat.receipt.completion_tokens == 2


def test_a_refusal_is_told_in_the_words_of_the_api(api_url: str) -> None:
    with pytest.raises(ApiError) as refusal:
        ask(api_url, HELLO | {"temperature": 9})
    assert refusal.value.code == "invalid_request"
    assert "temperature" in refusal.value.message


def test_an_error_in_the_middle_is_an_error(api_url: str, model_server: FakeModelServer) -> None:
    begun = Reply(headers=EVENTS, pieces=[event({"content": "Hi"})], end="cut")
    model_server.replies.append(begun)
    with pytest.raises(ApiError) as failure:
        ask(api_url)
    assert failure.value.code == "model_server_failed"


def test_nothing_at_the_address_is_told_with_the_command_that_starts_it() -> None:
    port = free_port()
    with pytest.raises(ApiError, match=f"Nothing answers at http://localhost:{port}") as failure:
        client_of(f"http://localhost:{port}").health()
    assert f"`uvicorn backend.main:app --port {port}`" in failure.value.next_step
    assert "`make run`" in failure.value.next_step


def test_a_container_that_is_not_there_is_told_with_composes_command() -> None:
    with respx.mock(using="httpx") as door:
        door.get("http://api:8000/healthz").mock(side_effect=httpx.ConnectError("refused"))
        with pytest.raises(ApiError) as failure:
            client_of("http://api:8000").health()
    assert "`docker compose up -d`" in failure.value.next_step


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'data: {"choices":[{"finish_reason":"stop"}]}\n\n', "answer_broken_off"),
        (
            b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n',
            "answer_broken_off",
        ),
        (b"data: nonsense\n\n", "answer_broken_off"),
        (b"data: 1\n\n", "answer_broken_off"),
        (b"<html>", "answer_broken_off"),
        (b'data: {"choices": 1}\n\n', "answer_broken_off"),
        (b"data: " + b"[" * 100_000 + b"\n\n", "answer_broken_off"),
        (b'data: {"error":{"message":"No.","code":"model_loading"}}\n\n', "model_loading"),
    ],
)
def test_an_answer_that_is_not_whole_is_a_failure(body: bytes, code: str) -> None:
    raw = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body
    with answering(raw) as url, pytest.raises(ApiError) as failure:
        ask(url)
    assert failure.value.code == code


STRUCTURED = {"messages": HELLO["messages"], "response_type": "event"}
RESULT = b'{"result": {"answers": [{"parsed": {"a": 1}, "text": "{}"}]}}'


def ask_structured(url: str) -> list[StructuredEvent]:
    async def collected() -> list[StructuredEvent]:
        return [event async for event in client_of(url).stream_structured(STRUCTURED)]

    return asyncio.run(collected())


def test_an_object_comes_in_parts_and_whole() -> None:
    parts = b'data: {"partial": null, "attempt": 2, "answer": 0}\n\ndata: %b\n\n' % RESULT
    raw = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + parts + b"data: [DONE]\n\n"
    with answering(raw) as url:
        first, last = ask_structured(url)
    assert (first.has_partial, first.partial, first.attempt) == (True, None, 2)
    assert last.result
    assert not last.has_partial
    assert last.result.answer.parsed == {"a": 1}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "answer_broken_off"),
        (b"data: [DONE]\n\n", "answer_broken_off"),
        (b'data: {"partial": {}}\n\ndata: [DONE]\n\n', "answer_broken_off"),
        (b"data: %b\n\n" % RESULT, "answer_broken_off"),
        (b'data: {"result": {"answers": []}}\n\ndata: [DONE]\n\n', "answer_broken_off"),
        (
            b'data: {"error":{"message":"No.","code":"validation_failed","text":"x"}}\n\n',
            "validation_failed",
        ),
    ],
)
def test_an_object_that_is_not_whole_is_a_failure(body: bytes, code: str) -> None:
    raw = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body
    with answering(raw) as url, pytest.raises(ApiError) as failure:
        ask_structured(url)
    assert failure.value.code == code
    assert failure.value.details.get("text") == ("x" if code == "validation_failed" else None)


def test_another_program_at_the_address_is_told_as_that() -> None:
    raw = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
    with answering(raw) as url, pytest.raises(ApiError, match="not SmolChat's API") as failure:
        ask(url)
    assert "API_BASE_URL" in failure.value.next_step


@pytest.mark.parametrize("body", [b"{}", b"[]", b"1", b'{"model": "m", "model_server": 1}'])
def test_foreign_json_at_the_address_is_told_as_that(body: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with answering(raw) as url, pytest.raises(ApiError, match="not SmolChat's API"):
        client_of(url).health()


def test_the_key_is_sent_where_there_is_one() -> None:
    received = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = ApiClient(Settings(api_base_url=url, api_key="hunter2"))  # type: ignore[arg-type]

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                received.append(connection.recv(65536))

        thread = Thread(target=answer)
        thread.start()
        with pytest.raises(ApiError):
            client.health()
        thread.join()
    assert b"Authorization: Bearer hunter2\r\n" in received[0]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_events_end_with_any_of_the_three_line_ends(end: bytes) -> None:
    raw = end.join(
        [b": comment", b"data: one", b"data:two", b"", b"event: x", b"data: 3", b"", b"x"]
    )
    for size in (1, 2, 7, 1000):
        pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
        assert parse(*pieces) == ["one\ntwo", "3"]


def test_a_line_separator_inside_a_text_does_not_end_a_line() -> None:
    assert parse('data: {"a":"\u2028 \u0085"}\n\n'.encode()) == ['{"a":"\u2028 \u0085"}']
