"""A client on a bare socket: an HTTP library would cost more than what is measured."""

import asyncio
import json
import socket
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from benchmarks.processes import MODEL_ID
from benchmarks.scripted_replies import Script

_ADVICE = (
    "A question to a small model comes with a little history, so that what is sent is about a "
    "kilobyte: what the model is told to be, what was asked before, and what it said to that. "
)
MESSAGES = [
    {"role": "system", "content": "You are kind and brief."},
    {"role": "user", "content": _ADVICE},
    {"role": "assistant", "content": _ADVICE * 2},
    {"role": "user", "content": "And then?"},
]


@dataclass
class Answer:
    """What came back; it is whole when HTTP says so."""

    raw: bytearray = field(default_factory=bytearray)
    first_seconds: float | None = None  # from the request to the first byte
    seconds: float = 0.0  # to the last one
    status: int = 0
    kind: str = ""  # the content type, without parameters
    body: bytes = b""
    is_whole: bool = False

    @property
    def chunks(self) -> int:
        return self.body.count(b"data: ")


class Connection(asyncio.Protocol):
    """A connection for one request after another."""

    def __init__(self) -> None:
        self.is_open = False
        self.transport: asyncio.Transport
        self._began = 0.0
        self._answer = Answer()
        self._head: _Head | None = None
        self._ended: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, port: int, *, receive_bytes: int | None = None) -> Self:
        """Connect; `receive_bytes` bounds what is taken in while the client does not read."""
        sock = socket.socket()
        sock.setblocking(False)  # noqa: FBT003
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, ("127.0.0.1", port))
            _, connection = await loop.create_connection(cls, sock=sock)
        except OSError:
            sock.close()
            raise
        return connection

    async def ask(self, request: bytes) -> Answer:
        """Send a request; give the answer when it has ended, or the connection has."""
        self._answer, self._head = Answer(), None
        self._ended = asyncio.get_running_loop().create_future()
        self._began = time.perf_counter()
        if self.is_open:
            self.transport.write(request)
            await self._ended
        return self._answer

    def abort(self) -> None:
        if self.is_open:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # what TCP gives
        self.transport, self.is_open = transport, True

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_open = False
        self._end()

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer.first_seconds is None:
            answer.first_seconds = time.perf_counter() - self._began
        answer.raw += data
        if self._head is None:
            self._head = _Head.of(answer)
        if self._head and self._head.has_ended(answer):
            self._end()

    def _end(self) -> None:
        if self._ended and not self._ended.done():
            self._answer.seconds = time.perf_counter() - self._began
            self._ended.set_result(None)


@dataclass(frozen=True)
class _Head:
    """Where a body begins, and how long it is; of what comes in chunks that is not known."""

    end: int
    length: int | None

    @classmethod
    def of(cls, answer: Answer) -> Self | None:
        if (end := answer.raw.find(b"\r\n\r\n")) < 0:
            return None
        first, *lines = answer.raw[:end].decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        answer.status = int(first.split(" ")[1])
        answer.kind = headers.get("content-type", "").partition(";")[0]
        is_chunked = headers.get("transfer-encoding") == "chunked"
        return cls(end + 4, None if is_chunked else int(headers.get("content-length", 0)))

    def has_ended(self, answer: Answer) -> bool:
        """Tell whether all has come; then the answer has its body."""
        if self.length is None:
            if answer.raw.endswith(b"0\r\n\r\n"):
                answer.body, answer.is_whole = unchunked(answer.raw[self.end :])
        elif len(answer.raw) >= self.end + self.length:
            answer.body, answer.is_whole = bytes(answer.raw[self.end :]), True
        return answer.is_whole


def unchunked(raw: bytes | bytearray) -> tuple[bytes, bool]:
    """Give what chunks hold, and whether the last one is there."""
    pieces, start = bytearray(), 0
    while (end := raw.find(b"\r\n", start)) >= 0:
        length = int(raw[start:end], 16)
        if len(raw) < end + 4 + length:
            break
        if not length:
            return bytes(pieces), True
        pieces += raw[end + 2 : end + 2 + length]
        start = end + 4 + length
    return bytes(pieces), False


def chat_request(script: Script, *, is_stream: bool = False, **fields: Any) -> bytes:
    """Write a request for an answer of this script."""
    body = {"model": MODEL_ID, "messages": MESSAGES, "max_tokens": 512, "temperature": 0.7}
    if is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    content = json.dumps(body | fields | {"script": asdict(script)}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def get_request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode()
