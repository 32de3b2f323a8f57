"""A scripted model server on a real socket: the only fake in the tests.

It responds like a recorded Docker Model Runner (`tests/data/recordings/`) or like another server
(`model_server_variants.py`), plays the replies that a test queues, and records requests. It can
also fail as real servers do: stay silent, stop in the middle, return nonsense.
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
    """A response, sent in chunks; `end` is what happens after the last one.

    `cut` closes the connection before the response is complete; `hang` keeps it open and silent.
    """

    status: int = 200
    headers: Sequence[tuple[str, str]] = JSON
    chunks: Sequence[bytes] = ()
    release: threading.Event | None = None  # nothing is sent before it is set
    delay_seconds: float = 0.0  # before the status line
    interval_seconds: float = 0.0  # before each chunk
    end: Literal["complete", "cut", "hang"] = "complete"


@dataclass
class RecordedRequest:
    """A request, and whether its client disconnected before the response was complete."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    disconnected: threading.Event = field(default_factory=threading.Event)


NO_GRAMMAR = Reply(400, JSON, [b'{"error": {"message": "Unsupported parameter: \'grammar\'"}}'])


def replay(case: str, **changes: Any) -> Reply:
    """Return a recorded response: status, headers, body, and whether it was cut off."""
    response = json.loads((RECORDINGS / f"{case}.json").read_text())["response"]
    body = response["body"].encode()
    events = [event + b"\n\n" for event in body.split(b"\n\n") if event]
    is_stream = ["Content-Type", "text/event-stream"] in response["headers"] or b"\ndata: " in body
    reply = Reply(
        status=response["status"] or 200,
        headers=[h for h in response["headers"] if h[0] not in _FRAMING],
        chunks=events if is_stream else [body],
        end="cut" if response["framing"] == "ended without the last chunk" else "complete",
    )
    return replace(reply, **changes)


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **fields: Any) -> bytes:
    """Return an event in the recorded shape with another delta."""
    choices = [{"finish_reason": finish_reason, "index": 0, "delta": delta}]
    event = {"choices": choices, "created": 1795475188, "id": "chatcmpl-1", "model": MODEL_PATH}
    event |= {"object": "chat.completion.chunk"} | fields
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def stream_reply(texts: Sequence[str], **changes: Any) -> Reply:
    """Return a stream with a chunk for each text, and llama.cpp's usage and timings at its end."""
    count = len(texts)
    usage = {"completion_tokens": count, "prompt_tokens": 31, "total_tokens": 31 + count}
    timings = {"cache_n": 0, "prompt_n": 31, "prompt_ms": 120.0, "prompt_per_second": 258.3}
    timings |= {"predicted_n": count, "predicted_ms": count * 20.0, "predicted_per_second": 50.0}
    last = json.dumps(
        {"choices": [], "model": MODEL_PATH, "object": "chat.completion.chunk"}
        | {"usage": usage, "timings": timings},
        separators=(",", ":"),
    ).encode()
    chunks = [
        chunk({"role": "assistant", "content": None}),
        *(chunk({"content": text}) for text in texts),
        chunk({}, "stop"),
        b"data: " + last + b"\n\n",
        DONE,
    ]
    return replace(Reply(headers=EVENTS, chunks=chunks), **changes)


@dataclass(frozen=True)
class ServerVariant:
    """How a kind of model server differs from the recorded one."""

    prefixes: Sequence[str] = PREFIXES
    models: Reply = field(default_factory=lambda: replay("engines-llamacpp-v1-models"))
    model_id_pattern: str = ".*"  # other ids get `unknown_model`
    unknown_model: Reply = field(default_factory=lambda: replay("err-model-not-pulled"))
    unknown_route: Reply = field(default_factory=lambda: replay("err-unknown-route"))
    supports_preload: bool = True
    accepted_fields: frozenset[str] | None = None  # it rejects others
    sends_usage: bool = True  # in a stream, when requested
    sends_done: bool = True
    # Maps a recorded payload and the requested model id to this server's; None changes no byte.
    rewrite: Callable[[dict[str, Any], str], dict[str, Any]] | None = None

    def reply_to(self, body: dict[str, Any]) -> Reply:
        if self.accepted_fields is not None and (unknown := body.keys() - self.accepted_fields):
            error = {"message": f"Unknown parameters: {sorted(unknown)}", "code": 400}
            return Reply(400, JSON, [json.dumps({"error": error}).encode()])
        if not body.get("stream"):
            return self._rewritten(replay("chat"), body["model"])
        has_usage = body.get("stream_options", {}).get("include_usage") and self.sends_usage
        reply = self._rewritten(replay("stream-usage" if has_usage else "stream"), body["model"])
        return reply if self.sends_done else replace(reply, chunks=reply.chunks[:-1])

    def _rewritten(self, reply: Reply, model: str) -> Reply:
        return replace(reply, chunks=[self._rewrite_chunk(data, model) for data in reply.chunks])

    def _rewrite_chunk(self, data: bytes, model: str) -> bytes:
        if data == DONE or self.rewrite is None:
            return data
        prefix = b"data: " if data.startswith(b"data: ") else b""
        payload = self.rewrite(json.loads(data.removeprefix(prefix)), model)
        return prefix + json.dumps(payload).encode() + b"\n\n"


