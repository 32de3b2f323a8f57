r"""Write the text of a file as it is read, and note where its sections are.

The text is normalized here, once: each line ends with `\n`, and what cannot be stored or shown
(NUL and other control characters, unpaired surrogates) is replaced by U+FFFD.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from backend.files.reading.document import ReadDocument, Section
from backend.files.reading.errors import ReadError

_FLUSH_CHARACTERS = 64 * 1024
# More headings than these start no section of their own.
MAX_SECTIONS = 20_000
MAX_HEADING_CHARACTERS = 200
_UNUSUAL = re.compile("\r\n?|[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\ufffe\uffff\ud800-\udfff]")
_LINE_ENDS = "\r\n\x0b\x0c\x85\u2028\u2029"


def normalize(text: str) -> str:
    return _UNUSUAL.sub(lambda match: "\n" if match[0][0] in _LINE_ENDS else "\ufffd", text)


@dataclass(frozen=True)
class TextFile:
    """Text in a file in UTF-8, read in parts by offsets in code points."""

    path: Path
    characters: int
    # Pairs of the same place in code points and in bytes, every 64 Ki characters or so.
    places: list[tuple[int, int]]

    @classmethod
    def open(cls, path: Path) -> "TextFile":
        """Return a text that was written before, which is read once to find places in it."""
        places = [(0, 0)]
        with path.open(encoding="utf-8", newline="") as file:
            while text := file.read(_FLUSH_CHARACTERS):
                characters, position = places[-1]
                places.append((characters + len(text), position + len(text.encode())))
        return cls(path, places[-1][0], places)

    def slice(self, start: int, end: int) -> str:
        """Return `text[start:end]` for 0 <= start <= end, reading little more than that."""
        nearest = bisect_right(self.places, start, key=lambda place: place[0]) - 1
        offset, position = self.places[nearest]
        with self.path.open(encoding="utf-8", newline="") as file:
            file.seek(position)
            return file.read(end - offset)[start - offset :]

    def parts(self) -> Iterator[str]:
        """Yield the text from its beginning to its end, 64 Ki characters or so at a time."""
        with self.path.open(encoding="utf-8", newline="") as file:
            while text := file.read(_FLUSH_CHARACTERS):
                yield text


@dataclass(frozen=True)
class DocumentFile:
    """A document whose text is in a file, since it may be too large for memory."""

    text: TextFile
    sections: list[Section]
    warning: str | None = None  # what was not read, in a sentence

    def load(self) -> ReadDocument:
        return ReadDocument(self.text.slice(0, self.text.characters), self.sections)


class TextWriter:
    """Writes text to a file; each section begins where the one before ends."""

    def __init__(self, file: IO[bytes], max_bytes: int) -> None:
        self._has_text = False  # other than white space, in the file
        self.warning: str | None = None
        self._file = file
        self._max_bytes = max_bytes
        self._parts: list[str] = []
        self._pending = 0  # characters in these
        self._written = 0  # characters in the file
        self._places = [(0, 0)]
        self._sections: list[Section] = []
        self._page: int | None = None
        self._heading: str | None = None
        self._start = 0

    @property
    def offset(self) -> int:
        return self._written + self._pending

    @property
    def has_written(self) -> bool:
        """Whether there is text other than white space."""
        return self._has_text or any(not part.isspace() for part in self._parts if part)

    def write(self, text: str) -> None:
        """Append text.

        Raises:
            ReadError: There is too much.
        """
        text = normalize(text)
        self._parts.append(text)
        self._pending += len(text)
        if self._pending >= _FLUSH_CHARACTERS:
            self._flush()

    def start_section(self, *, page: int | None = None, heading: str | None = None) -> None:
        """Start a section with what is written next."""
        if len(self._sections) >= MAX_SECTIONS - 1:
            return
        self._end_section()
        self._page = page
        self._heading = _heading_text(heading) if heading else None

    def finish(self, path: Path) -> DocumentFile:
        """Return the document, whose text has been written to the file at `path`."""
        self._flush()
        self._file.flush()
        self._end_section()
        text = TextFile(path, self._written, self._places)
        return DocumentFile(text, self._sections, self.warning)

    def _end_section(self) -> None:
        if self.offset > self._start:
            section = Section(self._start, self.offset, self._page, self._heading)
            self._sections.append(section)
            self._start = self.offset

    def _flush(self) -> None:
        text = "".join(self._parts)
        self._parts, self._pending = [], 0
        for start in range(0, len(text), _FLUSH_CHARACTERS):
            self._write_bytes(text[start : start + _FLUSH_CHARACTERS])

    def _write_bytes(self, text: str) -> None:
        data = text.encode()
        position = self._places[-1][1] + len(data)
        if position > self._max_bytes:
            raise ReadError(
                "too_large",
                f"The file has more than {self._max_bytes // 1024**2:,} MB of text. Upload it in "
                "several parts.",
            )
        self._file.write(data)
        self._written += len(text)
        self._places.append((self._written, position))
        self._has_text = self._has_text or not text.isspace()


def _heading_text(heading: str) -> str:
    return " ".join(normalize(heading).split())[:MAX_HEADING_CHARACTERS]
