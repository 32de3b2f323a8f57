"""A model server's event stream on its way to the client.

Reading every chunk as JSON costs four times the CPU of passing bytes on. So bytes are only
searched: for the model's name, for the end, and for an error.
"""

import re
import time
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json

from backend.errors import ModelServerError, SmolChatError
from backend.model_server.error_mapping import log_and_map_error

MAX_BUFFER_BYTES = 8 * 1024 * 1024
DONE = b"data: [DONE]\n\n"
_BLANK_LINES = (b"\n\n", b"\r\r", b"\r\n\r\n")

# In JSON text quotes are escaped, so none of these can match inside what the model wrote.
# A line ends with \n, \r or both, which MULTILINE does not know.
_START = rb"(?:\A|(?<=[\r\n]))"
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"[^"]')
_DONE_LINE = re.compile(_START + rb"data: ?\[DONE\]")
_EVENT_LINE = re.compile(_START + rb"(data|error): ?([^\r\n]*)")
_ERROR_EVENT = re.compile(_START + rb"event: ?error(?=[\r\n])")
_DIGEST = re.compile(r"/sha256/([0-9a-f]{64})/")
_MODEL = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')


class SseRelay:
    """One answer's events, fed as they come, given back as whole lines.

    It is finished when each of its `choices` has said why it ended.
    """

    def __init__(self, model: str, choices: int = 1) -> None:
        self._model = model
        self._choices = self._unfinished = choices
        self._buffer = b""  # what follows the last line break
        self._tail = b""  # of what was passed on
        self._has_begun = False
        self._model_replacement: tuple[bytes, bytes] | None = (
            None  # the model's name there, and the one here
        )
        self.is_done = False
        self.error: SmolChatError | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Take what arrived; give what may be passed on, which is nothing before the first event.

        Sets `failure` when the model server says that it failed, and `is_done` at the end.
        """
        received = self._buffer + chunk if self._buffer else chunk
        end = len(received)
        if not received.endswith(b"\n"):
            end = max(received.rfind(b"\n"), received.rfind(b"\r")) + 1
        if not self._has_begun and not _EVENT_LINE.search(received, 0, end):
            end = 0
        lines, self._buffer = received[:end], received[end:]
        if len(self._buffer) > MAX_BUFFER_BYTES:
            self.error = invalid_response()
        return self._process(lines) if lines else b""

    def close(self) -> bytes:
        """Give what is still owed to the client after the last byte.

        Raises:
            SmolChatError: the answer is not whole.
        """
        rest = b"" if self.is_done or not self._buffer else self._process(self._buffer)
        if self.error:
            raise self.error
        if not self._has_begun:
            raise invalid_response() if self._buffer.strip() else _empty_response()
        # A server that gives one answer whatever is asked (Ollama) says itself that this was all.
        if self._unfinished == self._choices or (self._unfinished > 0 and not self.is_done):
            raise ModelServerError(
                "The model server stopped in the middle of its answer. Try again."
            )
        return rest + (DONE if self._tail.endswith(_BLANK_LINES) else b"\n\n" + DONE)

    def _process(self, lines: bytes) -> bytes:
        chunks = lines.count(b"data:")
        is_odd = lines.count(b'"choices"') != chunks  # as a rule each chunk has them once
        if is_odd and b"[DONE]" in lines and (done := _DONE_LINE.search(lines)):
            self.is_done = True
            lines = lines[: done.start()]
        if (is_odd or b"error" in lines) and (failed := _find_error(lines)):
            end, said = failed
            self.error = log_and_map_error(None, said)
            lines = lines[:end]
        if not self._has_begun and not self._begin(lines):
            return b""
        lines = self._rewrite_model(lines, chunks)
        if self._unfinished > 0:
            self._unfinished -= len(_FINISHED.findall(lines))
        self._tail = (self._tail + lines)[-4:] if len(lines) < 4 else lines[-4:]
        return lines

    def _rewrite_model(self, lines: bytes, chunks: int) -> bytes:
        """Put the id that was asked for where the server says another.

        As a rule each chunk says it as the last one did; where one does not, they are read.
        """
        if (
            self._model_replacement
            and len(parts := lines.split(self._model_replacement[0])) > chunks
        ):
            return self._model_replacement[1].join(parts)
        return _EVENT_LINE.sub(self._rewrite_event, lines) if b'"model"' in lines else lines

    def _rewrite_event(self, event: re.Match[bytes]) -> bytes:
        told = model_replacement(_parse_object(event[2]).get("model"), event[2], self._model)
        self._model_replacement = told or self._model_replacement
        return event[0].replace(*told, 1) if told else event[0]

    @property
    def digest(self) -> str | None:
        """The digest of the model that answers, where the server tells it."""
        return (
            parse_digest(self._model_replacement[0].decode()) if self._model_replacement else None
        )

    def _begin(self, lines: bytes) -> bool:
        """Read the first event, which has to be a chunk of an answer."""
        if found := _EVENT_LINE.search(lines):
            chunk = _parse_object(found[2])
            self._has_begun = isinstance(chunk.get("choices"), list)
            if not self._has_begun:
                self.error = self.error or invalid_response()
        return self._has_begun


def model_replacement(said: object, raw: bytes, model: str) -> tuple[bytes, bytes] | None:
    """Give the bytes of `raw` that name the model as `said`, and what to put in their place.

    Docker Model Runner says the path of a file in its store there.
    """
    if not isinstance(said, str) or not said:
        return None
    for found in _MODEL.finditer(raw):  # what a tool is called with may hold such a field too
        if from_json(found[1]) == said:
            return found[0], found[0] if said == model else b'"model":' + to_json(model)
    return None


def parse_digest(name: str) -> str | None:
    """Find a model's digest in the name that Docker Model Runner gives it: a path in its store."""
    found = _DIGEST.search(name)
    return f"sha256:{found[1]}" if found else None


def parse_events(lines: bytes) -> Iterator[dict[str, Any]]:
    """Read the events of whole lines; what is no JSON object, such as `[DONE]`, is left out."""
    for found in _EVENT_LINE.finditer(lines):
        if found[1] == b"data" and (event := _parse_object(found[2])):
            yield event


def extension_chunk(model: str, told: dict[str, Any]) -> bytes:
    """Make a chunk of ours, of the shape that OpenAI uses for usage: without choices."""
    chunk = {"object": "chat.completion.chunk", "created": int(time.time())}
    chunk |= {"model": model, "choices": [], "smolchat": told}
    return b"data: " + to_json(chunk) + b"\n\n"


def _find_error(lines: bytes) -> tuple[int, bytes] | None:
    """Find where the model server says that it failed, in any of the known shapes, and its words.

    What is no chunk, and no error either, is passed by.
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
    told = _parse_object(data)
    if told.get("error") or "error" in (told.get("type"), told.get("object")):
        return True
    return "choices" not in told and bool(told.get("detail") or told.get("message"))


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
