"""Find the encoding of a text file, and decode it a part at a time."""

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from backend.files.reading.errors import ReadError
from backend.files.reading.source import Source

_READ_BYTES = 1024 * 1024
_SAMPLE_BYTES = 64 * 1024
_BOMS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Not in text: control characters other than backspace, tab, line ends, form feed and escape.
_BINARY = bytes([*range(8), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])
_MAX_BINARY_SHARE = 0.02
_ESCAPE_SEQUENCE = re.compile("\x1b\\[[0-9;?]*[A-Za-z]")  # colors in logs
# A log with a few broken bytes is UTF-8 all the same.
_MAX_BROKEN_SHARE = 0.3


def find_encoding(path: Path) -> str | None:
    """Return the name of a text file's encoding, or None if the file is not text."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    for mark, encoding in _BOMS:
        if sample.startswith(mark):
            return encoding
    if utf16 := _utf16_without_mark(sample):
        return utf16
    if len(sample.translate(None, _BINARY)) < (1 - _MAX_BINARY_SHARE) * len(sample):
        return None
    return "utf-8" if _is_utf8(path) else "cp1252"


def decoded_parts(source: Source, encoding: str | None = None) -> Iterator[str]:
    r"""Yield the text of a file in parts, whose lines end with `\n`.

    Raises:
        ReadError: It is not text.
    """
    encoding = encoding or find_encoding(source.path)
    if encoding is None:
        raise ReadError(
            "unsupported_kind",
            "The file is not text, and of no kind that can be read. Export it as PDF, Word "
            "(.docx), HTML or text, and upload that.",
        )
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    newlines = io.IncrementalNewlineDecoder(decoder, translate=True)
    with source.path.open("rb") as file:
        for data in file_parts(source, file):
            text = newlines.decode(data)
            yield _ESCAPE_SEQUENCE.sub("", text) if "\x1b" in text else text
    yield newlines.decode(b"", final=True)


def file_parts(source: Source, file: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a file, and report how much has been read."""
    size = max(source.size, 1)
    while data := file.read(_READ_BYTES):
        yield data
        source.report(file.tell() / size)


def lines(source: Source) -> Iterator[str]:
    r"""Yield the lines of a text file with their `\n`. Those of over 1 Mi characters come in parts.

    Raises:
        ReadError: It is not text.
    """
    beginning = ""
    for text in decoded_parts(source):
        complete, newline, remainder = (beginning + text).rpartition("\n")
        if newline:
            yield from io.StringIO(complete + newline, newline="\n")
        beginning = remainder
        if len(beginning) > _READ_BYTES:
            yield beginning
            beginning = ""
    if beginning:
        yield beginning


def whole_lines(source: Source) -> Iterator[str]:
    """Yield the lines of a text file, each of them whole.

    Raises:
        ReadError: It is not text, or a line is too long.
    """
    parts: list[str] = []
    length = 0
    limit = source.limits.max_line_characters
    for number, line in enumerate(lines(source), start=1):
        parts.append(line)
        length += len(line)
        if length > limit:
            raise ReadError(
                "too_large",
                f"Line {number:,} of the file is too long: more than "
                f"{limit:,} characters. If a quotation mark is not "
                "closed, correct it; if not, rename the file to .txt to read it as text.",
            )
        if line.endswith("\n"):
            yield "".join(parts)
            parts, length = [], 0
    if parts:
        yield "".join(parts)


def _utf16_without_mark(sample: bytes) -> str | None:
    """Return the UTF-16 whose every second byte is mostly NUL, as in Western text."""
    pairs = len(sample) // 2
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if pairs and odd > 0.4 * pairs and even < 0.05 * pairs:
        return "utf-16-le"
    if pairs and even > 0.4 * pairs and odd < 0.05 * pairs:
        return "utf-16-be"
    return None


def _is_utf8(path: Path) -> bool:
    broken = letters = 0  # of those that are not ASCII
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    with path.open("rb") as file:
        while True:
            data = file.read(_READ_BYTES)
            if not data or not data.isascii() or decoder.getstate()[0]:
                text = decoder.decode(data, final=not data)
                broken += text.count("\ufffd") - data.count(b"\xef\xbf\xbd")
                letters += len(text) - len(text.encode("ascii", "ignore"))
            if not data:
                return broken <= _MAX_BROKEN_SHARE * (letters - broken)
