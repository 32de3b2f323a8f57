"""Read HTML: the text that a browser shows, with sections by heading.

lxml's parser calls us for each tag, so no tree is built: nesting and size cost no memory.
"""

import codecs
import re
from collections.abc import Callable, Iterable

from lxml import etree

from backend.files.reading.blocks import BlockWriter
from backend.files.reading.decoding import file_parts, find_encoding
from backend.files.reading.source import Source
from backend.files.reading.text_writer import TextWriter

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_BLOCKS = _HEADINGS | {
    *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details"),
    *("div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr"),
    *("legend", "li", "main", "nav", "ol", "option", "p", "pre", "section", "summary", "ul"),
}
_HIDDEN = {"head", "iframe", "noscript", "object", "script", "style", "svg", "template"}
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_HEAD_BYTES = 4096


class _Target:
    """What the parser calls."""

    def __init__(self, blocks: BlockWriter) -> None:
        self._blocks = blocks
        self._hidden = 0  # elements around the current place that are not shown
        self._keep_spaces = 0  # `pre` elements
        self._starts: dict[str, Callable[[], None]] = {
            "table": blocks.start_table,
            "tr": blocks.start_row,
            "td": lambda: blocks.start_html_cell(is_header=False),
            "th": lambda: blocks.start_html_cell(is_header=True),
            "br": lambda: blocks.add_text("\n"),
        }
        self._ends: dict[str, Callable[[], None]] = {
            "table": blocks.end_table,
            "tr": blocks.end_row,
            "td": blocks.end_paragraph,
            "th": blocks.end_paragraph,
        }

    def start(self, tag: str, _attributes: object) -> None:
        self._hidden += tag in _HIDDEN
        if self._hidden:
            return
        if action := self._starts.get(tag):
            action()
        elif tag in _BLOCKS:
            self._end_paragraph()
        self._keep_spaces += tag == "pre"

    def end(self, tag: str) -> None:
        if not self._hidden:
            if action := self._ends.get(tag):
                action()
            elif tag in _BLOCKS:
                self._end_paragraph(heading=tag in _HEADINGS)
            self._keep_spaces -= tag == "pre"
        self._hidden -= tag in _HIDDEN

    def data(self, text: str) -> None:
        if not self._hidden:
            self._blocks.add_text(text if self._keep_spaces else text.replace("\n", " "))

    def close(self) -> None:
        self._blocks.finish()

    def _end_paragraph(self, *, heading: bool = False) -> None:
        self._blocks.end_paragraph(heading=heading, keep_spaces=self._keep_spaces > 0)


def read_html(source: Source, writer: TextWriter) -> None:
    with source.path.open("rb") as file:
        feed_html(file_parts(source, file), writer, encoding=_encoding(source))


def feed_html(parts: Iterable[bytes], writer: TextWriter, *, encoding: str) -> None:
    """Read HTML that arrives in parts."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    parser = etree.HTMLParser(target=_Target(BlockWriter(writer)), encoding="utf-8")
    parser.feed(b"<html>")  # an empty document is an error to it
    for part in parts:
        parser.feed(decoder.decode(part).encode())
    parser.feed(decoder.decode(b"", final=True).encode())
    parser.close()


def _encoding(source: Source) -> str:
    """Return the encoding: that of its mark, UTF-8 if it is valid, else what the file says."""
    encoding = find_encoding(source.path) or "utf-8"
    if encoding != "cp1252":
        return encoding
    with source.path.open("rb") as file:
        match = _CHARSET.search(file.read(_HEAD_BYTES))
    try:
        name = codecs.lookup(match[1].decode()).name if match else encoding
    except LookupError:
        return encoding
    # Those that say Latin-1 mean Windows-1252, as browsers know.
    return encoding if name in {"iso8859-1", "ascii", "utf-8"} else name
