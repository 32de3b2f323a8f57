"""The limit on the size of a request body."""

import asyncio
from contextlib import suppress
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import RequestTooLargeError, SmolChatError
from backend.http.error_handlers import error_response

_DRAIN_SECONDS = 1.0


class _LimitedBody:
    """A body of unknown length: once it exceeds the limit, the app sees a disconnect."""

    def __init__(self, limit: int, receive: Receive, send: Send) -> None:
        self.is_too_large = False
        self.is_response_started = False
        self._remaining = limit
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        if self.is_too_large:
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._remaining -= len(message.get("body", b""))
        if self._remaining >= 0:
            return message
        self.is_too_large = True
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.is_response_started or not self.is_too_large:
            self.is_response_started = True
            await self._send(message)


class BodyLimit(NamedTuple):
    """The limit on a body, and the setting that it comes from."""

    bytes: int
    setting: str


def too_large_error(limit: BodyLimit) -> RequestTooLargeError:
    return RequestTooLargeError(
        f"The request body is larger than {limit.bytes:,} bytes ({limit.setting}). Send a smaller "
        "request."
    )


class RejectionResponse(Response):
    """An error in the middle of a body: the client can read it, and its connection is closed."""

    def __init__(self, error: SmolChatError) -> None:
        super().__init__(status_code=error.status)
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await reject_and_close(self._error, scope, receive, send)


async def reject_and_close(
    error: SmolChatError, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send the error, and go on reading for a moment before the connection is closed.

    Closed with data unread, the connection would be reset, and the client might never see the
    response.
    """

    async def send_unfinished(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["more_body"] = True
        else:
            message["headers"].append((b"connection", b"close"))
        await send(message)

    await error_response(error)(scope, receive, send_unfinished)
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})


async def limit_streamed_body(
    app: ASGIApp, limit: BodyLimit, scope: Scope, receive: Receive, send: Send
) -> None:
    """Call `app` with a body of unknown length; respond 413 if it exceeds `limit`."""
    body = _LimitedBody(limit.bytes, receive, send)
    try:
        await app(scope, body.receive, body.send)
    except Exception:
        if not body.is_too_large:
            raise
    if body.is_too_large and not body.is_response_started:
        await reject_and_close(too_large_error(limit), scope, receive, send)
