"""The responses of the fake model server, good and bad, as steps: data to send, or time to wait.

A request contains its own script, in a field `script`, which the API passes on like every unknown
field.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any

# Docker Model Runner reports the path of a file in its store as the model.
MODEL_PATH = "/models/bundles/sha256/8d1c2f0b7a9e4356/model/model.gguf"
WORD = " word"

# Complete responses, in various forms.
GOOD_STREAMS = ("plain", "in_crumbs", "without_done", "without_finish_reason", "with_crlf")
GOOD_RESPONSES = ("plain", "in_crumbs")
# The first request gets the error of a loading model, the second one a response.
LOADS = "loads"
# No complete response, streamed or not.
BAD_RESPONSES = (
    *("closes_at_once", "resets_at_once", "is_silent", "closes_after_the_head"),
    *("closes_midway", "resets_midway", "stalls_midway"),
    *("no_http", "wrong_framing", "promises_more", "html", "html_with_502"),
    *("empty", "null", "half_json", "error_with_200"),
    *("is_loading", "fails", "is_busy", "refuses"),
)
BAD_STREAMS = (*BAD_RESPONSES, "error_event")
# Complete responses that would take gigabytes of memory if they were read.
MANY_VALUES, COMPRESSED = "many_values", "compressed"
_EXCESSIVE_BLOCKS = 100
_MEGABYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Script:
    """How to respond: in which manner, with how many tokens, how fast.

    `name` identifies a repeated request.
    """

    manner: str = "plain"
    tokens: int = 16
    wait_ms: float = 0.0  # before the first byte
    gap_ms: float = 0.0  # between tokens
    paragraph: int = 0  # tokens per paragraph; 0: a single one
    name: str = ""


class ConnectionEnd(Enum):
    """What happens after the last byte, if the connection is not kept alive."""

    CLOSE = auto()
    RESET = auto()
    HANG = auto()


Step = bytes | float | ConnectionEnd  # data to send, seconds to wait, or the end of the connection


def steps(script: Script, *, is_stream: bool) -> Iterator[Step]:
    """Yield the steps of a response."""
    if script.wait_ms:
        yield script.wait_ms / 1000
    if script.manner in _FAILURES:
        yield from _FAILURES[script.manner]
    elif script.manner in (MANY_VALUES, COMPRESSED):
        yield from _excessive_steps(script.manner)
    elif is_stream:
        yield from _stream_steps(script)
    else:
        yield from _plain_steps(script)


def response(status: int, content: bytes, content_type: str = "application/json") -> bytes:
    """Build a response with a Content-Length."""
    head = f"HTTP/1.1 {status} Scripted\r\nContent-Type: {content_type}\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(content), content)


def error_response(status: int, message: str) -> bytes:
    """Build an error response as llama.cpp's server sends it."""
    return response(
        status, _json({"error": {"code": status, "message": message, "type": "scripted"}})
    )


