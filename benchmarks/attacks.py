"""Clients, and answers of a model server, that would take the API's memory, time or connections.

Each attack is a function that sends its data to a port, on plain sockets, and returns the outcome.
It ends by itself.
"""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress

from benchmarks.file_attacks import FILE_ATTACKS
from benchmarks.http_client import chat_request
from benchmarks.scripted_replies import COMPRESSED, MANY_VALUES, Script

MEGABYTE = 1 << 20
ENDLESS_BYTES = 60 * MEGABYTE
HALF_HEADS = 1100
UNFINISHED_BODIES = 60
TIMEOUT_SECONDS = 60.0
HOLD_SECONDS = 15.0  # longer than the API waits for a head or a body

Attack = Callable[[int], str]

_POST = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
_CHUNKED = (_POST.format("/chat") + "Transfer-Encoding: chunked\r\n\r\n").encode()
_MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'


def post(port: int, path: str, body: bytes) -> str:
    """Send a request; return the status and the error's code."""
    head = _POST.format(path).encode() + b"Connection: close\r\nContent-Length: %d\r\n\r\n"
    with closing(_connect(port)) as connection:
        with suppress(OSError):  # refused before all of it was sent
            connection.sendall(head % len(body) + body)
        return _outcome(connection)


def endless(start: bytes, part: bytes) -> Attack:
    """Return an attack that sends a start, and then one part over and over."""

    def send(port: int) -> str:
        block = part * (64 * 1024 // len(part) + 1)
        with closing(_connect(port)) as connection, suppress(OSError):
            connection.sendall(start)
            for _ in range(ENDLESS_BYTES // len(block)):
                connection.sendall(block)
            return _outcome(connection)
        return "closed"

    return send


def half_heads(port: int) -> str:
    """Hold many connections without completing a head."""
    with ExitStack() as stack:
        held = []
        for _ in range(HALF_HEADS):
            with suppress(OSError):
                held.append(stack.enter_context(closing(_connect(port))))
                held[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
        time.sleep(HOLD_SECONDS)
        return _ends(held)


def unfinished_bodies(port: int) -> str:
    """Hold many requests whose large bodies lack the last byte."""
    block = b" " * MEGABYTE
    head = _POST.format("/chat").encode() + b"Content-Length: %d\r\n\r\n" % (8 * MEGABYTE)
    with ExitStack() as stack:
        held = []
        for _ in range(UNFINISHED_BODIES):
            held.append(stack.enter_context(closing(_connect(port))))
            with suppress(OSError):
                held[-1].sendall(head + block * 7 + block[1:])
        time.sleep(HOLD_SECONDS)
        return _ends(held)


def unread_responses(port: int) -> str:
    """Request a long response many times without reading any."""
    with ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(closing(_connect(port)))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with suppress(OSError):
                connection.settimeout(1)
                connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        time.sleep(HOLD_SECONDS)
    return "held"


def left_uploads(port: int) -> str:
    """Begin many uploads, and disconnect in the middle of each."""
    head = _POST.format("{}").encode() + b"Content-Length: 5000000\r\n\r\n" + b" " * 100_000
    for number in range(200):
        path = (b"/chat", b"/structured", b"/conversations", b"/conversations/import")[number % 4]
        with closing(_connect(port)) as connection:
            connection.sendall(head.replace(b"{}", path))
    return "left"


def many_values(path: str, value: str, size: int, start: str, end: str) -> Attack:
    """Return an attack that sends one body of many small values, `size` bytes in all."""

    def send(port: int) -> str:
        count = (size - len(start) - len(end)) // (len(value) + 1)
        return post(port, path, f"{start}{value}{f',{value}' * (count - 1)}{end}".encode())

    return send


def excessive_answer(manner: str) -> Attack:
    """Return a request to which the model server sends an answer too large to be read."""

    def send(port: int) -> str:
        with closing(_connect(port)) as connection:
            connection.sendall(chat_request(Script(manner=manner)))
            return _outcome(connection)

    return send


def flood(port: int) -> str:
    """Request a stream that the model server writes as fast as it can."""
    with closing(_connect(port)) as connection:
        connection.sendall(chat_request(Script(tokens=200_000), is_stream=True))
        received = bytearray()
        while not received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n"):
            if not (data := connection.recv(MEGABYTE)):
                return "cut"
            received = (received + data)[-100:]
    return "complete"


def slow_search(port: int) -> str:
    """Search long texts for what nearly matches everywhere; abandon half of the searches."""
    text = "a" * 200_000
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
    conversation = {"title": "Long", "messages": messages}
    body = {"format": "smolchat", "version": 1, "conversations": [conversation] * 10}
    outcome = post(port, "/conversations/import", json.dumps(body).encode())
    path = f"/conversations?search={'a' * 199}b"
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    with ExitStack() as stack:
        searches = [stack.enter_context(closing(_connect(port))) for _ in range(20)]
        for search in searches:
            search.sendall(request)
        for search in searches[::2]:
            search.close()
        ends = Counter(_outcome(search) for search in searches[1::2])
    return f"{outcome}; {_format(ends)}"


def _import(value: str, *, megabytes: int, start: str = "[", end: str = "]") -> Attack:
    return many_values("/conversations/import", value, megabytes * MEGABYTE, start, end)


def _chat(value: str, start: str, end: str) -> Attack:
    return many_values("/chat", value, 8 * MEGABYTE, start, end)


_HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
_OWN_EXPORT = '{"format":"smolchat","version":1,"conversations":['
_SCHEMA = '"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"enum":['
ATTACKS: dict[str, Attack] = {
    "endless URL": endless(b"GET /", b"a"),
    "endless header": endless(_HEAD + b"X: ", b"a"),
    "endless headers": endless(_HEAD, b"A: b\r\n"),
    "endless trailers": endless(_CHUNKED + b"2\r\n{}\r\n0\r\n", b"A: b\r\n"),
    "half-sent heads": half_heads,
    "unfinished bodies": unfinished_bodies,
    "unread responses": unread_responses,
    "uploads that are left": left_uploads,
    "chat of empty lists": _chat("[]", '{"x":[', f"],{_MESSAGES.decode()}}}"),
    "chat of small messages": _chat('{"role":"user","content":""}', '{"messages":[', "]}"),
    "schema of many values": many_values(
        "/structured", '"a"', 8 * MEGABYTE, f"{{{_MESSAGES.decode()},{_SCHEMA}", "]}}}}"
    ),
    "import of empty lists": _import("[]", megabytes=64),
    "import of empty chats": _import("{}", megabytes=64, start=_OWN_EXPORT, end="]}"),
    "import of small messages": _import(
        '{"role":"user"}', megabytes=64, start=_OWN_EXPORT + '{"messages":[', end="]}]}"
    ),
    "import of many messages": _import(
        '{"messages":[{"role":"user","content":"a"}]}', megabytes=8, start=_OWN_EXPORT, end="]}"
    ),
    "slow searches": slow_search,
    **FILE_ATTACKS,
    "answer of empty lists": excessive_answer(MANY_VALUES),
    "compressed answer": excessive_answer(COMPRESSED),
    "flood of an answer": flood,
}


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)


def _received(connection: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while data := connection.recv(65536):
            yield data


def _outcome(connection: socket.socket) -> str:
    """Read the response to its end; return the status and the error's code."""
    response = b"".join(_received(connection))
    head, _, body = response.partition(b"\r\n\r\n")
    status = head[9:12].decode() or "closed"
    with suppress(ValueError, KeyError, TypeError):
        return f"{status} {json.loads(body)['error']['code']}"
    return status


def _ends(connections: list[socket.socket]) -> str:
    """Return how many of the connections are still open, and how the others ended."""
    ends: Counter[str] = Counter()
    for connection in connections:
        connection.setblocking(False)  # noqa: FBT003
        try:
            ends[connection.recv(65536)[9:12].decode() or "closed"] += 1
        except BlockingIOError:
            ends["open"] += 1
        except OSError:
            ends["closed"] += 1
    return _format(ends)


def _format(counts: Counter[str]) -> str:
    return ", ".join(f"{count} x {what}" for what, count in counts.most_common())
