"""A bare relay of bytes, a program of its own: the least that anything in between can cost."""

import argparse
import asyncio
from typing import Self


class End(asyncio.Protocol):
    """One end of a relayed connection; what comes in here goes out at the other one."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._other: End | None = None
        self._early: list[bytes] = []  # what came before there was another end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # what TCP gives
        self._transport = transport

    def join(self, other: Self) -> None:
        self._other, other._other = other, self
        for data in self._early:
            self.data_received(data)
        if self._transport is None:  # it has left meanwhile
            self.connection_lost(None)

    def data_received(self, data: bytes) -> None:
        if self._other is None:
            self._early.append(data)
        elif self._other._transport:
            self._other._transport.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        if self._other and self._other._transport:
            self._other._transport.close()

    def pause_writing(self) -> None:
        if self._other and self._other._transport:
            self._other._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._other and self._other._transport:
            self._other._transport.resume_reading()


async def serve(port: int, upstream_port: int) -> None:
    """Listen until the process is ended."""
    loop = asyncio.get_running_loop()
    dialling: set[asyncio.Task[None]] = set()

    async def dial(near: End) -> None:
        _, far = await loop.create_connection(End, "127.0.0.1", upstream_port)
        near.join(far)

    def accept() -> End:
        near = End()
        task = loop.create_task(dial(near))
        dialling.add(task)
        task.add_done_callback(dialling.discard)
        return near

    listening = await loop.create_server(accept, "127.0.0.1", port, backlog=2048)
    await listening.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream-port", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.upstream_port))
