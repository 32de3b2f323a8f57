"""What most chunks of a stream have in common: all but their text.

Comparing bytes with those of an earlier chunk is far cheaper than to search each chunk for what
cannot be passed on.
"""

import re
from dataclasses import dataclass
from typing import Self

_TEXT = re.compile(rb'"(?:content|reasoning_content|reasoning)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"')
_SIMPLE_TEXT = re.compile(rb'[^"\\\x00-\x1f\x80-\xff]+')
# JSON text whose escaped characters are whole.
_VALID_TEXT = re.compile(
    rb'(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}'
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})+"
)


@dataclass(frozen=True)
class ChunkTemplate:
    """The bytes before and after the text of a chunk, as received and with the model renamed."""

    start: bytes
    end: bytes
    renamed_start: bytes
    renamed_end: bytes

    @classmethod
    def of(cls, events: bytes, replacement: tuple[bytes, bytes] | None) -> Self | None:
        """Return the template of the first of the events, or None if it has no text."""
        chunk = events[: events.find(b"\n\n") + 2]
        text = _TEXT.search(chunk)
        if not text or not chunk.startswith(b"data:"):
            return None
        start, end = chunk[: text.start(1)], chunk[text.end(1) :]
        names = replacement or (b"", b"")
        return cls(start, end, start.replace(*names), end.replace(*names))

    def rename(self, received: bytes) -> bytes | None:
        """Return `received` with the model renamed, or None if it is anything but such chunks."""
        start, end = self.start, self.end
        if not (received.startswith(start) and received.endswith(end)):
            return None
        text = received[len(start) : -len(end)]
        if _SIMPLE_TEXT.fullmatch(text):
            return self.renamed_start + text + self.renamed_end
        texts = text.split(end + start)
        if _SIMPLE_TEXT.fullmatch(b"".join(texts)) or all(map(_is_valid_text, texts)):
            between = self.renamed_end + self.renamed_start
            return self.renamed_start + between.join(texts) + self.renamed_end
        return None


def _is_valid_text(text: bytes) -> bool:
    if not _VALID_TEXT.fullmatch(text):
        return False
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
