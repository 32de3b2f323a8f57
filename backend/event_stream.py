"""A model server's event stream on its way to the client.

Reading every chunk as JSON costs four times the CPU of passing bytes on. So bytes are only
searched: for the model's name, for the end, and for an error.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator

from pydantic_core import from_json, to_json

from backend.errors import ModelServerError, SmolChatError
from backend.refusal import logged_refusal

MAX_HELD_BYTES = 8 * 1024 * 1024
DONE = b"data: [DONE]\n\n"

# In JSON text quotes are escaped, so none of these can match inside what the model wrote.
# A line ends with \n, \r or both, which MULTILINE does not know.
_START = rb"(?:\A|(?<=[\r\n]))"
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')
_DONE_LINE = re.compile(_START + rb"data: ?\[DONE\]")
_EVENT_LINE = re.compile(_START + rb"(?:data|error): ?([^\r\n]*)")
_ERROR_LINE = re.compile(
    _START
    + rb'(?:error: ?|data: ?(?=\{\s*"(?:error"\s*:(?!\s*null)|(?:type|object)"\s*:\s*"error")))'
    + rb"([^\r\n]*)"
)
_MODEL = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')


class EventStream:
    """One answer's events, fed as they come, given back as whole lines."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._rest = b""  # what follows the last line break
        self._told: tuple[bytes, bytes] | None = None  # the model's name there, and the one here
        self._has_begun = False
        self._is_finished = False
        self.done = False
        self.failure: SmolChatError | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Take what arrived; give what may be passed on, which is nothing before the first event.

        Sets `failure` when the model server says that it failed, and `done` at the end.
        """
        received = self._rest + chunk
        end = max(received.rfind(b"\n"), received.rfind(b"\r")) + 1
        if not self._has_begun and not _EVENT_LINE.search(received, 0, end):
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
        if not self._has_begun:
            raise ModelServerError("The model server answered with nothing. Try again.")
        if not self._is_finished:
            raise ModelServerError(
                "The model server stopped in the middle of its answer. Try again."
            )
        return rest + DONE

    def _inspect(self, lines: bytes) -> bytes:
        if error := b"error" in lines and _ERROR_LINE.search(lines):
            self.failure = logged_refusal(500, error[1])
            lines = lines[: error.start()]
        if done := b"[DONE]" in lines and _DONE_LINE.search(lines):
            self.done = True
            lines = lines[: done.start()]
        if not self._has_begun and not self._begin(lines):
            return b""
        self._told = self._told or model_named(lines, self._model)
        if self._told and self._told[0] != self._told[1]:
            lines = lines.replace(*self._told)
        self._is_finished = self._is_finished or _FINISHED.search(lines) is not None
        return lines

    def _begin(self, lines: bytes) -> bool:
        """Read the first event, which has to be a chunk of an answer."""
        if found := _EVENT_LINE.search(lines):
            self._has_begun = _is_chunk(found[1])
            if not self._has_begun:
                self.failure = self.failure or _nonsense()
        return self._has_begun


def model_named(raw: bytes, model: str) -> tuple[bytes, bytes] | None:
    """Give the bytes in `raw` that name the model, and what to put in their place.

    Docker Model Runner says the path of a file in its store there.
    """
    if not (found := _MODEL.search(raw)):
        return None
    asked = to_json(model)
    return found[0], found[0] if found[1] == asked else b'"model":' + asked


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


def _is_chunk(data: bytes) -> bool:
    try:
        chunk = from_json(data)
    except ValueError:
        return False
    return isinstance(chunk, dict) and isinstance(chunk.get("choices"), list)


def _nonsense() -> ModelServerError:
    return ModelServerError(
        "The model server's answer is not a chat completion. Is DMR_BASE_URL the address of an "
        "OpenAI-compatible server?"
    )
