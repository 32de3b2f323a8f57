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
from backend.http.error_handlers import unexpected
from backend.settings import Settings

# With one line break, as it may come between two lines of an event.
COMMENT = b": still waiting for the model\n"
# For the API's page.
EVENT_STREAM: dict[str, Any] = {
    "text/event-stream": {
        "itemSchema": {
            "type": "object",
            "properties": {"data": {"type": "string"}},
            "required": ["data"],
        }
    }
}


class Delivery(Response):
    """A response that ends its work when the client leaves or the process stops."""

    def __init__(self, pieces: AsyncGenerator[bytes], stopping: asyncio.Event) -> None:
        super().__init__()
        self._pieces = pieces
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        delivering = asyncio.create_task(self._deliver(send))
        leaving = asyncio.create_task(_departure(receive))
        stopping = asyncio.create_task(self._stopping.wait())
        tasks: set[asyncio.Task[Any]] = {delivering, leaving, stopping}
        try:
            await self._first_of(tasks, send)
            if stopping.done() and not delivering.done():
                raise ShuttingDownError("The API is shutting down. Try again in a few seconds.")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if not delivering.cancelled():
            delivering.result()

    async def _first_of(self, tasks: set[asyncio.Task[Any]], send: Send) -> None:  # noqa: ARG002
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _deliver(self, send: Send) -> None:
        """Send an answer that is one piece."""
        async with aclosing(self._pieces) as pieces:
            body = b"".join([piece async for piece in pieces])
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class StreamedDelivery(Delivery):
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
        self._is_open = False
        self._is_sending = False
        self._was_sent = False  # anything, since the last look
        self._stuck_since = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SmolChatError as error:
            if not self._is_open:
                raise
            await self._send_in_time(send, error.event(), more_body=False)
        except Exception:  # a mistake of ours: the client is told, and the server logs it
            if self._is_open:
                await self._send_in_time(send, unexpected().event(), more_body=False)
            raise

    async def _first_of(self, tasks: set[asyncio.Task[Any]], send: Send) -> None:
        seconds = self._first_event_seconds
        first = asyncio.FIRST_COMPLETED
        while not (await asyncio.wait(tasks, timeout=seconds, return_when=first))[0]:
            if not self._is_open:
                await self._open(send)
            if not await self._is_read(send):
                return
            self._was_sent = False
            seconds = self._keep_alive_seconds

    async def _is_read(self, send: Send) -> bool:
        """Tell whether the client takes what is sent; where nothing is, try it with a comment."""
        if self._is_sending and not self._was_sent:  # the same piece all the time
            self._stuck_since = self._stuck_since or time.monotonic()
            return time.monotonic() - self._stuck_since < self._stall_seconds
        self._stuck_since = 0.0
        return self._was_sent or await self._send_in_time(send, COMMENT, more_body=True)

    async def _send_in_time(self, send: Send, body: bytes, *, more_body: bool) -> bool:
        """Send what is no piece of the answer, and tell whether the client took it."""
        try:
            async with asyncio.timeout(self._stall_seconds):
                await send({"type": "http.response.body", "body": body, "more_body": more_body})
        except TimeoutError:
            return False
        return True

    async def _deliver(self, send: Send) -> None:
        async with aclosing(self._pieces) as pieces:
            async for piece in pieces:
                if not self._is_open:
                    await self._open(send)
                self._is_sending = True
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self._is_sending = False
                self._was_sent = True
        await send({"type": "http.response.body", "body": b""})

    async def _open(self, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        self._is_open = True
        await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
