"""Classifies how a response of the API ended, and whether that is a valid end.

A stream must end with a finish reason and `[DONE]`, or with an error event; one of AG-UI with
`RUN_FINISHED` or `RUN_ERROR`. Any other response must be a complete JSON body: a chat completion,
or an error in OpenAI's format.
"""

import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from benchmarks.http_client import HttpResponse

_LINE_BREAK = re.compile(rb"\r\n|\n|\r")
_BLANK_LINES = (b"\n\n", b"\r\n\r\n", b"\r\r")
_ERROR_STATUSES = (400, 404, 429, 502, 503, 504)


@dataclass(frozen=True)
class ResponseOutcome:
    """The kind of result, and what is wrong with it, if anything."""

    kind: str
    fault: str = ""

    @property
    def is_complete(self) -> bool:
        return self.kind == "complete"


def classify_response(response: HttpResponse) -> ResponseOutcome:
    """Classify a response without knowing its script."""
    if not response.status:
        return ResponseOutcome("no response", "the connection ended without a status")
    if not response.is_complete:
        return ResponseOutcome(
            "cut off", f"the connection ended in the middle of a {response.status}"
        )
    if response.status != 200:
        return _classify_error(response)
    if response.content_type == "text/event-stream":
        return _classify_stream(response.body)
    payload = _parse_object(response.body)
    if payload.get("choices"):
        return ResponseOutcome("complete")
    return ResponseOutcome("200 without a completion", "a 200 is not a chat completion")


def classify_run(response: HttpResponse) -> ResponseOutcome:
    """Classify the response to a run of AG-UI."""
    if not response.status or not response.is_complete or response.status != 200:
        return classify_response(response)
    events = [_parse_object(event) for event in _stream_events(response.body)]
    ends = [event for event in events if event.get("type") in ("RUN_FINISHED", "RUN_ERROR")]
    if not events or events[-1:] != ends or not response.body.endswith(_BLANK_LINES):
        return ResponseOutcome("open run", "the run does not end with its one last event")
    code = ends[0].get("code") if ends[0]["type"] == "RUN_ERROR" else None
    return ResponseOutcome(f"event {code}" if code else "complete")


def _classify_error(response: HttpResponse) -> ResponseOutcome:
    code = _error_code(_parse_object(response.body))
    kind = f"{response.status} {code}".strip()
    if response.status not in _ERROR_STATUSES:
        return ResponseOutcome(kind, f"status {response.status}")
    return ResponseOutcome(kind, "" if code else "the error is not in OpenAI's format")


def _classify_stream(body: bytes) -> ResponseOutcome:
    events = _stream_events(body)
    if not events or not body.endswith(_BLANK_LINES):
        return ResponseOutcome("open stream", "the last event of the stream is not terminated")
    last = events[-1]
    if code := _error_code(_parse_object(last)):
        return ResponseOutcome(
            f"event {code}", "an error follows [DONE]" if b"[DONE]" in events else ""
        )
    if last != b"[DONE]":
        return ResponseOutcome("open stream", "the stream ends without [DONE] and without an error")
    if events.count(b"[DONE]") > 1:
        return ResponseOutcome("complete", "the stream has [DONE] twice")
    has_finished = any(_finish_reason(_parse_object(event)) for event in events)
    return ResponseOutcome("complete", "" if has_finished else "the stream has no finish reason")


def _stream_events(body: bytes) -> list[bytes]:
    """Return the data of the events in a stream."""
    lines = _LINE_BREAK.split(body)
    return [line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]


def _finish_reason(chunk: dict[str, Any]) -> object:
    return next((choice.get("finish_reason") for choice in chunk.get("choices") or ()), None)


def _error_code(payload: dict[str, Any]) -> str:
    error = payload.get("error")
    if not isinstance(error, dict) or not error.get("message") or not error.get("type"):
        return ""
    return str(error.get("code") or "")


def _parse_object(content: bytes) -> dict[str, Any]:
    try:
        payload = from_json(content)
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}
