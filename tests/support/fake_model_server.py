"""A scripted model server on a real socket: the tests' only fake.

It answers as a real Docker Model Runner was recorded to (`recordings/`), or in another server's
flavour (`flavours.py`), plays the replies that a test queues, and keeps what it was asked. It can
do what the real thing does only when it breaks: stay silent, stop in the middle, answer nonsense.
"""

import asyncio
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.support.paths import DATA

RECORDINGS = DATA / "recordings"
PREFIXES = ("/engines/llama.cpp/v1", "/engines/v1", "/v1")
MODEL_PATH = f"/models/bundles/sha256/{32 * '5a'}/model/model.gguf"
EVENTS = (("Content-Type", "text/event-stream"),)
JSON = (("Content-Type", "application/json"),)
DONE = b"data: [DONE]\n\n"
PRELOAD = "x-preload-only"

_FRAMING = ("Content-Length", "Transfer-Encoding", "Connection", "Date")


@dataclass(frozen=True)
class Reply:
    """An answer, in pieces; `end` says what follows the last one.

    `cut` closes the connection where a whole answer would go on; `hang` says nothing more.
    """

    status: int = 200
    headers: Sequence[tuple[str, str]] = JSON
    pieces: Sequence[bytes] = ()
    held: threading.Event | None = None  # nothing comes before it is set
    first_seconds: float = 0.0  # before the status line
    gap_seconds: float = 0.0  # before each piece
    end: Literal["whole", "cut", "hang"] = "whole"


