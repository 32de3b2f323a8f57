"""An answer on its way to the client, for as long as the client wants it.

While an answer is awaited, nothing but a look at the connection tells that the client has left; a
model on a CPU would go on for minutes for nobody. So each delivery races the client's departure
and the end of this process.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from backend.errors import ShuttingDownError, SmolChatError
from backend.http.error_handlers import internal_error
from backend.settings import Settings

# With one line break, as it may come between two lines of an event.
KEEP_ALIVE_COMMENT = b": still waiting for the model\n"
# For the API's page.
EVENT_STREAM_OPENAPI: dict[str, Any] = {
    "text/event-stream": {
        "itemSchema": {
            "type": "object",
            "properties": {"data": {"type": "string"}},
            "required": ["data"],
        }
    }
}


class CancellableResponse(Response):
    """A response that ends its work when the client leaves or the process stops."""

    def __init__(self, pieces: AsyncGenerator[bytes], stopping: asyncio.Event) -> None:
        super().__init__()
        self._chunks = pieces
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        delivering = asyncio.create_task(self._send_body(send))
        leaving = asyncio.create_task(_wait_for_disconnect(receive))
        stopping = asyncio.create_task(self._stopping.wait())
        tasks: set[asyncio.Task[Any]] = {delivering, leaving, stopping}
        try:
            await self._wait_until_done(tasks, send)
            if stopping.done() and not delivering.done():
                raise ShuttingDownError("The API is shutting down. Try again in a few seconds.")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if not delivering.cancelled():
            delivering.result()

    async def _wait_until_done(self, tasks: set[asyncio.Task[Any]], send: Send) -> None:  # noqa: ARG002
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _send_body(self, send: Send) -> None:
        """Send an answer that is one piece."""
        async with aclosing(self._chunks) as pieces:
            body = b"".join([piece async for piece in pieces])
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class EventStreamResponse(CancellableResponse):
    """An answer as server-sent events.

    The status waits for the model's first event, since a model server says 200 before it knows
    whether there will be one. If that takes long, the line is opened and kept open by comments, and
    a failure is an event, as it is in the middle of an answer. A client that reads nothing for
    longer than a model server may stay silent has as good as left.
    """

    def __init__(
        self, pieces: AsyncGenerator[bytes], stopping: asyncio.Event, settings: Settings
    ) -> None:
        super().__init__(pieces, stopping)
        self._first_event_seconds = settings.first_event_seconds
        self._keep_alive_seconds = settings.keep_alive_seconds
        self._stall_seconds = settings.stall_seconds
        self._headers_sent = False
        self._send_in_progress = False
        self._sent_since_check = False  # anything, since the last look
        self._blocked_since = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SmolChatError as error:
            if not self._headers_sent:
                raise
            await self._send_with_timeout(send, error.sse_event(), more_body=False)
        except Exception:  # a mistake of ours: the client is told, and the server logs it
            if self._headers_sent:
                await self._send_with_timeout(send, internal_error().sse_event(), more_body=False)
            raise

    async def _wait_until_done(self, tasks: set[asyncio.Task[Any]], send: Send) -> None:
        seconds = self._first_event_seconds
        first = asyncio.FIRST_COMPLETED
        while not (await asyncio.wait(tasks, timeout=seconds, return_when=first))[0]:
            if not self._headers_sent:
                await self._start(send)
            if not await self._client_is_reading(send):
                return
            self._sent_since_check = False
            seconds = self._keep_alive_seconds

    async def _client_is_reading(self, send: Send) -> bool:
        """Tell whether the client takes what is sent; where nothing is, try it with a comment."""
        if self._send_in_progress and not self._sent_since_check:  # the same piece all the time
            self._blocked_since = self._blocked_since or time.monotonic()
            return time.monotonic() - self._blocked_since < self._stall_seconds
        self._blocked_since = 0.0
        return self._sent_since_check or await self._send_with_timeout(
            send, KEEP_ALIVE_COMMENT, more_body=True
        )

    async def _send_with_timeout(self, send: Send, body: bytes, *, more_body: bool) -> bool:
        """Send what is no piece of the answer, and tell whether the client took it."""
        try:
            async with asyncio.timeout(self._stall_seconds):
                await send({"type": "http.response.body", "body": body, "more_body": more_body})
        except TimeoutError:
            return False
        return True

    async def _send_body(self, send: Send) -> None:
        async with aclosing(self._chunks) as pieces:
            async for piece in pieces:
                if not self._headers_sent:
                    await self._start(send)
                self._send_in_progress = True
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self._send_in_progress = False
                self._sent_since_check = True
        await send({"type": "http.response.body", "body": b""})

    async def _start(self, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        self._headers_sent = True
        await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
