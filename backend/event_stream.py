"""A model server's event stream on its way to the client.

Reading every chunk as JSON costs four times the CPU of passing bytes on. So bytes are only
searched: for the model's name, for the end, and for an error.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from pydantic_core import from_json, to_json

from backend.errors import ModelServerError, SmolChatError
from backend.refusal import refusal

MAX_HELD_BYTES = 8 * 1024 * 1024
DONE = b"data: [DONE]\n\n"
_SAME = (b"", b"")

# In JSON text quotes are escaped, so none of these can match inside what the model wrote.
# A line ends with \n, \r or both, which MULTILINE does not know.
_START = rb"(?:\A|(?<=[\r\n]))"
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')
_DONE_LINE = re.compile(_START + rb"data: ?\[DONE\]")
_EVENT_LINE = re.compile(_START + rb"(?:data|error): ?([^\r\n]*)")
_ERROR_LINE = re.compile(
    _START + rb'(?:error: ?|data: ?(?=\{\s*"(?:error|(?:type|object)"\s*:\s*"error)"))([^\r\n]*)'
)


class EventStream:
    """One answer's events, fed as they come, given back as whole lines."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._rest = b""  # what follows the last line break
        self._told: tuple[bytes, bytes] | None = None  # the model's name there, and the one here
        self._finished = False
        self.done = False
        self.failure: SmolChatError | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Take what arrived; give what may be passed on, which is nothing before the first event.

        Sets `failure` when the model server says that it failed, and `done` at the end.
        """
        received = self._rest + chunk
        end = max(received.rfind(b"\n"), received.rfind(b"\r")) + 1
        if self._told is None and not _EVENT_LINE.search(received, 0, end):
            end = 0
        lines, self._rest = received[:end], received[end:]
        if len(self._rest) > MAX_HELD_BYTES:
            self.failure = _nonsense()
        return self._inspect(lines) if lines else b""

    def close(self) -> bytes:
        """Give what is still owed to the client after the last byte.

        Raises:
            SmolChatError: the answer is not whole.
        """
        rest = b"" if self.done or not self._rest else self._inspect(self._rest + b"\n\n")
        if self.failure:
            raise self.failure
        if self._told is None:
            raise ModelServerError("The model server answered with nothing. Try again.")
        if not self._finished:
            raise ModelServerError(
                "The model server stopped in the middle of its answer. Try again."
            )
        return rest + DONE

    def _inspect(self, lines: bytes) -> bytes:
        if error := b"error" in lines and _ERROR_LINE.search(lines):
            self.failure = refusal(500, error[1])
            lines = lines[: error.start()]
        if done := b"[DONE]" in lines and _DONE_LINE.search(lines):
            self.done = True
            lines = lines[: done.start()]
        if self._told is None:
            self._told = self._learn_model(lines)
            if self._told is None:
                return b""
        if self._told is not _SAME:
            lines = lines.replace(*self._told)
        self._finished = self._finished or _FINISHED.search(lines) is not None
        return lines

    def _learn_model(self, lines: bytes) -> tuple[bytes, bytes] | None:
        """Read the first event: it is a chunk of an answer, and says the model's name.

        Docker Model Runner says the path of a file in its store there.
        """
        found = _EVENT_LINE.search(lines)
        if not found:
            return None
        try:
            chunk = from_json(found[1])
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict) or not isinstance(chunk.get("choices"), list):
            self.failure = self.failure or _nonsense()
            return None
        return named(chunk, lines, self._model)


def named(answer: dict[str, Any], raw: bytes, model: str) -> tuple[bytes, bytes]:
    """Give the bytes in `raw` that name the model, and what to put in their place."""
    said = answer.get("model")
    if not isinstance(said, str) or said == model:
        return _SAME
    found = re.search(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*"', raw)
    return (found[0], b'"model":' + to_json(model)) if found else _SAME


async def relayed(raw: AsyncIterator[bytes], model: str) -> AsyncGenerator[bytes]:
    """Pass an event stream on, saying `model` where the model server says another name.

    The first piece holds the first event, and the last one `[DONE]`.

    Raises:
        SmolChatError: the model server failed, or stopped before the answer was whole.
    """
    events = EventStream(model)
    async for chunk in raw:
        if piece := events.feed(chunk):
            yield piece
        if events.failure:
            raise events.failure
        if events.done:
            break
    if rest := events.close():
        yield rest


def _nonsense() -> ModelServerError:
    return ModelServerError(
        "The model server's answer is not a chat completion. Is DMR_BASE_URL the address of an "
        "OpenAI-compatible server?"
    )
