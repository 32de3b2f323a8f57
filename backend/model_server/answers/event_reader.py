"""Read server-sent events one by one, for the streams whose bytes cannot be passed on as they are.

The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html, and what
servers make of it: `error:` as a field of its own, in which older llama.cpp reports a failure; JSON
without `data:`; and one line break, where two should end an event.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from backend.model_server.answers.json_text import parse_json
from backend.model_server.response_limits import ResponseLimits

_LINE_END = re.compile(rb"\r\n|\n|\r")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIELDS = {b"", b"data", b"event", b"id", b"retry", b"error"}  # a comment's name is empty
DONE_MARK = b"[DONE]"


class ServerSentEvent(NamedTuple):
    """An event's name, if it has one, and its data."""

    name: str
    data: bytes
    is_bare: bool = False  # JSON that is not in an event


class EventReader:
    """One stream: fed bytes as they arrive, it yields the events that they complete."""

    def __init__(self, limits: ResponseLimits) -> None:
        self._limits = limits
        self.has_other_lines = False  # some are neither events nor JSON
        self._buffer = bytearray()
        self._name = ""
        self._data: list[bytes] = []
        self._json: list[bytes] = []  # the lines of JSON that is not in an event
        self._line_bytes = 0  # of both, with their line breaks

    def feed(self, received: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that are complete; comments and other fields are skipped.

        Raises:
            ModelServerError: An event is larger than the limits.
        """
        self._limits.check_event(len(self._buffer) + self._line_bytes)
        is_line_open = not self._buffer.endswith(b"\r")
        self._buffer += received
        if is_line_open and not _LINE_END.search(received):
            return
        # A carriage return at the end may be the first half of a line break.
        end = len(self._buffer) - self._buffer.endswith(b"\r")
        *lines, rest = _LINE_END.split(bytes(self._buffer[:end]))
        self._buffer = bytearray(rest) + self._buffer[end:]
        for line in lines:
            yield from self._read_line(line)

    def close(self) -> Iterator[ServerSentEvent]:
        """Yield the last event if the stream ended without the blank line after it."""
        yield from self._read_line(bytes(self._buffer.removesuffix(b"\r")))
        self._buffer.clear()
        yield from self._end_json()
        yield from self._end_event()

    def _read_line(self, line: bytes) -> Iterator[ServerSentEvent]:
        line = line.removeprefix(BYTE_ORDER_MARK)
        self._limits.check_values(line)
        if self._json and not line.startswith(b"data:"):
            yield from self._read_json(line)
            return
        yield from self._end_json()
        if not line:
            yield from self._end_event()
        elif line.lstrip().startswith((b"{", b"[")):
            yield from self._end_event()
            yield from self._read_json(line)
        else:
            yield from self._read_field(line)

    def _read_field(self, line: bytes) -> Iterator[ServerSentEvent]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            if len(self._data) == 1 and _is_complete(self._data[0]):
                yield from self._end_event()
            self._add_data(value)
        elif field == b"event":
            self._name = value.decode(errors="replace").strip()
        elif field == b"error":
            self._name = "error"
            self._add_data(value)
        elif field not in _FIELDS:
            self.has_other_lines |= bool(line.strip())

    def _add_data(self, value: bytes) -> None:
        self._data.append(value)
        self._line_bytes += len(value) + 1

    def _read_json(self, line: bytes) -> Iterator[ServerSentEvent]:
        """Read a line of JSON, which may have several: the last begins as it ends, not indented."""
        self._json.append(line)
        self._line_bytes += len(line) + 1
        if line.startswith((b"}", b"]")) or (len(self._json) == 1 and _is_complete(line)):
            yield from self._end_json()

    def _end_json(self) -> Iterator[ServerSentEvent]:
        if self._json:
            yield ServerSentEvent("", b"\n".join(self._json), is_bare=True)
            self._json, self._line_bytes = [], 0

    def _end_event(self) -> Iterator[ServerSentEvent]:
        if self._name or self._data:
            yield ServerSentEvent(self._name, b"\n".join(self._data))
        self._name, self._data, self._line_bytes = "", [], 0


def _is_complete(data: bytes) -> bool:
    """Return True if one line has all of an event, or of JSON that is not in one."""
    return data.strip(b' "') == DONE_MARK or isinstance(parse_json(data), dict | list)
