"""A fake model server that runs as a separate process and follows the script in each request.

Besides chat completions it serves a list of one model, whether its template knows tools (`/props`,
only if told to), the number of active chats (`/running`), and the times of the last chat's first
token and of its client's disconnect (`/moments`, in seconds of the monotonic clock).
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pydantic_core import from_json

from benchmarks.scripted_calls import ToolScript, call_steps, calls_now, read_script
from benchmarks.scripted_replies import (
    LOADS,
    WORD,
    ConnectionEnd,
    Script,
    Step,
    error_response,
    response,
    steps,
)

_TOKEN = json.dumps(WORD).encode()
_CHUNKS_PER_TURN = 8  # after these, other tasks get a turn


class FakeModelServer:
    """The state that all connections share."""

    def __init__(self, model: str, *, knows_tools: bool = False) -> None:
        entry = {"id": model, "object": "model", "created": 1795475188, "owned_by": "docker"}
        self.models = response(200, json.dumps({"object": "list", "data": [entry]}).encode())
        self.properties = error_response(404, "File Not Found")
        if knows_tools:
            properties = {"chat_template_caps": {"supports_tools": True}}
            self.properties = response(200, json.dumps(properties).encode())
        self.active_chats = 0
        self.moments: dict[str, float] = {}
        self.request_counts: Counter[str] = Counter()

    def is_loading(self, script: Script) -> bool:
        """Return True for the first request of a name whose script loads a model."""
        self.request_counts[script.name] += 1
        return script.manner == LOADS and self.request_counts[script.name] == 1


class ServerConnection(asyncio.Protocol):
    """One client connection, which serves one request after another."""

    def __init__(self, server: FakeModelServer) -> None:
        self._server = server
        self._buffer = b""
        self._transport: asyncio.Transport
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._chat_task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # asyncio servers create it
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        if self._chat_task:
            self._chat_task.cancel()
            self._server.moments["left"] = time.monotonic()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, remainder = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _content_length(head)
        if len(remainder) >= length:
            self._buffer = remainder[length:]
            self._respond(head, remainder[:length])

    def _respond(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b" ", 2)
        if path == b"/running":
            self._transport.write(response(200, b"%d" % self._server.active_chats))
        elif path == b"/moments":
            self._transport.write(response(200, json.dumps(self._server.moments).encode()))
        elif path == b"/v1/models":
            self._transport.write(self._server.models)
        elif path == b"/props":
            self._transport.write(self._server.properties)
        elif (method, path) == (b"POST", b"/v1/chat/completions"):
            closes_connection = b"\r\nconnection: close" in head.lower()
            chat = self._chat(from_json(body), closes_connection=closes_connection)
            self._chat_task = asyncio.get_running_loop().create_task(chat)
        else:
            self._transport.write(error_response(404, "File Not Found"))

    async def _chat(self, request: dict[str, Any], *, closes_connection: bool) -> None:
        send = self._send_with_close if closes_connection else self._transport.write
        script = _script(request)
        self._server.active_chats += 1
        self._server.moments = {}
        try:
            if self._server.is_loading(script):
                send(error_response(503, "Loading model"))
            else:
                await self._play(_steps(script, request), send)
            if closes_connection:
                self._transport.close()
        finally:
            self._server.active_chats -= 1

    async def _play(self, script_steps: Iterator[Step], send: Callable[[bytes], None]) -> None:
        for number, step in enumerate(script_steps, 1):
            match step:
                case bytes():
                    if _TOKEN in step:
                        self._server.moments.setdefault("first_token", time.monotonic())
                    send(step)
                    await self._may_write.wait()
                    if number % _CHUNKS_PER_TURN == 0:
                        await asyncio.sleep(0)
                case float():
                    await asyncio.sleep(step)
                case ConnectionEnd.CLOSE:
                    self._transport.close()
                case ConnectionEnd.RESET:
                    self._transport.abort()
                case ConnectionEnd.HANG:
                    await asyncio.get_running_loop().create_future()

    def _send_with_close(self, data: bytes) -> None:
        """Send with a `Connection: close` header if the data begins a response."""
        if data.startswith(b"HTTP/1.1 "):
            data = data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        self._transport.write(data)


def _script(request: dict[str, Any]) -> Script:
    fields = request.get("script")
    return Script(**fields) if isinstance(fields, dict) else read_script(request) or Script()


def _steps(script: Script, request: dict[str, Any]) -> Iterator[Step]:
    if isinstance(script, ToolScript) and (calls := calls_now(script, request)):
        return call_steps(script, calls)
    return steps(script, is_stream=bool(request.get("stream")))


def _content_length(head: bytes) -> int:
    _, separator, remainder = head.lower().partition(b"\r\ncontent-length:")
    return int(remainder.partition(b"\r\n")[0]) if separator else 0


async def serve(port: int, model: str, *, knows_tools: bool) -> None:
    """Serve until the process is stopped."""
    server = FakeModelServer(model, knows_tools=knows_tools)
    loop = asyncio.get_running_loop()
    server_socket = await loop.create_server(
        lambda: ServerConnection(server), "127.0.0.1", port, backlog=2048
    )
    await server_socket.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True, help="the id in its model list")
    parser.add_argument(
        "--knows-tools", action="store_true", help="say that the model's template knows tools"
    )
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.model, knows_tools=options.knows_tools))
