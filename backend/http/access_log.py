"""The access log: one line per finished request, with the id that the client received.

Being outermost, this is also where each response gets the headers that all have.
"""

import copy
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("smolchat.access")

# No answer is to be taken for another type, or shown in a frame of another page.
SECURITY_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"))
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_MAX_PATH_CHARACTERS = 200


class AccessLogMiddleware:
    """Gives each request an id and logs how it ended: never its query, headers or body."""

    def __init__(self, app: ASGIApp, on_response: Callable[[str, int], None]) -> None:
        self._app = app
        self._on_response = on_response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = time.perf_counter()
        response = _ResponseObserver(_request_id(scope), send)
        try:
            await self._app(scope, receive, response.send)
        except Exception:
            response.has_failed = True
            raise
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._on_response(route, response.status)
            if logger.isEnabledFor(logging.INFO):
                _log(scope, response, time.perf_counter() - started)


class _ResponseObserver:
    """Records the status of a response and whether it was sent completely."""

    __slots__ = ("_send", "has_failed", "is_complete", "request_id", "status")

    def __init__(self, request_id: bytes, send: Send) -> None:
        self.request_id = request_id
        self.status = 0
        self.is_complete = False
        self.has_failed = False
        self._send = send

    # Not a coroutine, which would cost one per message: a stream sends thousands.
    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own_headers = ((b"x-request-id", self.request_id), *SECURITY_HEADERS)
            message = {**message, "headers": [*message.get("headers", ()), *own_headers]}
        elif not message.get("more_body"):
            self.is_complete = True
        return self._send(message)


@contextmanager
def replace_uvicorn_access_log() -> Iterator[None]:
    """Print these lines instead of uvicorn's own, which contain the query.

    If uvicorn prints none (`--no-access-log`), or this logger has handlers already, change nothing.
    """
    uvicorn_logger = logging.getLogger("uvicorn.access")
    if not uvicorn_logger.handlers or logger.handlers:
        yield
        return
    handlers, level = uvicorn_logger.handlers, logger.level
    logger.handlers = [_with_format(handler) for handler in handlers]
    logger.setLevel(uvicorn_logger.level)
    uvicorn_logger.handlers = []
    try:
        yield
    finally:
        uvicorn_logger.handlers, logger.handlers = handlers, []
        logger.setLevel(level)


def _with_format(handler: logging.Handler) -> logging.Handler:
    formatted = copy.copy(handler)
    formatted.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return formatted


def _request_id(scope: Scope) -> bytes:
    """Return the client's own id if it is safe to log, else a random one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return bytes(value)
    return os.urandom(8).hex().encode()


def _log(scope: Scope, response: _ResponseObserver, seconds: float) -> None:
    # Percent-encoded, a path is a single word on a single line, whatever it contains.
    path = quote(scope["path"][:_MAX_PATH_CHARACTERS])
    outcome = "" if response.is_complete else " failed" if response.has_failed else " client left"
    logger.info(
        "%s %s %s %s %.1f ms%s",
        response.request_id.decode(),
        scope["method"],
        path,
        response.status or "-",
        seconds * 1000,
        outcome,
    )
