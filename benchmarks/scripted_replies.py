"""How the scripted model server answers, well or badly, as steps: what to send, how long to wait.

A request says itself how it is to be answered, in a field `script`, which the API passes on as it
does every field that it does not know.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any

# Docker Model Runner says the path of a file in its store where it names the model.
MODEL_PATH = "/models/bundles/sha256/8d1c2f0b7a9e4356/model/model.gguf"
WORD = " word"

# The answer is whole, however it arrives.
GOOD_STREAMS = ("plain", "in_crumbs", "without_done", "with_crlf")
GOOD_ANSWERS = ("plain", "in_crumbs")
# The server is loading when it is first asked, and answers when it is asked again.
LOADS = "loads"
# The answer is lost, streamed or not.
BAD_ANSWERS = (
    *("closes_at_once", "resets_at_once", "is_silent", "closes_after_the_head"),
    *("closes_midway", "resets_midway", "stalls_midway"),
    *("no_http", "wrong_framing", "promises_more", "html", "html_with_502"),
    *("empty", "null", "half_json", "error_with_200"),
    *("is_loading", "fails", "is_busy", "refuses"),
)
BAD_STREAMS = (*BAD_ANSWERS, "error_event", "without_finish_reason")


@dataclass(frozen=True, kw_only=True)
class Script:
    """How to answer: in what manner, with how many tokens, how fast.

    `name` tells a request that comes a second time.
    """

    manner: str = "plain"
    tokens: int = 16
    wait_ms: float = 0.0  # before anything is sent
    gap_ms: float = 0.0  # between tokens
    paragraph: int = 0  # tokens between two blank lines; none without
    name: str = ""


class End(Enum):
    """What follows the last byte, if not the next request."""

    CLOSE = auto()
    RESET = auto()
    HANG = auto()


Step = bytes | float | End  # send, wait so many seconds, or end


def steps(script: Script, *, is_stream: bool) -> Iterator[Step]:
    """Give what an answer is made of."""
    if script.wait_ms:
        yield script.wait_ms / 1000
    if script.manner in _NO_ANSWERS:
        yield from _NO_ANSWERS[script.manner]
    elif is_stream:
        yield from _stream(script)
    else:
        yield from _whole_answer(script)


def whole(status: int, content: bytes, kind: str = "application/json") -> bytes:
    """Give a response of known length."""
    head = f"HTTP/1.1 {status} Scripted\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}"
    return head.encode() + b"\r\n\r\n" + content


def error(status: int, message: str) -> bytes:
    """Give a refusal of the shape that llama.cpp's server uses."""
    return whole(status, _json({"error": {"code": status, "message": message, "type": "scripted"}}))


def _whole_answer(script: Script) -> Iterator[Step]:
    answer = whole(200, _answer(script.tokens))
    half = len(answer) - len(answer) // 4
    if script.manner in _MIDWAY:
        yield answer[:half]
        yield _MIDWAY[script.manner]
    elif script.manner == "in_crumbs":
        yield from _crumbs(answer)
    else:
        yield answer


def _stream(script: Script) -> Iterator[Step]:
    yield _STREAM_HEAD
    yield _chunked(_event({"role": "assistant", "content": None}))
    said = script.tokens if script.manner not in _MIDWAY else script.tokens // 2
    token, end = _chunked(_event({"content": WORD})), _chunked(_event({"content": "\n\n"}))
    for number in range(1, said + 1):
        if script.gap_ms:
            yield script.gap_ms / 1000
        yield end if script.paragraph and number % script.paragraph == 0 else token
    yield from _last_steps(script)


def _last_steps(script: Script) -> Iterator[Step]:
    events = _last_events(script.tokens)
    match script.manner:
        case "closes_midway" | "resets_midway" | "stalls_midway":
            yield _chunked(events)[:40]
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
    pieces = _crumbs(_chunked(events)) if script.manner == "in_crumbs" else [_chunked(events)]
    yield from pieces
    yield b"0\r\n\r\n"


@cache
def _last_events(tokens: int) -> bytes:
    usage = {"completion_tokens": tokens, "prompt_tokens": 210, "total_tokens": 210 + tokens}
    numbers: dict[str, Any] = {"usage": usage, "timings": _timings(tokens)}
    return _event({}, "stop") + _event(None, **numbers) + b"data: [DONE]\n\n"


@cache
def _answer(tokens: int) -> bytes:
    message = {"role": "assistant", "content": WORD * tokens}
    usage = {"completion_tokens": tokens, "prompt_tokens": 210, "total_tokens": 210 + tokens}
    told: dict[str, Any] = {"choices": [{"finish_reason": "stop", "index": 0, "message": message}]}
    told |= {"object": "chat.completion", "usage": usage, "timings": _timings(tokens)}
    return _json(told | _COMMON)


def _event(delta: dict[str, Any] | None, finish_reason: str | None = None, **more: Any) -> bytes:
    choices = (
        [] if delta is None else [{"finish_reason": finish_reason, "index": 0, "delta": delta}]
    )
    told = {"choices": choices} | _COMMON | {"object": "chat.completion.chunk"} | more
    return b"data: " + _json(told) + b"\n\n"


def _timings(tokens: int) -> dict[str, float]:
    timings = {"cache_n": 0, "prompt_n": 210, "prompt_ms": 420.5, "prompt_per_second": 499.4}
    return timings | {"predicted_n": tokens, "predicted_ms": 640.5, "predicted_per_second": 25.1}


def _crumbs(content: bytes) -> Iterator[Step]:
    """Cut into pieces so small that no line arrives whole."""
    for start in range(0, len(content), 37):
        yield content[start : start + 37]
        yield 0.0005


def _chunked(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


_COMMON = {
    "created": 1795475188,
    "id": "chatcmpl-4rT0vYq9scripted2mKx7LhWb1ZpNdQe",
    "model": MODEL_PATH,
    "system_fingerprint": "b10999-0c1e570",
}
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_PAGE = b"<!doctype html><title>Welcome</title><p>There is no model server here.</p>"
_MIDWAY = {"closes_midway": End.CLOSE, "resets_midway": End.RESET, "stalls_midway": End.HANG}
_NO_ANSWERS: dict[str, Sequence[Step]] = {
    "closes_at_once": [End.CLOSE],
    "resets_at_once": [End.RESET],
    "is_silent": [End.HANG],
    "closes_after_the_head": [_STREAM_HEAD, End.CLOSE],
    "no_http": [b"\x16\x03\x01 this is not HTTP \x00\xff\r\n\r\n", End.CLOSE],
    "wrong_framing": [_STREAM_HEAD + b"zz\r\nno length\r\n", End.CLOSE],
    "promises_more": [whole(200, _answer(8))[:-20], End.CLOSE],
    "html": [whole(200, _PAGE, "text/html")],
    "html_with_502": [whole(502, _PAGE, "text/html")],
    "empty": [whole(200, b"")],
    "null": [whole(200, b"null")],
    "half_json": [whole(200, _answer(8)[:200])],
    "error_with_200": [error(200, "scripted")],
    "is_loading": [error(503, "Loading model")],
    "fails": [error(500, "scripted")],
    "is_busy": [error(429, "scripted")],
    "refuses": [error(400, "scripted")],
}
