"""Relay a model server's event stream to the client.

Parsing every chunk as JSON costs four times the CPU of passing bytes on. So bytes are only
searched: for the model's name, for the end, and for what cannot be passed on as it is. From there
on the stream is parsed.
"""

import re
import time
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json

from backend.errors import SmolChatError
from backend.model_server.answers.chunk_template import ChunkTemplate
from backend.model_server.answers.event_normalizer import EventNormalizer
from backend.model_server.answers.event_reader import BYTE_ORDER_MARK
from backend.model_server.answers.json_text import parse_object
from backend.model_server.answers.parsed_stream import ParsedStream, StreamState
from backend.model_server.response_limits import DEFAULT_LIMITS, ResponseLimits

DONE = b"data: [DONE]\n\n"
_MAX_TEMPLATE_BYTES = 64 * 1024  # one long event takes longer to compare than to search
_BLANK_LINES = (b"\n\n", b"\r\r", b"\r\n\r\n")

# JSON escapes quotes, so none of these can match inside what the model wrote.
# A line ends with \n, \r or both, which MULTILINE does not know.
_START = rb"(?:\A|(?<=[\r\n]))"
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"[^"]')
_DONE_LINE = re.compile(_START + rb"data: ?\[DONE\]")
_DATA_LINE = re.compile(_START + rb"data: ?([^\r\n]*)")
_TEXT_START = re.compile(rb'"(?:content|reasoning_content|reasoning)"\s*:\s*"[^"]')
_OTHER_LINE = re.compile(_START + rb"[ \t]*[^:\s]")  # not a comment
# A line that is not a field, or an event that ends with one line break.
_ODD_LINES = re.compile(
    _START + rb"(?:(?!data:|id:|retry:|:)[^\r\n]|data:[^\r\n]*(?:\r\n|\r|\n)data:)"
)
_MODEL = re.compile(rb'"model"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")')
_CHUNK_FORMS = (b'"delta":{', b'"delta": {', b'"choices":[]', b'"choices": []')


