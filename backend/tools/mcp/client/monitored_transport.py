"""An SDK transport with an event for the end of the connection."""

import asyncio
import contextvars
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from mcp.client._transport import ReadStream, TransportStreams
from mcp.shared.message import SessionMessage

Received = SessionMessage | Exception


class MonitoredTransport(AbstractAsyncContextManager[TransportStreams]):
    """Wraps a transport; `ended` is set when it will receive nothing more."""

    def __init__(self, transport: AbstractAsyncContextManager[TransportStreams]) -> None:
        self.ended = asyncio.Event()
        self._transport = transport

    async def __aenter__(self) -> TransportStreams:
        received, sent = await self._transport.__aenter__()
        return _MonitoredStream(received, self.ended), sent

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._transport.__aexit__(exc_type, exc_value, traceback)


class _MonitoredStream(ReadStream[Received]):
    def __init__(self, stream: ReadStream[Received], ended: asyncio.Event) -> None:
        self._stream = stream
        self._ended = ended

    @property
    def last_context(self) -> contextvars.Context | None:
        """The sender's context, which some streams have and the SDK looks for."""
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> Received:
        return await self._stream.receive()

    async def aclose(self) -> None:
        self._ended.set()
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        return await self._stream.__anext__()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._ended.set()  # also if the transport has failed
        return await self._stream.__aexit__(exc_type, exc_value, traceback)
