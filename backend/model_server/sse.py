"""Relay a model server's event stream to the client.

Parsing every chunk as JSON costs four times the CPU of passing bytes on. So bytes are only
searched: for the model's name, for the end, and for an error.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from backend.errors import ModelServerError, SmolChatError
from backend.model_server.error_mapping import log_and_map_error

MAX_BUFFER_BYTES = 8 * 1024 * 1024
DONE = b"data: [DONE]\n\n"
_BLANK_LINES = (b"\n\n", b"\r\r", b"\r\n\r\n")

# JSON escapes quotes, so none of these can match inside what the model wrote.
# A line ends with \n, \r or both, which MULTILINE does not know.
_START = rb"(?:\A|(?<=[\r\n]))"
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"[^"]')
_DONE_LINE = re.compile(_START + rb"data: ?\[DONE\]")
_EVENT_LINE = re.compile(_START + rb"(data|error): ?([^\r\n]*)")
_ERROR_EVENT = re.compile(_START + rb"event: ?error(?=[\r\n])")
_DIGEST = re.compile(r"/sha256/([0-9a-f]{64})/")
_MODEL = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclass
class SseRelay:
    """One stream: fed bytes as they arrive, it returns whole lines.

    The stream is complete once each of its `choices` has a finish reason. `is_done` and `error` are
    set when the model server ends the stream or reports a failure.
    """

    model: str  # the id that the client asked for
    choices: int = 1
    is_done: bool = False
    error: SmolChatError | None = None
    _finished_choices: int = 0
    _buffer: bytes = b""  # what follows the last line break
    _tail: bytes = b""  # the last four bytes that were returned
    _has_begun: bool = False
    _replacement: tuple[bytes, bytes] | None = None  # the server's model field, and ours

    def feed(self, received: bytes) -> bytes:
        """Return the lines that may be passed on, which is nothing before the first event."""
        data = self._buffer + received if self._buffer else received
        end = len(data)
        if not data.endswith(b"\n"):
            end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not self._has_begun and not _EVENT_LINE.search(data, 0, end):
            end = 0
        lines, self._buffer = data[:end], data[end:]
        if len(self._buffer) > MAX_BUFFER_BYTES:
            self.error = invalid_response()
        return self._process(lines) if lines else b""

    def close(self) -> bytes:
        """Return what remains to be sent after the last byte.

        Raises:
            SmolChatError: The stream ended early.
        """
        lines = b"" if self.is_done or not self._buffer else self._process(self._buffer)
        if self.error:
            raise self.error
        if not self._has_begun:
            raise invalid_response() if self._buffer.strip() else _empty_response()
        # A server that returns one choice whatever is asked (Ollama) sends [DONE] after it.
        is_complete = self._finished_choices >= self.choices or self.is_done
        if not self._finished_choices or not is_complete:
            raise ModelServerError(
                "The model server stopped in the middle of its answer. Try again."
            )
        return lines + (DONE if self._tail.endswith(_BLANK_LINES) else b"\n\n" + DONE)

    @property
    def digest(self) -> str | None:
        """The digest of the model that answers, if the server reports it."""
        return parse_digest(self._replacement[0].decode()) if self._replacement else None

    def _process(self, lines: bytes) -> bytes:
        events = lines.count(b"data:")
        is_irregular = lines.count(b'"choices"') != events  # usually each event has one
        if is_irregular and b"[DONE]" in lines and (done := _DONE_LINE.search(lines)):
            self.is_done = True
            lines = lines[: done.start()]
            events = lines.count(b"data:")
        if (is_irregular or b"error" in lines) and (failure := _find_error(lines)):
            end, reason = failure
            self.error = log_and_map_error(None, reason)
            lines = lines[:end]
        if not self._has_begun and not self._begin(lines):
            return b""
        lines = self._rewrite_model(lines, events)
        if self._finished_choices < self.choices:
            self._finished_choices += len(_FINISHED.findall(lines))
        self._tail = (self._tail + lines)[-4:] if len(lines) < 4 else lines[-4:]
        return lines

    def _begin(self, lines: bytes) -> bool:
        """Check that the first event is a chunk of a completion."""
        if match := _EVENT_LINE.search(lines):
            self._has_begun = isinstance(_parse_object(match[2]).get("choices"), list)
            if not self._has_begun:
                self.error = self.error or invalid_response()
        return self._has_begun

    def _rewrite_model(self, lines: bytes, events: int) -> bytes:
        """Put the id that was asked for where the server names another.

        Usually each event names it as the one before did; if one does not, they are parsed.
        """
        if not self._replacement and (first := _EVENT_LINE.search(lines)):
            self._rewrite_event(first)
        if self._replacement and len(parts := lines.split(self._replacement[0])) > events:
            return self._replacement[1].join(parts)
        return _EVENT_LINE.sub(self._rewrite_event, lines) if b'"model"' in lines else lines

    def _rewrite_event(self, event: re.Match[bytes]) -> bytes:
        name = _parse_object(event[2]).get("model")
        replacement = model_replacement(name, event[2], self.model)
        self._replacement = replacement or self._replacement
        return event[0].replace(*replacement, 1) if replacement else event[0]


def model_replacement(name: object, raw: bytes, model: str) -> tuple[bytes, bytes] | None:
    """Return the bytes in `raw` that name the model as `name`, and what to put in their place.

    Docker Model Runner names the path of a file in its store.
    """
    if not isinstance(name, str) or not name:
        return None
    for match in _MODEL.finditer(raw):  # the arguments of a tool call may have such a field, too
        if from_json(match[1]) == name:
            return match[0], match[0] if name == model else b'"model":' + to_json(model)
    return None


def parse_digest(name: str) -> str | None:
    """Return a model's digest from the name that Docker Model Runner gives it, or None."""
    match = _DIGEST.search(name)
    return f"sha256:{match[1]}" if match else None


