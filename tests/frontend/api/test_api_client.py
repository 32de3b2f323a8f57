"""The API client, against the real API and against broken responses."""

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
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, stream_reply
from tests.support.fake_model_server import chunk as event
from tests.support.requests import STREAMED


def client_for(url: str) -> ApiClient:
    return ApiClient(Settings(api_base_url=url))


def stream_chat(url: str, body: dict[str, Any] = STREAMED) -> list[Chunk]:
    async def collect() -> list[Chunk]:
        return [chunk async for chunk in client_for(url).stream_chat(body)]

    return asyncio.run(collect())


def parse(*chunks: bytes) -> list[str]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def collect() -> list[str]:
        return [event async for event in parse_sse(stream())]

    return asyncio.run(collect())


@contextmanager
def server_sending(response: bytes) -> Iterator[str]:
    """Send this response to one connection, whatever it requests."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(response)

        thread = Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_health_and_models_are_those_of_the_model_server(
    api_url: str, model_server: FakeModelServer
) -> None:
    client = client_for(api_url)
    health = client.health()
    assert (health.model, health.model_server.state) == ("ai/smollm2:latest", "ready")
    assert health.model_server.url == model_server.base_url
    assert client.models()[0].id == "ai/smollm2:latest"


def test_status_holds_model_server_store_and_masked_settings(
    api_url: str, model_server: FakeModelServer
) -> None:
    status = client_for(api_url).status()
    assert status.model_server.url == model_server.base_url
    assert status.store.conversations is not None
    assert status.settings["SMOLCHAT_API_KEY"] == "not set"


@pytest.mark.parametrize("name", ["mine", "a/b", "..", "../chat", "100 % \U0001f999", "?#", "%2F"])
def test_preset_is_stored_and_deleted_under_any_name(api_url: str, name: str) -> None:
    client = client_for(api_url)
    preset = client.put_preset(name, {"temperature": 0.5, "other": [1]})
    assert (preset.name, preset.parameters) == (name, {"temperature": 0.5, "other": [1]})
    assert preset in client.presets()
    client.delete_preset(name)
    assert preset not in client.presets()
    with pytest.raises(ApiError) as caught:
        client.delete_preset(name)
    assert caught.value.code == "preset_not_found"


def test_invalid_preset_raises_an_error_with_the_parameter(api_url: str) -> None:
    with pytest.raises(ApiError, match=r"parameters\.temperature") as caught:
        client_for(api_url).put_preset("mine", {"temperature": 9})
    assert caught.value.details["param"] == "parameters.temperature"


def test_chat_streams_deltas_and_the_receipt(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies.append(stream_reply(["Hi", " there"]))
    chunks = stream_chat(api_url, STREAMED | {"smolchat": {"receipt": True}})
    deltas = [chunk.choices[0].delta for chunk in chunks[1:3]]
    assert [delta.content for delta in deltas if delta] == ["Hi", " there"]
    assert chunks[-1].smolchat
    assert chunks[-1].smolchat.receipt
    assert chunks[-1].smolchat.receipt.completion_tokens == 2


def test_api_error_keeps_its_code_and_message(api_url: str) -> None:
    with pytest.raises(ApiError) as caught:
        stream_chat(api_url, STREAMED | {"temperature": 9})
    assert caught.value.code == "invalid_request"
    assert "temperature" in caught.value.message


def test_error_event_in_a_stream_raises(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies.append(Reply(headers=EVENTS, chunks=[event({"content": "Hi"})], end="cut"))
    with pytest.raises(ApiError) as caught:
        stream_chat(api_url)
    assert caught.value.code == "model_server_failed"


def test_unreachable_api_error_has_the_command_that_starts_it() -> None:
    port = free_port()
    message = f"Can't reach the API at http://localhost:{port}"
    with pytest.raises(ApiError, match=message) as caught:
        client_for(f"http://localhost:{port}").health()
    assert f"`uvicorn backend.main:app --port {port}`" in caught.value.next_step
    assert "`make run`" in caught.value.next_step


def test_unreachable_container_error_has_the_compose_command() -> None:
    with respx.mock(using="httpx") as mock:
        mock.get("http://api:8000/healthz").mock(side_effect=httpx.ConnectError("refused"))
        with pytest.raises(ApiError) as caught:
            client_for("http://api:8000").health()
    assert "`docker compose up -d`" in caught.value.next_step


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
def test_incomplete_chat_stream_raises(body: bytes, code: str) -> None:
    response = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body
    with server_sending(response) as url, pytest.raises(ApiError) as caught:
        stream_chat(url)
    assert caught.value.code == code


STRUCTURED = {"messages": STREAMED["messages"], "response_type": "event"}
RESULT = b'{"result": {"answers": [{"parsed": {"a": 1}, "text": "{}"}]}}'


def stream_structured(url: str) -> list[StructuredEvent]:
    async def collect() -> list[StructuredEvent]:
        return [event async for event in client_for(url).stream_structured(STRUCTURED)]

    return asyncio.run(collect())


def test_structured_streams_partial_values_and_the_result() -> None:
    events = b'data: {"partial": null, "attempt": 2, "answer": 0}\n\ndata: %b\n\n' % RESULT
    response = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + events + b"data: [DONE]\n\n"
    with server_sending(response) as url:
        first, last = stream_structured(url)
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
def test_incomplete_structured_stream_raises(body: bytes, code: str) -> None:
    response = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body
    with server_sending(response) as url, pytest.raises(ApiError) as caught:
        stream_structured(url)
    assert caught.value.code == code
    assert caught.value.details.get("text") == ("x" if code == "validation_failed" else None)


def test_error_of_another_server_names_the_setting() -> None:
    response = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
    with (
        server_sending(response) as url,
        pytest.raises(ApiError, match="not the SmolChat API") as caught,
    ):
        stream_chat(url)
    assert "API_BASE_URL" in caught.value.next_step


@pytest.mark.parametrize("body", [b"{}", b"[]", b"1", b'{"model": "m", "model_server": 1}'])
def test_json_of_another_server_raises(body: bytes) -> None:
    response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with server_sending(response) as url, pytest.raises(ApiError, match="not the SmolChat API"):
        client_for(url).health()


def test_api_key_is_sent_as_bearer_token() -> None:
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
def test_sse_accepts_all_three_line_endings(end: bytes) -> None:
    stream = end.join(
        [b": comment", b"data: one", b"data:two", b"", b"event: x", b"data: 3", b"", b"x"]
    )
    for size in (1, 2, 7, 1000):
        chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert parse(*chunks) == ["one\ntwo", "3"]


def test_sse_does_not_split_at_unicode_line_separators() -> None:
    assert parse('data: {"a":"\u2028 \u0085"}\n\n'.encode()) == ['{"a":"\u2028 \u0085"}']