class SseRelay:
    """One stream: fed bytes as they arrive, it returns what may be passed on.

    The stream is complete once each of its `choices` has a finish reason, or after `[DONE]`: a
    choice that has none then gets `stop`. A server that sends one JSON object instead of a stream
    gets it turned into one; `includes_usage` says whether that has the usage.
    """

    def __init__(
        self,
        model: str,
        choices: int = 1,
        *,
        includes_usage: bool = False,
        limits: ResponseLimits = DEFAULT_LIMITS,
    ) -> None:
        self._limits = limits
        self._state = StreamState(model, choices, includes_usage=includes_usage)
        self._normalizer = EventNormalizer(limits)
        self._buffer = bytearray()  # what follows the last line break
        self._tail = b""  # the last four bytes that were returned
        self._replacement: tuple[bytes, bytes] | None = None  # the server's model field, and ours
        self._template: ChunkTemplate | None = None  # the latest chunk with text
        # Of several choices, only parsing tells which has finished.
        self._parsed = self._new_parsed_stream() if choices > 1 else None

    @property
    def error(self) -> SmolChatError | None:
        """The failure that the model server reported."""
        return self._state.error

    @property
    def is_done(self) -> bool:
        """Whether the model server ended the stream."""
        return self._state.is_done

    @property
    def digest(self) -> str | None:
        """The digest of the model that answers, if the server reports it."""
        return self._state.digest

    def feed(self, received: bytes) -> bytes:
        """Return what may be passed on: whole lines, and nothing before the first chunk.

        Raises:
            ModelServerError: An event is larger than the limits.
        """
        if self._parsed:
            return self._parse(received)
        if self._buffer or not received.endswith(b"\n"):
            received = self._whole_lines(received)
        is_short = len(received) < _MAX_TEMPLATE_BYTES
        if self._template and is_short and (renamed := self._template.rename(received)):
            return renamed
        return self._pass_on(received) if received else b""

    def close(self) -> bytes:
        """Return what remains to be sent after the last byte.

        Raises:
            SmolChatError: The stream ended early.
        """
        rest = b""
        if self._buffer and not self.is_done:
            last_line, self._buffer = bytes(self._buffer), bytearray()
            rest = self._pass_on(last_line)
        if self._parsed:
            rest += self._parsed.close()
        self._state.check_end()
        rest += b"".join(
            b"data: " + to_json(chunk) + b"\n\n" for chunk in self._state.finish_chunks()
        )
        return rest + (DONE if (self._tail + rest).endswith(_BLANK_LINES) else b"\n\n" + DONE)

    def _whole_lines(self, received: bytes) -> bytes:
        """Return the whole lines that there are now, and keep what follows the last line break."""
        end = max(received.rfind(b"\n"), received.rfind(b"\r")) + 1
        lines = bytes(self._buffer) + received[:end] if end else b""
        if end:
            self._buffer.clear()
        self._buffer += received[end:]
        self._limits.check_event(len(self._buffer))
        return lines

    def _new_parsed_stream(self) -> ParsedStream:
        return ParsedStream(self._state, self._normalizer, self._limits)

    def _parse(self, received: bytes) -> bytes:
        start = b""
        if self._parsed is None:
            self._template = None
            self._parsed = self._new_parsed_stream()
            received += bytes(self._buffer)
            self._buffer.clear()
            if self._tail and not self._tail.endswith(_BLANK_LINES):
                # Ends the last event that was passed on.
                start = b"\n" if self._tail.endswith(b"\n") else b"\n\n"
        chunks = self._parsed.feed(received)
        self._tail = b"\n\n"
        return start + chunks

    def _pass_on(self, lines: bytes) -> bytes:
        """Return whole lines, with the model's id in them; parse them if need be."""
        self._limits.check_lines(lines)
        if not self._state.has_begun:
            lines = lines.removeprefix(BYTE_ORDER_MARK)
        done = _DONE_LINE.search(lines) if b"[DONE]" in lines else None
        events = lines[: done.start()] if done else lines
        state, count = self._state, events.count(b"data:")
        if not (state.has_begun or _OTHER_LINE.search(lines)):
            return b""  # comments
        if not self._is_regular(events, count) or not (state.has_begun or self._begin(events)):
            return self._parse(lines)
        if (renamed := self._rewrite_model(events, count)) is None:
            return self._parse(lines)
        state.is_done = done is not None
        if not state.started and (b'"choices":[{' in events or b'"choices": [{' in events):
            state.started.add(0)
        if not state.with_text and _TEXT_START.search(events):
            state.with_text.add(0)
        if not state.finished and _FINISHED.search(events):
            state.finished.add(0)
        self._template = None
        is_short = len(events) < _MAX_TEMPLATE_BYTES
        if is_short and not state.finished and renamed.endswith(b"\n\n"):
            self._template = ChunkTemplate.of(events, self._replacement)
        self._tail = (self._tail + renamed)[-4:] if len(renamed) < 4 else renamed[-4:]
        return renamed

    def _is_regular(self, lines: bytes, count: int) -> bool:
        """Return True if each of the `count` events is a chunk that needs no change."""
        return (
            lines.count(b'"choices":[') + lines.count(b'"choices": [') == count
            # Each has a delta, or no choices.
            and (lines.count(b'"delta":{') == count or sum(map(lines.count, _CHUNK_FORMS)) == count)
            and b'"error"' not in lines
            and b"event:" not in lines
            and b"error:" not in lines
            and self._has_blank_lines(lines, count)
            and not self._normalizer.needs(lines)
        )

    def _has_blank_lines(self, lines: bytes, count: int) -> bool:
        """Return True if a blank line is between any two events, and nothing else is there."""
        if lines.startswith(b"data:"):
            if self._tail and not self._tail.endswith(_BLANK_LINES):
                return False
            if lines.count(b"\n") == 2 * count and lines.count(b"\n\n") == count:
                return True
        return not _ODD_LINES.search(lines)

    def _begin(self, lines: bytes) -> bool:
        """Record the first event if it is a chunk of a completion."""
        first = _DATA_LINE.search(lines)
        event = parse_object(first[1]) if first else {}
        if not first or not isinstance(event.get("choices"), list):
            return False
        self._state.begin(event)
        self._replacement = model_replacement(event.get("model"), first[1], self._state.model)
        return True

    def _rewrite_model(self, lines: bytes, count: int) -> bytes | None:
        """Put the id that was asked for in place of the server's name, which is the same in all.

        Return None if it is not.
        """
        if self._replacement and len(parts := lines.split(self._replacement[0])) == count + 1:
            return self._replacement[1].join(parts)
        return None if count or b'"model"' in lines else lines


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


def parse_events(lines: bytes) -> Iterator[dict[str, Any]]:
    """Yield the events in whole lines as JSON; skip what is not an object, such as `[DONE]`."""
    for match in _DATA_LINE.finditer(lines):
        if event := parse_object(match[1]):
            yield event


def extension_chunk(model: str, extensions: dict[str, Any]) -> bytes:
    """Return a chunk with `smolchat`, in the shape that OpenAI uses for usage: without choices."""
    chunk = {"object": "chat.completion.chunk", "created": int(time.time())}
    chunk |= {"model": model, "choices": [], "smolchat": extensions}
    return b"data: " + to_json(chunk) + b"\n\n"
