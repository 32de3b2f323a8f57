"""Read server-sent events one by one, for the streams whose bytes cannot be passed on as they are.

The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html, and `error:`
as a field of its own, in which older llama.cpp reports a failure.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r")


class ServerSentEvent(NamedTuple):
    """An event's name, if it has one, and its data."""

    name: str
    data: bytes


class EventReader:
    """One stream: fed bytes as they arrive, it yields the events that they complete."""

    def __init__(self) -> None:
        self._buffer = b""
        self._name = ""
        self._data: list[bytes] = []

    @property
    def buffered_bytes(self) -> int:
        return len(self._buffer) + sum(map(len, self._data))

    def feed(self, received: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that are complete; comments and other fields are skipped."""
        data = self._buffer + received
        # A carriage return at the end may be the first half of a line break.
        end = len(data) - 1 if data.endswith(b"\r") else len(data)
        *lines, rest = _LINE_END.split(data[:end])
        self._buffer = rest + data[end:]
        for line in lines:
            yield from self._read_line(line)

    def close(self) -> Iterator[ServerSentEvent]:
        """Yield the last event if the stream ended without the blank line after it."""
        yield from self._read_line(self._buffer.removesuffix(b"\r"))
        yield from self._read_line(b"")

    def _read_line(self, line: bytes) -> Iterator[ServerSentEvent]:
        if not line:
            if self._name or self._data:
                yield ServerSentEvent(self._name, b"\n".join(self._data))
            self._name, self._data = "", []
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode(errors="replace").strip()
        elif field == b"error":
            self._name = "error"
            self._data.append(value)
