"""An HTTP client on a plain socket: a library would use more CPU than what is measured."""

import asyncio
import json
import socket
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from benchmarks.processes import MODEL_ID
from benchmarks.scripted_replies import Script

_PARAGRAPH = (
    "A message to a small model usually comes with a short history, so that a request is about one "
    "kilobyte: the system prompt, the previous user message, and the response of the model to it. "
)
MESSAGES = [
    {"role": "system", "content": "You are kind and brief."},
    {"role": "user", "content": _PARAGRAPH},
    {"role": "assistant", "content": _PARAGRAPH * 2},
    {"role": "user", "content": "And then?"},
]


@dataclass
class HttpResponse:
    """A response; complete when its HTTP framing says so."""

    raw: bytearray = field(default_factory=bytearray)
    first_seconds: float | None = None  # from sending the request to the first byte
    seconds: float = 0.0  # to the last byte
    status: int = 0
    content_type: str = ""  # without parameters
    body: bytes = b""
    is_complete: bool = False

    @property
    def chunks(self) -> int:
        return self.body.count(b"data: ")


class ClientConnection(asyncio.Protocol):
    """One connection, which sends one request after another."""

    def __init__(self) -> None:
        self.is_open = False
        self.transport: asyncio.Transport
        self._sent_at = 0.0
        self._response = HttpResponse()
        self._head: _Head | None = None
        self._done: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, port: int, *, receive_bytes: int | None = None) -> Self:
        """Connect; `receive_bytes` limits the kernel's buffer for a client that does not read."""
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

    @property
    def received(self) -> bytearray:
        """All of the response that has arrived."""
        return self._response.raw

    async def send(self, request: bytes) -> HttpResponse:
        """Send a request; return the response when it or the connection has ended."""
        self._response, self._head = HttpResponse(), None
        self._done = asyncio.get_running_loop().create_future()
        self._sent_at = time.perf_counter()
        if self.is_open:
            self.transport.write(request)
            await self._done
        return self._response

    def abort(self) -> None:
        if self.is_open:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # for TCP
        self.transport, self.is_open = transport, True

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_open = False
        self._finish()

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response.first_seconds is None:
            response.first_seconds = time.perf_counter() - self._sent_at
        response.raw += data
        if self._head is None:
            self._head = _Head.parse(response)
        if self._head and self._head.read_body(response):
            self._finish()

    def _finish(self) -> None:
        if self._done and not self._done.done():
            self._response.seconds = time.perf_counter() - self._sent_at
            self._done.set_result(None)


@dataclass(frozen=True)
class _Head:
    """The start and the length of a body; None if it is chunked."""

    end: int
    length: int | None

    @classmethod
    def parse(cls, response: HttpResponse) -> Self | None:
        if (end := response.raw.find(b"\r\n\r\n")) < 0:
            return None
        first, *lines = response.raw[:end].decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        response.status = int(first.split(" ")[1])
        response.content_type = headers.get("content-type", "").partition(";")[0]
        is_chunked = headers.get("transfer-encoding") == "chunked"
        return cls(end + 4, None if is_chunked else int(headers.get("content-length", 0)))

    def read_body(self, response: HttpResponse) -> bool:
        """Set the body if all of it has arrived; return whether it has."""
        if self.length is None:
            if response.raw.endswith(b"0\r\n\r\n"):
                response.body, response.is_complete = decode_chunked(response.raw[self.end :])
        elif len(response.raw) >= self.end + self.length:
            response.body, response.is_complete = bytes(response.raw[self.end :]), True
        return response.is_complete


def decode_chunked(raw: bytes | bytearray) -> tuple[bytes, bool]:
    """Return the content of the chunks, and whether the last chunk has arrived."""
    body, start = bytearray(), 0
    while (end := raw.find(b"\r\n", start)) >= 0:
        length = int(raw[start:end], 16)
        if len(raw) < end + 4 + length:
            break
        if not length:
            return bytes(body), True
        body += raw[end + 2 : end + 2 + length]
        start = end + 4 + length
    return bytes(body), False


def chat_request(script: Script, *, is_stream: bool = False, **fields: Any) -> bytes:
    """Build a chat completion request that carries this script."""
    body = {"model": MODEL_ID, "messages": MESSAGES, "max_tokens": 512, "temperature": 0.7}
    if is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json_request("/v1/chat/completions", body | fields | {"script": asdict(script)})


def json_request(path: str, body: Any, *, method: str = "POST") -> bytes:
    content = json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def get_request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode()