def _excessive_steps(manner: str) -> Iterator[Step]:
    """Yield a hundred megabytes of empty lists, or a small gzip file of as many zeros."""
    if manner == COMPRESSED:
        yield _compressed_response()
        return
    block = b"[]," * (_MEGABYTE // 3)
    length = b"Content-Length: %d\r\n\r\n" % (_EXCESSIVE_BLOCKS * len(block) + 4)
    yield b"HTTP/1.1 200 Scripted\r\nContent-Type: application/json\r\n" + length + b"["
    for _ in range(_EXCESSIVE_BLOCKS):
        yield block
    yield b"[]]"


@cache
def _compressed_response() -> bytes:
    compressor = zlib.compressobj(1, wbits=31)  # gzip
    blocks = [compressor.compress(b"0" * _MEGABYTE) for _ in range(_EXCESSIVE_BLOCKS)]
    head, _, body = response(200, b"".join([*blocks, compressor.flush()])).partition(b"\r\n\r\n")
    return head + b"\r\nContent-Encoding: gzip\r\n\r\n" + body


def _plain_steps(script: Script) -> Iterator[Step]:
    data = response(200, _completion(script.tokens))
    cut = len(data) - len(data) // 4
    if script.manner in _MIDWAY:
        yield data[:cut]
        yield _MIDWAY[script.manner]
    elif script.manner == "in_crumbs":
        yield from _fragments(data)
    else:
        yield data


def _stream_steps(script: Script) -> Iterator[Step]:
    yield STREAM_HEAD
    yield chunked(stream_event({"role": "assistant", "content": None}))
    token_count = script.tokens if script.manner not in _MIDWAY else script.tokens // 2
    token = chunked(stream_event({"content": WORD}))
    paragraph_break = chunked(stream_event({"content": "\n\n"}))
    for number in range(1, token_count + 1):
        if script.gap_ms:
            yield script.gap_ms / 1000
        yield paragraph_break if script.paragraph and number % script.paragraph == 0 else token
    yield from _final_steps(script)


def _final_steps(script: Script) -> Iterator[Step]:
    events = final_events(script.tokens)
    match script.manner:
        case "closes_midway" | "resets_midway" | "stalls_midway":
            yield chunked(events)[:40]
            yield _MIDWAY[script.manner]
            return
        case "error_event":
            events = b'data: {"error":{"code":500,"message":"scripted","type":"server_error"}}\n\n'
        case "without_finish_reason":
            events = b"data: [DONE]\n\n"
        case "without_done":
            events = events.removesuffix(b"data: [DONE]\n\n")
        case "with_crlf":
            events = events.replace(b"\n", b"\r\n")
    chunks = _fragments(chunked(events)) if script.manner == "in_crumbs" else [chunked(events)]
    yield from chunks
    yield b"0\r\n\r\n"


@cache
def final_events(tokens: int, finish_reason: str = "stop") -> bytes:
    """Return the end of a stream: its finish reason, its usage, and `[DONE]`."""
    usage = {"completion_tokens": tokens, "prompt_tokens": 210, "total_tokens": 210 + tokens}
    numbers: dict[str, Any] = {"usage": usage, "timings": _timings(tokens)}
    return stream_event({}, finish_reason) + stream_event(None, **numbers) + b"data: [DONE]\n\n"


@cache
def _completion(tokens: int) -> bytes:
    message = {"role": "assistant", "content": WORD * tokens}
    usage = {"completion_tokens": tokens, "prompt_tokens": 210, "total_tokens": 210 + tokens}
    choices = [{"finish_reason": "stop", "index": 0, "message": message}]
    payload = {
        "choices": choices,
        "object": "chat.completion",
        "usage": usage,
        "timings": _timings(tokens),
    }
    return _json(payload | _COMMON)


def stream_event(
    delta: dict[str, Any] | None, finish_reason: str | None = None, **extra: Any
) -> bytes:
    """Return an event of a stream with one choice, or with none."""
    choices = (
        [] if delta is None else [{"finish_reason": finish_reason, "index": 0, "delta": delta}]
    )
    payload = {"choices": choices} | _COMMON | {"object": "chat.completion.chunk"} | extra
    return b"data: " + _json(payload) + b"\n\n"


def _timings(tokens: int) -> dict[str, float]:
    timings = {"cache_n": 0, "prompt_n": 210, "prompt_ms": 420.5, "prompt_per_second": 499.4}
    return timings | {"predicted_n": tokens, "predicted_ms": 640.5, "predicted_per_second": 25.1}


def _fragments(content: bytes) -> Iterator[Step]:
    """Cut the content into fragments so small that no line arrives in one of them."""
    for start in range(0, len(content), 37):
        yield content[start : start + 37]
        yield 0.0005


def chunked(content: bytes) -> bytes:
    """Return a chunk of HTTP's chunked encoding."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


_COMMON = {
    "created": 1795475188,
    "id": "chatcmpl-4rT0vYq9scripted2mKx7LhWb1ZpNdQe",
    "model": MODEL_PATH,
    "system_fingerprint": "b10999-0c1e570",
}
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_HTML = b"<!doctype html><title>Welcome</title><p>There is no model server here.</p>"
_MIDWAY = {
    "closes_midway": ConnectionEnd.CLOSE,
    "resets_midway": ConnectionEnd.RESET,
    "stalls_midway": ConnectionEnd.HANG,
}
_FAILURES: dict[str, Sequence[Step]] = {
    "closes_at_once": [ConnectionEnd.CLOSE],
    "resets_at_once": [ConnectionEnd.RESET],
    "is_silent": [ConnectionEnd.HANG],
    "closes_after_the_head": [STREAM_HEAD, ConnectionEnd.CLOSE],
    "no_http": [b"\x16\x03\x01 this is not HTTP \x00\xff\r\n\r\n", ConnectionEnd.CLOSE],
    "wrong_framing": [STREAM_HEAD + b"zz\r\nno length\r\n", ConnectionEnd.CLOSE],
    "promises_more": [response(200, _completion(8))[:-20], ConnectionEnd.CLOSE],
    "html": [response(200, _HTML, "text/html")],
    "html_with_502": [response(502, _HTML, "text/html")],
    "empty": [response(200, b"")],
    "null": [response(200, b"null")],
    "half_json": [response(200, _completion(8)[:200])],
    "error_with_200": [error_response(200, "scripted")],
    "is_loading": [error_response(503, "Loading model")],
    "fails": [error_response(500, "scripted")],
    "is_busy": [error_response(429, "scripted")],
    "refuses": [error_response(400, "scripted")],
}
