"""A TCP relay that runs as a separate process: the minimal cost of any proxy."""

import argparse
import asyncio
from typing import Self


class RelayEnd(asyncio.Protocol):
    """One end of a relayed connection; it forwards its data to its peer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._peer: RelayEnd | None = None
        self._buffered: list[bytes] = []  # data received before the peer was connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # for TCP
        self._transport = transport

    def join(self, peer: Self) -> None:
        self._peer, peer._peer = peer, self
        for data in self._buffered:
            self.data_received(data)
        if self._transport is None:  # disconnected before the peer was connected
            self.connection_lost(None)

    def data_received(self, data: bytes) -> None:
        if self._peer is None:
            self._buffered.append(data)
        elif self._peer._transport:
            self._peer._transport.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        if self._peer and self._peer._transport:
            self._peer._transport.close()

    def pause_writing(self) -> None:
        if self._peer and self._peer._transport:
            self._peer._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._peer and self._peer._transport:
            self._peer._transport.resume_reading()


async def serve(port: int, upstream_port: int) -> None:
    """Serve until the process is stopped."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def connect(downstream: RelayEnd) -> None:
        _, upstream = await loop.create_connection(RelayEnd, "127.0.0.1", upstream_port)
        downstream.join(upstream)

    def accept() -> RelayEnd:
        downstream = RelayEnd()
        task = loop.create_task(connect(downstream))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return downstream

    server = await loop.create_server(accept, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream-port", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.upstream_port))
