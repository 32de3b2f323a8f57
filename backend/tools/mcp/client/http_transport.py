"""Streamable HTTP to an MCP server, with limits on what is read of its responses."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.streamable_http import streamable_http_client

from backend.tools.mcp.config import ServerConfig
from backend.tools.mcp.limits import McpLimits, MessageLimitError, Throttle

MIN_GET_SECONDS = 1.0  # between two requests for the stream of notifications
MAX_CONNECTIONS = 32  # which a server that never responds may leave open
# The end of a line and a line without content: the end of an event.
_EVENT_ENDS = (b"\n\n", b"\n\r", b"\r\r")


@dataclass
class HttpTrace:
    """The last response of a connection, for its error message."""

    status: int | None = None


@asynccontextmanager
async def open_http(
    config: ServerConfig, limits: McpLimits, proxy: str | None, trace: HttpTrace
) -> AsyncIterator[TransportStreams]:
    """Open the SDK's transport. It follows redirects only within the server's own origin."""
    connection = httpx2.AsyncHTTPTransport(
        verify=await _tls_context(config.url),
        trust_env=False,
        limits=httpx2.Limits(max_connections=MAX_CONNECTIONS),
        proxy=proxy,
    )
    async with (
        httpx2.AsyncClient(
            transport=LimitedTransport(connection, limits, trace),
            # A few compressed kilobytes may be gigabytes.
            headers={"Accept-Encoding": "identity"} | dict(config.headers),
            timeout=httpx2.Timeout(limits.connect_seconds, read=None),
            trust_env=False,
        ) as client,
        streamable_http_client(
            config.url, http_client=client, max_sse_event_size=limits.max_message_bytes
        ) as streams,
    ):
        yield streams


async def _tls_context(url: str) -> ssl.SSLContext:
    """Return the TLS context; for an `http:` URL one without certificates, which is quick."""
    if not url.lower().startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return await asyncio.to_thread(httpx2.create_ssl_context)  # it reads many certificates


class LimitedTransport(httpx2.AsyncBaseTransport):
    """Checks each message before the SDK parses it, and slows down a server that floods."""

    def __init__(
        self,
        transport: httpx2.AsyncBaseTransport,
        limits: McpLimits,
        trace: HttpTrace,
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._trace = trace
        self._throttle = Throttle(limits)
        self._last_get_at = 0.0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            await self._wait_for_get()
        response: httpx2.Response | None = None
        with anyio.move_on_after(self._limits.request_seconds):
            response = await self._transport.handle_async_request(request)
        if response is None:
            return httpx2.Response(504, request=request)
        if request.method == "POST":  # not every server has notifications to get
            self._trace.status = response.status_code
        if response.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
            await response.aclose()
            raise httpx2.DecodingError(
                "The server sent a compressed response, which was not accepted."
            )
        is_stream = response.headers.get("content-type", "").lower().startswith("text/event-stream")
        content = response.stream
        assert isinstance(content, httpx2.AsyncByteStream)  # noqa: S101  # of an async transport
        wrapper = _EventStream if is_stream else _Body
        response.stream = wrapper(content, self._limits, self._throttle)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _wait_for_get(self) -> None:
        """Limit the rate of GET requests, even if a server ends their responses at once."""
        await asyncio.sleep(max(self._last_get_at + MIN_GET_SECONDS - time.monotonic(), 0))
        self._last_get_at = time.monotonic()


class _Body(httpx2.AsyncByteStream):
    """A response body that is checked when it is complete."""

    def __init__(
        self, content: httpx2.AsyncByteStream, limits: McpLimits, throttle: Throttle
    ) -> None:
        self._content = content
        self._limits = limits
        self._throttle = throttle

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            with anyio.fail_after(self._limits.request_seconds):
                body = await self._read()
            self._limits.check_values(body)
        except MessageLimitError as error:
            raise httpx2.StreamError(str(error)) from None  # the SDK fails only this request
        except TimeoutError:
            raise httpx2.StreamError("The server did not finish its response in time.") from None
        await self._throttle.spend(len(body))
        yield body

    async def _read(self) -> bytes:
        body = bytearray()
        async for chunk in self._content:
            body += chunk
            self._limits.check_bytes(len(body))
        return bytes(body)

    async def aclose(self) -> None:
        await self._content.aclose()


class _EventStream(_Body):
    """A stream of events, each of which is checked before its end is passed on."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pending = bytearray()  # since the end of the last event
        async for chunk in self._content:
            searched = max(len(pending) - 1, 0)
            pending += chunk
            end = max(pending.rfind(marker, searched) for marker in _EVENT_ENDS)
            try:
                if end >= 0:
                    self._limits.check_values(bytes(pending[:end]))
                    del pending[: end + 1]
                self._limits.check_bytes(len(pending))
            except MessageLimitError as error:
                raise httpx2.SSEError(str(error)) from None  # the SDK fails only this request
            messages = sum(map(chunk.count, _EVENT_ENDS))
            await self._throttle.spend(len(chunk), messages)
            yield chunk