class FakeModelServer:
    """Records requests and plays queued replies; if there is none, a recorded one."""

    def __init__(self, variant: ServerVariant) -> None:
        self.requests: list[RecordedRequest] = []
        self.replies: deque[Reply] = deque()
        self.models = variant.models
        self.routes: dict[str, Reply] = {}  # by path: what other GET requests get
        self.posted_routes: dict[str, Callable[[Any], Reply]] = {}  # and by body, other POSTs
        self.empty_chat_reply = replay("err-empty-body")
        self.preload_reply = replay("preload-only-loaded")
        # If not, the probe for grammars is refused, and is none of the recorded chat requests.
        self.takes_grammar = False
        self.knows_tools: bool | None = True  # if None, it does not say so
        self.port = 0
        self.prefixes = variant.prefixes
        self.variant = variant

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefixes[0]}"

    @property
    def root_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def chat_requests(self) -> list[RecordedRequest]:
        return [
            request
            for request in self.requests
            if request.path.endswith("/chat/completions")
            and request.body is not None
            and PRELOAD not in request.headers
            and not self._refuses_probe(request.body)
        ]

    @property
    def preload_requests(self) -> list[RecordedRequest]:
        return [request for request in self.requests if PRELOAD in request.headers]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read_request(reader)
            self.requests.append(request)
            await _play(self._reply(request), request, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client disconnected
        finally:
            writer.close()

    def _reply(self, request: RecordedRequest) -> Reply:
        routes = self._properties() | self.routes
        routes |= {prefix + "/models": self.models for prefix in self.prefixes}
        path = request.path.partition("?")[0]
        if request.method == "GET" and path in routes:
            return routes[path]
        if request.method == "POST" and path in self.posted_routes:
            return self.posted_routes[path](request.body)
        if request.path not in [prefix + "/chat/completions" for prefix in self.prefixes]:
            return self.variant.unknown_route
        return self._chat_reply(request)

    def _properties(self) -> dict[str, Reply]:
        if self.knows_tools is None:
            return {}
        properties = {"chat_template_caps": {"supports_tools": self.knows_tools}}
        return {"/props": Reply(chunks=[json.dumps(properties).encode()])}

    def _chat_reply(self, request: RecordedRequest) -> Reply:
        if request.body is None:
            return self.empty_chat_reply
        if not re.fullmatch(self.variant.model_id_pattern, request.body["model"]):
            return self.variant.unknown_model
        if self._refuses_probe(request.body):
            return NO_GRAMMAR
        if PRELOAD in request.headers and self.variant.supports_preload:
            return self.preload_reply
        return self.replies.popleft() if self.replies else self.variant.reply_to(request.body)

    def _refuses_probe(self, body: dict[str, Any]) -> bool:
        return not self.takes_grammar and "zq" in str(body.get("grammar"))


async def _read_request(reader: asyncio.StreamReader) -> RecordedRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    request_line, *lines = head.strip().split("\r\n")
    method, path, _ = request_line.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return RecordedRequest(method, path, headers, json.loads(body) if body else None)


async def _play(
    reply: Reply,
    request: RecordedRequest,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    disconnect = asyncio.ensure_future(reader.read(1))

    async def send_after(seconds: float, data: bytes) -> None:
        if seconds:
            await asyncio.wait({disconnect}, timeout=seconds)
        if disconnect.done():
            raise ConnectionResetError
        writer.write(data)
        await writer.drain()

    try:
        while reply.release and not reply.release.is_set() and not disconnect.done():
            await asyncio.wait({disconnect}, timeout=0.01)
        await send_after(reply.delay_seconds, _head(reply))
        for data in filter(None, reply.chunks):  # an empty chunk would end the response
            await send_after(reply.interval_seconds, b"%x\r\n%b\r\n" % (len(data), data))
        if reply.end == "hang":
            await disconnect
            raise ConnectionResetError
        if reply.end == "complete":
            await send_after(0, b"0\r\n\r\n")
    except ConnectionError:
        request.disconnected.set()
    finally:
        disconnect.cancel()


def _head(reply: Reply) -> bytes:
    headers = [*reply.headers, ("Transfer-Encoding", "chunked"), ("Connection", "close")]
    lines = [f"HTTP/1.1 {reply.status} Scripted", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode(errors="surrogateescape")


@contextmanager
def running_fake_model_server(
    prefixes: Sequence[str] = PREFIXES,
    variant: ServerVariant | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[FakeModelServer]:
    """Serve on `port`, or a free one, in its own thread."""
    server = FakeModelServer(variant or ServerVariant(prefixes))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        # In its thread, as this one may have a loop that is running: Playwright's.
        listening = asyncio.start_server(server.serve, host, port)
        listener = asyncio.run_coroutine_threadsafe(listening, loop).result()
        server.port = listener.sockets[0].getsockname()[1]
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(_close(listener), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(listener: asyncio.Server) -> None:
    listener.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
