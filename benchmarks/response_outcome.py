"""How an answer of the API ended, and whether that is a proper end.

A stream ends with a finish reason and `[DONE]`, or with an error event; anything else with a whole
JSON body: an answer, or an error in OpenAI's shape.
"""

import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from benchmarks.http_client import Answer

_LINE_BREAK = re.compile(rb"\r\n|\n|\r")
_BLANK_LINES = (b"\n\n", b"\r\n\r\n", b"\r\r")
_ERROR_STATUSES = (400, 404, 429, 502, 503, 504)


@dataclass(frozen=True)
class ResponseOutcome:
    """What came of a request, in a word or two, and what is wrong with it, if anything."""

    kind: str
    fault: str = ""

    @property
    def is_whole(self) -> bool:
        return self.kind == "whole"


def classify_response(answer: Answer) -> ResponseOutcome:
    """Judge an answer by itself."""
    if not answer.status:
        return ResponseOutcome("no answer", "the connection ended without a status")
    if not answer.is_whole:
        return ResponseOutcome(
            "cut off", f"the connection ended in the middle of a {answer.status}"
        )
    if answer.status != 200:
        return _ending_of_error(answer)
    if answer.kind == "text/event-stream":
        return _ending_of_stream(answer.body)
    said = _parsed(answer.body)
    if said.get("choices"):
        return ResponseOutcome("whole")
    return ResponseOutcome("200 without an answer", "a 200 is no chat completion")


def _ending_of_error(answer: Answer) -> ResponseOutcome:
    code = _error_code(_parsed(answer.body))
    kind = f"{answer.status} {code}".strip()
    if answer.status not in _ERROR_STATUSES:
        return ResponseOutcome(kind, f"status {answer.status}")
    return ResponseOutcome(kind, "" if code else "the error has not OpenAI's shape")


def _ending_of_stream(body: bytes) -> ResponseOutcome:
    lines = _LINE_BREAK.split(body)
    events = [line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]
    if not events or not body.endswith(_BLANK_LINES):
        return ResponseOutcome("open stream", "the stream's last event is not ended")
    last = events[-1]
    if code := _error_code(_parsed(last)):
        return ResponseOutcome(
            f"event {code}", "an error follows [DONE]" if b"[DONE]" in events else ""
        )
    if last != b"[DONE]":
        return ResponseOutcome("open stream", "the stream ends without [DONE] and without an error")
    if events.count(b"[DONE]") > 1:
        return ResponseOutcome("whole", "the stream says [DONE] twice")
    has_finished = any(_finish_reason(_parsed(event)) for event in events)
    return ResponseOutcome("whole", "" if has_finished else "the stream has no finish reason")


def _finish_reason(chunk: dict[str, Any]) -> object:
    return next((choice.get("finish_reason") for choice in chunk.get("choices") or ()), None)


def _error_code(said: dict[str, Any]) -> str:
    error = said.get("error")
    if not isinstance(error, dict) or not error.get("message") or not error.get("type"):
        return ""
    return str(error.get("code") or "")


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        said = from_json(content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
