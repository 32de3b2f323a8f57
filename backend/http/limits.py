"""Uvicorn's HTTP protocol with limits on what connections send and hold, for `uvicorn --http`.

Uvicorn itself accepts a head of any size, waits forever for the rest of a request, keeps the bodies
of any number of requests, and accepts connections until the process has no file descriptors left.
"""

import asyncio
import logging
import resource
from collections.abc import Iterable
from typing import Any

from pydantic_core import to_json
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from backend.errors import (
    InvalidRequestError,
    RequestHeadTooLargeError,
    RequestTimeoutError,
    ServerBusyError,
    SmolChatError,
)
from backend.http.access_log import SECURITY_HEADERS
from backend.settings import Settings

logger = logging.getLogger(__name__)

STATE_KEY = "connection_limits"  # in the state of the lifespan
SMALL_BODY_BYTES = 64 * 1024  # accepted even if all bodies together are too large
_CHECK_SECONDS = 1.0  # between two checks of all connections
_CLOSE_SECONDS = 1.0  # for a refused client to read the reason
_LOG_SECONDS = 60.0  # between two equal lines in the log
_RESERVED_FILES = 48  # for the database, the schema workers and this process itself
_HEADER_BYTES = 32  # of memory for a header, besides its name and value


class ConnectionLimits:
    """The connections of a process, oldest first, and the limits on all of them together."""

    def __init__(self, settings: Settings, *, streamed_paths: Iterable[str] = ()) -> None:
        self.settings = settings
        self.streamed_paths = frozenset(streamed_paths)  # whose bodies are not kept in memory
        self.max_connections = _max_connections(settings.max_connections)
        self.max_body_bytes = max(settings.max_total_body_bytes, settings.max_body_bytes)
        self._connections: dict[LimitedHttpProtocol, None] = {}
        self._body_bytes = 0
        self._next_check: asyncio.TimerHandle | None = None
        self._logged_at: dict[str, float] = {}

    def add(self, connection: "LimitedHttpProtocol") -> None:
        """Add a connection; if there are too many, close the one that has been idle the longest."""
        if len(self._connections) >= self.max_connections:
            now = connection.loop.time()
            idle = [other for other in self._connections if other.is_idle(now)]
            self._log(
                connection.loop,
                "All %d connections are in use: SMOLCHAT_MAX_CONNECTIONS, or the limit on open "
                "files; the oldest without a whole request is closed for a new one",
                self.max_connections,
            )
            if not idle:
                connection.refuse(ServerBusyError("The API has too many connections. Try again."))
                return
            min(idle, key=lambda other: other.idle_since or now).close()
        self._connections[connection] = None
        if self._next_check is None:
            self._next_check = connection.loop.call_later(_CHECK_SECONDS, self._check, connection)

    def discard(self, connection: "LimitedHttpProtocol") -> None:
        """Remove a closed connection, and stop counting its bodies."""
        self._connections.pop(connection, None)
        self.release_body(connection)

    def hold_body(self, connection: "LimitedHttpProtocol", size: int) -> None:
        """Count bytes of a body; if the total is too large, refuse the oldest unfinished body."""
        connection.held_bytes += size
        self._body_bytes += size
        while self._body_bytes > self.max_body_bytes:
            large = [c for c in self._connections if c.held_bytes > SMALL_BODY_BYTES]
            unfinished = [c for c in large if c.is_reading_body]
            if not unfinished and connection.held_bytes <= SMALL_BODY_BYTES:
                return
            victim = min(unfinished, key=lambda each: each.body_since, default=connection)
            self._log(
                connection.loop,
                "The bodies of all requests are larger than %d bytes, the value of "
                "SMOLCHAT_MAX_TOTAL_BODY_BYTES; the oldest unfinished one is refused",
                self.max_body_bytes,
            )
            victim.refuse(
                ServerBusyError(
                    f"The bodies of all requests are larger than {self.max_body_bytes:,} bytes, "
                    "the value of SMOLCHAT_MAX_TOTAL_BODY_BYTES. Try again later."
                )
            )

    def release_body(self, connection: "LimitedHttpProtocol") -> None:
        """Stop counting the bodies of a connection."""
        self._body_bytes -= connection.held_bytes
        connection.held_bytes = 0

    def _check(self, connection: "LimitedHttpProtocol") -> None:
        self._next_check = None
        now = connection.loop.time()
        for each in list(self._connections):
            each.check(now)
        if self._connections:
            self._next_check = connection.loop.call_later(_CHECK_SECONDS, self._check, connection)

    def _log(self, loop: asyncio.AbstractEventLoop, message: str, limit: int) -> None:
        now = loop.time()
        if now - self._logged_at.get(message, -_LOG_SECONDS) >= _LOG_SECONDS:
            self._logged_at[message] = now
            logger.warning(message, limit)


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection. Heads and trailers have a time and size limit, bodies a minimum rate."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.limits: ConnectionLimits = self.app_state[STATE_KEY]
        self.idle_since: float | None = self.loop.time()  # None while a request is handled
        self.held_bytes = 0  # of the bodies of its requests
        self.is_reading_body = False
        self._head_bytes = self._header_count = 0  # of the head, and then of the trailers
        self._unread_bytes = 0  # received since the parser last reported something
        self.body_since = 0.0
        self._period_start, self._period_bytes = 0.0, 0  # of a body
        self._unsent_bytes, self._unsent_since = 0, 0.0
        self._is_head_begun = self._is_closed = False
        self._running: RequestResponseCycle | None = None  # whose response is being sent
        self._error: SmolChatError | None = None  # raised in a callback of the parser

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.limits.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._disconnect()  # uvicorn tells only the last of pipelined requests
        self.limits.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._is_closed:
            return
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > self.limits.settings.max_head_bytes:
            self.refuse(self._head_too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = self._header_count = self._unread_bytes = 0
        self._is_head_begun = True
        self.idle_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._count_head(len(name) + len(value) + _HEADER_BYTES)
        if self._is_head_begun:  # drop trailers, which would pass as headers without any check
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_head_begun, self._unread_bytes = False, 0
        self.body_since = self._period_start = self.loop.time()
        self._period_bytes = 0
        self.idle_since, self.is_reading_body = None, True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._is_closed:
            return
        self._unread_bytes = 0
        self._period_bytes += len(body)
        super().on_body(body)
        if self._is_responding() and self.scope["path"] not in self.limits.streamed_paths:
            self.limits.hold_body(self, len(body))

    def on_message_complete(self) -> None:
        self._unread_bytes = 0
        self.is_reading_body = False
        super().on_message_complete()
        if not self._is_responding():
            self.idle_since = self.loop.time()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.limits.release_body(self)
        if not (self.is_reading_body or self.pipeline):
            self.idle_since = self.loop.time()

    def is_idle(self, now: float) -> bool:
        """Return True if no complete head has arrived, or if the client reads nothing."""
        if self._unsent_bytes:
            return now - self._unsent_since > self.limits.settings.head_seconds
        return self.idle_since is not None and not (self._is_closed or self._is_responding())

    def check(self, now: float) -> None:
        """Refuse or close the connection if its client sends or reads too slowly."""
        settings = self.limits.settings
        seconds = settings.head_seconds
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent_bytes:
            self._unsent_bytes, self._unsent_since = unsent, now
        elif now - self._unsent_since > settings.stall_seconds:
            self.close()
        if self._is_closed:
            return
        if self.is_reading_body:
            self._check_pace(now)
        elif self.idle_since is not None and now - self.idle_since > seconds:
            if self._is_head_begun:
                self.refuse(
                    RequestTimeoutError(
                        f"The request's head was not complete after {seconds:g} s "
                        "(SMOLCHAT_HEAD_SECONDS)."
                    )
                )
            elif not self._is_responding():
                self.close()

    def close(self) -> None:
        """Close the connection at once, and drop what could not be sent."""
        self._is_closed = True
        self.limits.release_body(self)
        self._disconnect()
        self.transport.abort()

    def refuse(self, error: SmolChatError) -> None:
        """Send the error, unless a response has begun, and close the connection."""
        if self._is_closed:
            return
        if (
            self._running
            and not self._running.response_complete
            and (self._running.response_started or self._running is not self.cycle)
        ):
            self.close()
            return
        self._disconnect()
        self._is_closed = True
        self.limits.release_body(self)
        body = to_json(error.payload())
        headers = [
            *SECURITY_HEADERS,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[error.status] + lines + b"\r\n" + body)
        # Closing it with data unread would reset it, and the client might lose the error.
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)

    def _should_upgrade_to_ws(self) -> bool:
        return False  # the API has no WebSockets

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: the request is answered like any other."""

    def send_400_response(self, msg: str) -> None:
        self.refuse(self._error or InvalidRequestError(msg))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _disconnect(self) -> None:
        """Tell the application that its client has left: what it sends is dropped."""
        for cycle in (self._running, self.cycle):
            if cycle is not None:
                cycle.disconnected = True
                cycle.message_event.set()

    def _is_responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _count_head(self, size: int) -> None:
        self._unread_bytes = 0
        self._head_bytes += size
        settings = self.limits.settings
        if self._head_bytes > settings.max_head_bytes or self._header_count > settings.max_headers:
            self._error = self._head_too_large()
            raise self._error

    def _head_too_large(self) -> RequestHeadTooLargeError:
        settings = self.limits.settings
        return RequestHeadTooLargeError(
            f"The request's URL and headers, or its trailers, are larger than "
            f"{settings.max_head_bytes:,} bytes (SMOLCHAT_MAX_HEAD_BYTES) or more than "
            f"{settings.max_headers:,} (SMOLCHAT_MAX_HEADERS)."
        )

    def _check_pace(self, now: float) -> None:
        settings = self.limits.settings
        seconds = now - self._period_start
        if self.flow.read_paused:  # the API itself is not ready for more
            self._period_start, self._period_bytes = now, 0
        elif seconds > settings.head_seconds:
            if self._period_bytes < seconds * settings.min_body_rate:
                self.refuse(
                    RequestTimeoutError(
                        "The request's body came too slowly: fewer than "
                        f"{settings.min_body_rate:,} bytes per second (SMOLCHAT_MIN_BODY_RATE)."
                    )
                )
            self._period_start, self._period_bytes = now, 0


def _max_connections(wanted: int) -> int:
    """Return how many connections there can be, and raise the limit on open files if necessary.

    Each connection may need another one to the model server.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + _RESERVED_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (soft - _RESERVED_FILES) // 2))