@dataclass
class RecordedRequest:
    """A request, and whether its client left before the answer was whole."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    left: threading.Event = field(default_factory=threading.Event)


def replay(case: str, **changes: Any) -> Reply:
    """Replay a recorded answer: status, headers, body, and where it was cut off."""
    response = json.loads((RECORDINGS / f"{case}.json").read_text())["response"]
    body = response["body"].encode()
    events = [event + b"\n\n" for event in body.split(b"\n\n") if event]
    is_stream = ["Content-Type", "text/event-stream"] in response["headers"] or b"\ndata: " in body
    reply = Reply(
        status=response["status"] or 200,
        headers=[h for h in response["headers"] if h[0] not in _FRAMING],
        pieces=events if is_stream else [body],
        end="cut" if response["framing"] == "ended without the last chunk" else "whole",
    )
    return replace(reply, **changes)


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
    """Make an event of the shape that was recorded, with other words."""
    choices = [{"finish_reason": finish_reason, "index": 0, "delta": delta}]
    event = {"choices": choices, "created": 1795475188, "id": "chatcmpl-1", "model": MODEL_PATH}
    event |= {"object": "chat.completion.chunk"} | more
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def stream_of(words: Sequence[str], **changes: Any) -> Reply:
    """Stream an answer of these words, with usage and timings as llama.cpp ends one."""
    count = len(words)
    usage = {"completion_tokens": count, "prompt_tokens": 31, "total_tokens": 31 + count}
    timings = {"cache_n": 0, "prompt_n": 31, "prompt_ms": 120.0, "prompt_per_second": 258.3}
    timings |= {"predicted_n": count, "predicted_ms": count * 20.0, "predicted_per_second": 50.0}
    last = json.dumps(
        {"choices": [], "model": MODEL_PATH, "object": "chat.completion.chunk"}
        | {"usage": usage, "timings": timings},
        separators=(",", ":"),
    ).encode()
    pieces = [
        chunk({"role": "assistant", "content": None}),
        *(chunk({"content": word}) for word in words),
        chunk({}, "stop"),
        b"data: " + last + b"\n\n",
        DONE,
    ]
    return replace(Reply(headers=EVENTS, pieces=pieces), **changes)


@dataclass(frozen=True)
class ServerVariant:
    """What a kind of model server does otherwise than the one that was recorded."""

    prefixes: Sequence[str] = PREFIXES
    models: Reply = field(default_factory=lambda: replay("engines-llamacpp-v1-models"))
    names: str = ".*"  # which ids it answers to
    no_model: Reply = field(default_factory=lambda: replay("err-model-not-pulled"))
    no_route: Reply = field(default_factory=lambda: replay("err-unknown-route"))
    only_loads: bool = True  # when asked to
    fields: frozenset[str] | None = None  # the only ones it takes, if it is strict
    tells_usage: bool = True  # of a stream, when asked to
    says_done: bool = True
    # What was recorded and the id asked for, in its own words; None leaves every byte as it was.
    says: Callable[[dict[str, Any], str], dict[str, Any]] | None = None

    def answer(self, body: dict[str, Any]) -> Reply:
        if self.fields is not None and (unknown := body.keys() - self.fields):
            error = {"message": f"Unknown parameters: {sorted(unknown)}", "code": 400}
            return Reply(400, JSON, [json.dumps({"error": error}).encode()])
        if not body.get("stream"):
            return self._said(replay("chat"), body["model"])
        is_asked = body.get("stream_options", {}).get("include_usage") and self.tells_usage
        reply = self._said(replay("stream-usage" if is_asked else "stream"), body["model"])
        return reply if self.says_done else replace(reply, pieces=reply.pieces[:-1])

    def _said(self, reply: Reply, model: str) -> Reply:
        if self.says is None:
            return reply
        pieces = []
        for piece in reply.pieces:
            start = b"data: " if piece.startswith(b"data: ") else b""
            if piece != DONE:
                said = self.says(json.loads(piece.removeprefix(start)), model)
                piece = start + json.dumps(said).encode() + b"\n\n"  # noqa: PLW2901
            pieces.append(piece)
        return replace(reply, pieces=pieces)


class FakeModelServer:
    """What a test scripts and looks at. Chats without a queued reply get a recorded one."""

    def __init__(self, flavour: ServerVariant) -> None:
        self.requests: list[RecordedRequest] = []
        self.replies: deque[Reply] = deque()
        self.models = flavour.models
        self.preloading = replay("preload-only-loaded")
        self.port = 0
        self.prefixes = flavour.prefixes
        self.flavour = flavour

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefixes[0]}"

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def chats(self) -> list[RecordedRequest]:
        asked = [request for request in self.requests if request.path.endswith("/chat/completions")]
        return [request for request in asked if PRELOAD not in request.headers]

    @property
    def preloads(self) -> list[RecordedRequest]:
        return [request for request in self.requests if PRELOAD in request.headers]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            received = await _read_request(reader)
            self.requests.append(received)
            await _play(self._reply(received), received, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a client that left; `left` tells
        finally:
            writer.close()

    def _reply(self, received: RecordedRequest) -> Reply:
        routes = {prefix + "/models": self.models for prefix in self.prefixes}
        if received.method == "GET" and received.path in routes:
            return routes[received.path]
        if received.path not in [prefix + "/chat/completions" for prefix in self.prefixes]:
            return self.flavour.no_route
        if not re.fullmatch(self.flavour.names, received.body["model"]):
            return self.flavour.no_model
        if PRELOAD in received.headers and self.flavour.only_loads:
            return self.preloading
        return self.replies.popleft() if self.replies else self.flavour.answer(received.body)


async def _read_request(reader: asyncio.StreamReader) -> RecordedRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return RecordedRequest(method, path, headers, json.loads(body) if body else None)


async def _play(
    reply: Reply,
    received: RecordedRequest,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    leaving = asyncio.ensure_future(reader.read(1))

    async def send_after(seconds: float, piece: bytes) -> None:
        if seconds:
            await asyncio.wait({leaving}, timeout=seconds)
        if leaving.done():
            raise ConnectionResetError
        writer.write(piece)
        await writer.drain()

    try:
        while reply.held and not reply.held.is_set() and not leaving.done():
            await asyncio.wait({leaving}, timeout=0.01)
        await send_after(reply.first_seconds, _head(reply))
        for piece in filter(None, reply.pieces):  # an empty one would say that it is the last
            await send_after(reply.gap_seconds, b"%x\r\n%b\r\n" % (len(piece), piece))
        if reply.end == "hang":
            await leaving
            raise ConnectionResetError
        if reply.end == "whole":
            await send_after(0, b"0\r\n\r\n")
    except ConnectionError:
        received.left.set()
    finally:
        leaving.cancel()


def _head(reply: Reply) -> bytes:
    headers = [*reply.headers, ("Transfer-Encoding", "chunked"), ("Connection", "close")]
    lines = [f"HTTP/1.1 {reply.status} Scripted", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode(errors="surrogateescape")


@contextmanager
def running_fake_model_server(
    prefixes: Sequence[str] = PREFIXES,
    flavour: ServerVariant | None = None,
    host: str = "127.0.0.1",
) -> Iterator[FakeModelServer]:
    """Serve on a free port, in a thread of its own, until the test is over."""
    server = FakeModelServer(flavour or ServerVariant(prefixes))
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(server.serve, host, 0))
    server.port = listening.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_end(listening), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(listening: asyncio.Server) -> None:
    listening.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
