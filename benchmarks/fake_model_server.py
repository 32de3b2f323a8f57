"""A scripted model server, a program of its own: it does what each request's script says.

Besides the chat it lists one model, and tells at `/running` how many chats it is busy with, at
`/moments` when the first token of the last one was sent and when its client left (seconds of this
machine's monotonic clock).
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator

from pydantic_core import from_json

from benchmarks.scripted_replies import LOADS, WORD, End, Script, Step, error, steps, whole

_TOKEN = json.dumps(WORD).encode()
_CHUNKS_AT_A_TIME = 8  # between two of them everybody else gets a turn


class ModelServer:
    """What all connections share."""

    def __init__(self, model: str) -> None:
        entry = {"id": model, "object": "model", "created": 1795475188, "owned_by": "docker"}
        self.models = whole(200, json.dumps({"object": "list", "data": [entry]}).encode())
        self.running = 0
        self.moments: dict[str, float] = {}
        self.asked: Counter[str] = Counter()

    def is_loading(self, script: Script) -> bool:
        """Tell whether a model has still to be loaded: at the first of two requests of one name."""
        self.asked[script.name] += 1
        return script.manner == LOADS and self.asked[script.name] == 1


class Connection(asyncio.Protocol):
    """A client's connection, for one request after another."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._received = b""
        self._transport: asyncio.Transport
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._playing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # what a server gives
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        if self._playing:
            self._playing.cancel()
            self._server.moments["left"] = time.monotonic()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _content_length(head)
        if len(rest) >= length:
            self._received = rest[length:]
            self._answer(head, rest[:length])

    def _answer(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b" ", 2)
        if path == b"/running":
            self._transport.write(whole(200, b"%d" % self._server.running))
        elif path == b"/moments":
            self._transport.write(whole(200, json.dumps(self._server.moments).encode()))
        elif path == b"/v1/models":
            self._transport.write(self._server.models)
        elif (method, path) == (b"POST", b"/v1/chat/completions"):
            is_last = b"\r\nconnection: close" in head.lower()
            chat = self._chat(from_json(body), is_last=is_last)
            self._playing = asyncio.get_running_loop().create_task(chat)
        else:
            self._transport.write(error(404, "File Not Found"))

    async def _chat(self, request: dict[str, object], *, is_last: bool) -> None:
        send = self._send_last if is_last else self._transport.write
        told = request.get("script")
        script = Script(**told) if isinstance(told, dict) else Script()
        self._server.running += 1
        self._server.moments = {}
        try:
            if self._server.is_loading(script):
                send(error(503, "Loading model"))
            else:
                await self._play(steps(script, is_stream=bool(request.get("stream"))), send)
            if is_last:
                self._transport.close()
        finally:
            self._server.running -= 1

    async def _play(self, played: Iterator[Step], send: Callable[[bytes], None]) -> None:
        for number, step in enumerate(played, 1):
            match step:
                case bytes():
                    if _TOKEN in step:
                        self._server.moments.setdefault("first_token", time.monotonic())
                    send(step)
                    await self._may_write.wait()
                    if number % _CHUNKS_AT_A_TIME == 0:
                        await asyncio.sleep(0)
                case float():
                    await asyncio.sleep(step)
                case End.CLOSE:
                    self._transport.close()
                case End.RESET:
                    self._transport.abort()
                case End.HANG:
                    await asyncio.get_running_loop().create_future()

    def _send_last(self, content: bytes) -> None:
        """Send a piece of an answer that says it is the connection's last one."""
        if content.startswith(b"HTTP/1.1 "):
            content = content.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        self._transport.write(content)


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def serve(port: int, model: str) -> None:
    """Listen until the process is ended."""
    server = ModelServer(model)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: Connection(server), "127.0.0.1", port, backlog=2048
    )
    await listening.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True, help="the id that it lists")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.model))
