"""Responses that fail in the middle; those of real requests are tested with the routes."""

from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import pytest

from backend.http.responses import CancellableResponse, EventStreamResponse
from backend.http.shutdown import ShutdownEvent
from backend.settings import Settings
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio


async def broken_stream() -> AsyncGenerator[bytes]:
    yield b"data: {}\n\n"
    raise RuntimeError("a bug")


async def send_response(response: CancellableResponse) -> list[MutableMapping[str, Any]]:
    """Return the messages that were sent before the response raised RuntimeError."""
    messages: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await ShutdownEvent().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    with pytest.raises(RuntimeError):
        await response({"type": "http"}, receive, send)
    return messages


async def test_bug_in_a_stream_is_an_error_event_and_is_raised() -> None:
    settings = Settings(model_id=MODEL_ID)
    start, chunk, end = await send_response(
        EventStreamResponse(broken_stream(), ShutdownEvent(), settings)
    )
    assert start["status"] == 200
    assert (chunk["body"], chunk["more_body"]) == (b"data: {}\n\n", True)
    assert b'"code":"internal_error"' in end["body"]
    assert not end["more_body"]


async def test_bug_in_a_whole_response_is_raised_before_anything_is_sent() -> None:
    settings = Settings(model_id=MODEL_ID)
    assert not await send_response(CancellableResponse(broken_stream(), ShutdownEvent(), settings))
