"""A real HTTP proxy on this machine: it forwards requests, and tunnels those of TLS."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class HttpProxy:
    """Connects to `target_port` of this machine, whatever host the client asks for."""

    target_port: int
    port: int = 0
    status: int = 200  # any other is the proxy's own response
    requests: list[str] = field(default_factory=list)  # the first lines
    headers: list[dict[str, str]] = field(default_factory=list)  # by lower-case name

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request_line, *lines = head.rstrip().split("\r\n")
            self.requests.append(request_line)
            self.headers.append(
                {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            )
            await self._respond(request_line, lines, reader, writer)
        writer.close()

    async def _respond(
        self,
        request_line: str,
        lines: list[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if self.status != 200:
            head = (
                f"HTTP/1.1 {self.status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode())
            return
        method, target, version = request_line.split(" ")
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = urlsplit(target)._replace(scheme="", netloc="").geturl()
            # One request a connection: the head of a second one would have to be rewritten too.
            lines = [line for line in lines if not line.lower().startswith("connection:")]
            head = "\r\n".join([f"{method} {path} {version}", *lines, "Connection: close"])
            target_writer.write(f"{head}\r\n\r\n".encode("latin-1"))
        await asyncio.wait(
            [
                asyncio.create_task(_copy(reader, target_writer)),
                asyncio.create_task(_copy(target_reader, writer)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
        target_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@contextmanager
def running_http_proxy(
    target_port: int, *, status: int = 200, tls: ssl.SSLContext | None = None
) -> Iterator[HttpProxy]:
    """Serve on a free port, in its own thread."""
    proxy = HttpProxy(target_port, status=status)
    loop = asyncio.new_event_loop()
    listener = loop.run_until_complete(asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls))
    proxy.port = listener.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(_close(listener), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(listener: asyncio.Server) -> None:
    listener.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
