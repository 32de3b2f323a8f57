"""Responses that cancel their work when the client disconnects or the process shuts down.

Only the connection shows that the client has left, and a model on a CPU would keep generating for
minutes. So each response races the client's disconnect and the shutdown of the process.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar

from starlette.types import Receive, Scope, Send

from backend.errors import ShuttingDownError, SmolChatError
from backend.http.error_handlers import internal_error
from backend.http.shutdown import ShutdownEvent
from backend.settings import Settings

# With a single line break, since it may be sent between two lines of one event.
KEEP_ALIVE_COMMENT = b": still waiting for the model\n"
EVENT_STREAM_OPENAPI: dict[str, Any] = {
    "text/event-stream": {
        "itemSchema": {
            "type": "object",
            "properties": {"data": {"type": "string"}},
            "required": ["data"],
        }
    }
}
_FIRST = asyncio.FIRST_COMPLETED
_EVENT_STREAM_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


@dataclass
class CancellableResponse:
    """A JSON response, sent once `chunks` has ended."""

    chunks: AsyncGenerator[bytes]
    shutting_down: ShutdownEvent
    settings: Settings
    _headers_sent: bool = False
    _keeps_alive: ClassVar[bool] = False  # checks now and then that the client is reading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        send_task = asyncio.create_task(self._send_body(send))
        # The request's body has been read, so the next message is the client's disconnect.
        disconnect = asyncio.ensure_future(receive())
        shutdown = self.shutting_down.future
        tasks: set[asyncio.Future[Any]] = {send_task, disconnect}
        ends = {*tasks, shutdown}
        seconds = self.settings.first_event_seconds if self._keeps_alive else None
        try:
            try:
                while not (await asyncio.wait(ends, timeout=seconds, return_when=_FIRST))[0]:
                    seconds = self.settings.keep_alive_seconds
                    if not await self._is_client_reading(send):
                        break
                if shutdown.done() and not send_task.done():
                    raise ShuttingDownError("The API is shutting down. Try again in a few seconds.")
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            if not send_task.cancelled():
                send_task.result()
        except SmolChatError as error:
            if not self._headers_sent:
                raise
            await self._send_with_timeout(send, self._error_event(error), more_body=False)
        except Exception:  # a bug: the client gets an error event, and the server logs it
            if self._headers_sent:
                event = self._error_event(internal_error())
                await self._send_with_timeout(send, event, more_body=False)
            raise

    async def _send_body(self, send: Send) -> None:
        async with aclosing(self.chunks) as chunks:
            body = b"".join([chunk async for chunk in chunks])
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _is_client_reading(self, send: Send) -> bool:  # noqa: ARG002
        return True

    def _error_event(self, error: SmolChatError) -> bytes:
        """Return what ends an answer that fails after its first byte."""
        return error.sse_event()

    async def _send_with_timeout(self, send: Send, body: bytes, *, more_body: bool) -> bool:
        """Send bytes that are not part of the answer; return False if the client did not read."""
        try:
            async with asyncio.timeout(self.settings.stall_seconds):
                await send({"type": "http.response.body", "body": body, "more_body": more_body})
        except TimeoutError:
            return False
        return True


@dataclass
class EventStreamResponse(CancellableResponse):
    """An answer as server-sent events.

    The headers are held back until the model server's first event, since a model server sends 200
    before it knows whether there will be one. If that takes long, the response starts without it
    and comments keep the connection open; a failure is then an event, as it is in the middle of an
    answer. A client that reads nothing for longer than a model server may be silent counts as
    disconnected.
    """

    _keeps_alive = True
    _send_in_progress: bool = False
    _sent_since_check: bool = False
    _blocked_since: float = 0.0

    async def _send_body(self, send: Send) -> None:
        async with aclosing(self.chunks) as chunks:
            async for chunk in chunks:
                if not self._headers_sent:
                    await self._start(send)
                self._send_in_progress = True
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                self._send_in_progress = False
                self._sent_since_check = True
        await send({"type": "http.response.body", "body": b""})

    async def _start(self, send: Send) -> None:
        self._headers_sent = True
        headers = list(_EVENT_STREAM_HEADERS)
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _is_client_reading(self, send: Send) -> bool:
        """Return False if the client stopped reading. Probe with a comment when idle."""
        if not self._headers_sent:
            await self._start(send)
        if self._send_in_progress and not self._sent_since_check:  # the same chunk since last time
            self._blocked_since = self._blocked_since or time.monotonic()
            return time.monotonic() - self._blocked_since < self.settings.stall_seconds
        self._blocked_since = 0.0
        was_sent, self._sent_since_check = self._sent_since_check, False
        return was_sent or await self._send_with_timeout(send, KEEP_ALIVE_COMMENT, more_body=True)
