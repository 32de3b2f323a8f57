"""Read Markdown: its text as it is, with sections by heading."""

import re
from collections.abc import Iterable

from backend.files.reading.decoding import lines as source_lines
from backend.files.reading.source import Source
from backend.files.reading.text_writer import TextWriter

_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(?P<text>.*)")
_CLOSING = re.compile(r"[ \t]+#+[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*\n?")
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})(?P<info>.*)")
_NO_PARAGRAPH = re.compile(r"\s*$|\s*[-*+>|#]|\s*\d+[.)]\s| {4}|\t")
_MAX_HEADING_LINE = 1000
_MARKS = set("#=-`~")  # how a heading, the underline of one, or a code block's fence begins


class _Headings:
    """Finds the headings, line by line."""

    def __init__(self) -> None:
        self._fence = ""  # that opened the code block

    def find(self, line: str, previous: str) -> str | None:
        """Return the text of the heading that `line` is, or underlines."""
        if line.lstrip(" ")[:1] not in _MARKS or len(line) > _MAX_HEADING_LINE:
            return None  # most lines
        if self._is_code(line):
            return None
        if match := _HEADING.match(line):
            return _CLOSING.sub("", match["text"]).strip()
        if _UNDERLINE.fullmatch(line) and len(previous) <= _MAX_HEADING_LINE:
            return None if _NO_PARAGRAPH.match(previous) else previous.strip()
        return None

    def _is_code(self, line: str) -> bool:
        match = _FENCE.match(line)
        if not self._fence:
            self._fence = match["fence"] if match else ""
            return bool(match)
        if match and match["fence"].startswith(self._fence) and not match["info"].strip():
            self._fence = ""
        return True


def read_markdown(source: Source, writer: TextWriter) -> None:
    write_markdown(source_lines(source), writer)


def write_markdown(lines: Iterable[str], writer: TextWriter) -> None:
    """Write lines of Markdown, and start a section with each heading."""
    headings = _Headings()
    previous = ""  # written with the next line, as that may make it a heading
    for line in lines:
        if heading := headings.find(line, previous):
            if line.lstrip().startswith("#"):
                writer.write(previous)
                previous = ""
            writer.start_section(heading=heading)
        writer.write(previous)
        previous = line
    writer.write(previous)
