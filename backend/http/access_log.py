"""One line for each request when it has ended, under an id that the client is told too."""

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

_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_MAX_PATH_CHARACTERS = 200


class AccessLogMiddleware:
    """Gives each request its id, and logs how it ended: never a query, a header or a body."""

    def __init__(self, app: ASGIApp, on_response: Callable[[str, int], None]) -> None:
        self._app = app
        self._on_response = on_response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = time.perf_counter()
        request_id = _request_id(scope)
        answer = _ResponseObserver(request_id, send)
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            answer.has_failed = True
            raise
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._on_response(route, answer.status)
            if logger.isEnabledFor(logging.INFO):
                _log(scope, answer, time.perf_counter() - started)


class _ResponseObserver:
    """What is seen of an answer on its way out."""

    __slots__ = ("_send", "has_failed", "is_complete", "request_id", "status")

    def __init__(self, request_id: bytes, send: Send) -> None:
        self.request_id = request_id
        self.status = 0
        self.is_complete = False
        self.has_failed = False
        self._send = send

    # Not a coroutine of its own, since a stream sends thousands.
    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self.request_id)]
            message = {**message, "headers": headers}
        elif not message.get("more_body"):
            self.is_complete = True
        return self._send(message)


@contextmanager
def replace_uvicorn_access_log() -> Iterator[None]:
    """Print these lines where uvicorn would print its own, which have queries in them.

    Where it prints none (`--no-access-log`), or the log was configured otherwise, all stays as it
    is.
    """
    theirs = logging.getLogger("uvicorn.access")
    if not theirs.handlers or logger.handlers:
        yield
        return
    handlers, level = theirs.handlers, logger.level
    logger.handlers = [_with_format(handler) for handler in handlers]
    logger.setLevel(theirs.level)
    theirs.handlers = []
    try:
        yield
    finally:
        theirs.handlers, logger.handlers = handlers, []
        logger.setLevel(level)


def _with_format(handler: logging.Handler) -> logging.Handler:
    twin = copy.copy(handler)
    twin.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return twin


def _request_id(scope: Scope) -> bytes:
    """Take the client's id if it is harmless, else make one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            taken: bytes = value
            return taken
    return os.urandom(8).hex().encode()


def _log(scope: Scope, answer: _ResponseObserver, seconds: float) -> None:
    # Quoted, a path is one word on one line, whatever it holds.
    path = quote(scope["path"][:_MAX_PATH_CHARACTERS])
    ending = "" if answer.is_complete else " failed" if answer.has_failed else " client left"
    logger.info(
        "%s %s %s %s %.1f ms%s",
        answer.request_id.decode(),
        scope["method"],
        path,
        answer.status or "-",
        seconds * 1000,
        ending,
    )