def parse_events(lines: bytes) -> Iterator[dict[str, Any]]:
    """Yield the events in whole lines as JSON; skip what is not an object, such as `[DONE]`."""
    for match in _EVENT_LINE.finditer(lines):
        if match[1] == b"data" and (event := _parse_object(match[2])):
            yield event


def extension_chunk(model: str, extensions: dict[str, Any]) -> bytes:
    """Return a chunk with `smolchat`, in the shape that OpenAI uses for usage: without choices."""
    chunk = {"object": "chat.completion.chunk", "created": int(time.time())}
    chunk |= {"model": model, "choices": [], "smolchat": extensions}
    return b"data: " + to_json(chunk) + b"\n\n"


def _find_error(lines: bytes) -> tuple[int, bytes] | None:
    """Return where the model server reports a failure, in any known shape, and its reason.

    What is neither a chunk nor an error is ignored.
    """
    named = _ERROR_EVENT.search(lines) if b"event:" in lines else None
    for event in _EVENT_LINE.finditer(lines):
        if named and event.start() > named.start():
            return named.start(), event[2]
        if event[1] == b"error":
            return event.start(), event[2]
        if (b'"error"' in event[2] or b'"choices"' not in event[2]) and _is_error(event[2]):
            return event.start(), event[2]
    return (named.start(), b"") if named else None


def _is_error(data: bytes) -> bool:
    event = _parse_object(data)
    if event.get("error") or "error" in (event.get("type"), event.get("object")):
        return True
    return "choices" not in event and bool(event.get("detail") or event.get("message"))


def _parse_object(data: bytes) -> dict[str, Any]:
    try:
        parsed = from_json(data)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _empty_response() -> ModelServerError:
    return ModelServerError("The model server answered with nothing. Try again.")


def invalid_response() -> ModelServerError:
    return ModelServerError(
        "The model server's answer is not a chat completion. Is DMR_BASE_URL the address of an "
        "OpenAI-compatible server?"
    )
