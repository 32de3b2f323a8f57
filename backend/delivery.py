"""An answer on its way to the client, for as long as the client wants it.

While an answer is awaited, nothing but a look at the connection tells that the client has left; a
model on a CPU would go on for minutes for nobody. So each delivery races the client's departure
and the end of this process.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from backend.errors import ShuttingDownError, SmolChatError, unexpected
from backend.settings import Settings

COMMENT = b": the model has not begun yet\n\n"


class Delivery(Response):
    """A response that ends its work when the client leaves or the process stops."""

    media_type = "application/json"

    def __init__(self, stopping: asyncio.Event) -> None:
        super().__init__()
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        delivering = asyncio.create_task(self.deliver(send))
        leaving = asyncio.create_task(_departure(receive))
        stopping = asyncio.create_task(self._stopping.wait())
        tasks: set[asyncio.Task[Any]] = {delivering, leaving, stopping}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done() and not delivering.done():
                raise ShuttingDownError("The API is shutting down. Try again in a few seconds.")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if not delivering.cancelled():
            delivering.result()

    async def deliver(self, send: Send) -> None:
        raise NotImplementedError


class WholeAnswer(Delivery):
    """A completion as one JSON body."""

    def __init__(self, answer: Coroutine[Any, Any, bytes], stopping: asyncio.Event) -> None:
        super().__init__(stopping)
        self._answer = answer

    async def deliver(self, send: Send) -> None:
        body = await self._answer
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class StreamedAnswer(Delivery):
    """A completion as server-sent events.

    The status waits for the model's first event, since a model server says 200 before it knows
    whether there will be one. If that takes long, the line is opened and kept open by comments, and
    a failure is an event, as it is in the middle of an answer.
    """

    media_type = "text/event-stream"

    def __init__(
        self, pieces: AsyncGenerator[bytes], stopping: asyncio.Event, settings: Settings
    ) -> None:
        super().__init__(stopping)
        self._pieces = pieces
        self._first_event_seconds = settings.first_event_seconds
        self._keep_alive_seconds = settings.keep_alive_seconds
        self._is_open = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SmolChatError as error:
            if not self._is_open:
                raise
            await send({"type": "http.response.body", "body": error.event()})
        except Exception:  # a mistake of ours: the client is told, and the server logs it
            if self._is_open:
                await send({"type": "http.response.body", "body": unexpected().event()})
            raise

    async def deliver(self, send: Send) -> None:
        async with aclosing(self._pieces) as pieces:
            await self._deliver_first(anext(pieces), send)
            async for piece in pieces:
                await _send_piece(piece, send)
        await send({"type": "http.response.body", "body": b""})

    async def _deliver_first(self, awaited: Coroutine[Any, Any, bytes], send: Send) -> None:
        first = asyncio.ensure_future(awaited)
        try:
            await asyncio.wait({first}, timeout=self._first_event_seconds)
            if first.done():
                first.result()  # a failure becomes a status
            await self._open(send)
            while not first.done():
                await _send_piece(COMMENT, send)
                await asyncio.wait({first}, timeout=self._keep_alive_seconds)
            await _send_piece(first.result(), send)
        finally:
            first.cancel()
            await asyncio.wait({first})

    async def _open(self, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        self._is_open = True
        await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send_piece(piece: bytes, send: Send) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
