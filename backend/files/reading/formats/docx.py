"""Read Word documents (.docx): paragraphs and tables in their order, with sections by heading.

The XML is read by hand. python-docx loads every picture, leaves out tables, and takes two seconds
for the styles of 80 KB of text.
"""

import re
import zipfile
from dataclasses import dataclass
from functools import lru_cache

from backend.files.reading.archive import XmlReader, open_archive
from backend.files.reading.blocks import BlockWriter
from backend.files.reading.source import Source
from backend.files.reading.text_writer import TextWriter

_KIND = "a Word document"
_WORD = re.compile(r".*/wordprocessingml/(?:2006/)?main}|.*/officeDocument/2006/math}(?=t$)")
_OFF = {"0", "false", "off"}
# Their text is shown elsewhere, or not at all.
_SKIPPED = {"moveFrom", "fldData"}
_HEADING_NAME = re.compile(r"heading \d|title$", re.IGNORECASE)
_NOTES = ("footnotes.xml", "endnotes.xml")
_BREAKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def read_docx(source: Source, writer: TextWriter) -> None:
    with open_archive(source, _KIND) as archive:
        name = _main_part(archive)
        folder = name.rpartition("/")[0]
        headings = _heading_styles(archive, f"{folder}/styles.xml")
        blocks = BlockWriter(writer)
        _Body(blocks, headings).reader().read(archive, name, source.report)
        blocks.finish()
        for notes in _NOTES:
            if f"{folder}/{notes}" in archive.namelist():
                writer.start_section(heading=notes.removesuffix(".xml").capitalize())
                _Body(blocks, headings).reader().read(archive, f"{folder}/{notes}")
                blocks.finish()


@dataclass
class _Style:
    name: str = ""
    parent: str = ""
    is_heading: bool = False


class _Body:
    """Turns the elements of a document into blocks."""

    def __init__(self, blocks: BlockWriter, headings: set[str]) -> None:
        self._blocks = blocks
        self._heading_styles = headings
        self._is_heading = False
        self._is_text = False
        self._skipped = 0  # elements around the current place that are left out
        self._starts = {
            "tbl": blocks.start_table,
            "tr": blocks.start_row,
            "tc": blocks.start_cell,
        }
        self._ends = {"tbl": blocks.end_table, "tr": blocks.end_row, "p": self._end_paragraph}

    def reader(self) -> XmlReader:
        return XmlReader(self._start, self._end, self._text)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = _local_name(name)
        self._skipped += _is_skipped(name, tag)
        if self._skipped or not tag:
            return
        if action := self._starts.get(tag):
            action()
        elif tag in {"pStyle", "outlineLvl", "tblHeader"}:
            self._read_property(tag, _value(attributes))
        elif tag in _BREAKS:
            self._blocks.add_text(_BREAKS[tag])
        self._is_text = tag == "t"

    def _end(self, name: str) -> None:
        tag = _local_name(name)
        if not self._skipped and (action := self._ends.get(tag)):
            action()
        self._is_text = False
        self._skipped -= _is_skipped(name, tag)

    def _text(self, text: str) -> None:
        if self._is_text and not self._skipped:
            self._blocks.add_text(text)

    def _read_property(self, tag: str, value: str) -> None:
        if tag == "pStyle":
            self._is_heading = value in self._heading_styles
        elif tag == "outlineLvl":
            self._is_heading = value in set("012345678")
        elif value not in _OFF:
            self._blocks.mark_header()

    def _end_paragraph(self) -> None:
        self._blocks.end_paragraph(heading=self._is_heading)
        self._is_heading = False


def _is_skipped(name: str, tag: str) -> bool:
    # A `Fallback` repeats what another element says, for older programs.
    return tag in _SKIPPED or name.endswith("}Fallback")


def _main_part(archive: zipfile.ZipFile) -> str:
    """Return the name of the file with the document's text."""
    targets: list[str] = []

    def start(_name: str, attributes: dict[str, str]) -> None:
        if attributes.get("Type", "").endswith("/officeDocument"):
            targets.append(attributes.get("Target", "").lstrip("/"))

    XmlReader(start, lambda _name: None, lambda _text: None).read(archive, "_rels/.rels")
    return targets[0] if targets else "word/document.xml"


def _heading_styles(archive: zipfile.ZipFile, name: str) -> set[str]:
    """Return the ids of the styles of headings, and of those based on them."""
    if name not in archive.namelist():
        return set()
    styles: dict[str, _Style] = {}
    current = _Style()

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal current
        tag = _local_name(name)
        if tag == "style":
            current = styles.setdefault(_value(attributes, "styleId"), _Style())
        elif tag == "name":
            current.is_heading = bool(_HEADING_NAME.match(_value(attributes)))
        elif tag == "basedOn":
            current.parent = _value(attributes)

    XmlReader(start, lambda _name: None, lambda _text: None).read(archive, name)
    return {style for style in styles if _is_heading(style, styles)}


def _is_heading(name: str, styles: dict[str, _Style]) -> bool:
    for _ in range(10):  # styles may be based on each other in a circle
        style = styles.get(name)
        if style is None or style.is_heading:
            return style is not None
        name = style.parent
    return False


@lru_cache(maxsize=1000)
def _local_name(name: str) -> str:
    """Return the name of an element of Word's own, else an empty string."""
    match = _WORD.match(name)
    return name[match.end() :] if match else ""


def _value(attributes: dict[str, str], name: str = "val") -> str:
    return next((value for key, value in attributes.items() if key.endswith(f"}}{name}")), "")
