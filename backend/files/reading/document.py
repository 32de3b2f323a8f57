"""What a file is read as: its text, and the sections of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A part of the text: a page, or what follows a heading. Offsets are Unicode code points."""

    start: int
    end: int
    page: int | None = None  # from 1
    heading: str | None = None


@dataclass(frozen=True)
class ReadDocument:
    """The text of a file, to which all citations refer, and sections that cover it in order."""

    text: str
    sections: list[Section]
