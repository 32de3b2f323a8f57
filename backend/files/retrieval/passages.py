"""Split the text of a file into passages: whole sentences, with page and heading."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from backend.files.reading.document import Section
from backend.files.retrieval.sentences import split_sentences

MAX_PASSAGE_CHARACTERS = 800
# A passage ends with its paragraph if it has at least so many characters.
_FULL_CHARACTERS = MAX_PASSAGE_CHARACTERS * 6 // 10
# A text up to this length is one passage.
MAX_SHORT_TEXT_CHARACTERS = 2500
_MAX_GAP = 100  # characters of space that are stored with the passage before them


_BLOCK_CHARACTERS = 65_536  # that are read at a time


class SlicedText(Protocol):
    """A text that is read in parts, since it may be too large for memory."""

    @property
    def characters(self) -> int: ...
    def slice(self, start: int, end: int) -> str: ...


@dataclass(frozen=True, slots=True)
class StringText:
    """A text in memory."""

    text: str

    @property
    def characters(self) -> int:
        return len(self.text)

    def slice(self, start: int, end: int) -> str:
        return self.text[start:end]


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a file's text: `text` is its `start:end`, in code points."""

    number: int  # in the file, from 0
    start: int
    end: int
    text: str
    page: int | None = None
    heading: str | None = None


def passage_at(passages: Sequence[Passage], offset: int) -> Passage:
    """Return that of the passages, in the order of a file, which a character of the file is in."""
    return passages[max(bisect_right(passages, offset, key=lambda each: each.start) - 1, 0)]


def split_passages(text: SlicedText, sections: Sequence[Section] = ()) -> Iterator[Passage]:
    """Yield the passages of a text in its order.

    They do not overlap, and leave out nothing but space. Each is in one section, unless the text
    is short. The last one of a page has the space behind it, so that it can be joined with the
    first one of the next page.
    """
    is_short = text.characters <= MAX_SHORT_TEXT_CHARACTERS
    number = 0
    for section in _whole(text, sections) if is_short else _cover(text, sections):
        for start, part in _split_section(text, section, is_short=is_short):
            end = start + len(part)
            yield Passage(number, start, end, part, section.page, section.heading)
            number += 1


def _whole(text: SlicedText, sections: Sequence[Section]) -> Iterator[Section]:
    """Yield a short text as one section with the first heading, or a section for each page."""
    pages = {section.page for section in sections}
    if len(pages) > 1:
        yield from _cover(text, sections)
        return
    headings = (section.heading for section in sections if section.heading)
    yield Section(0, text.characters, sections[0].page if sections else None, next(headings, None))


def _cover(text: SlicedText, sections: Sequence[Section]) -> Iterator[Section]:
    """Yield the sections and what is between them, without overlaps."""
    position = 0
    for section in sorted(sections, key=lambda section: section.start):
        start = min(max(section.start, position), text.characters)
        end = min(section.end, text.characters)
        if start > position:
            yield Section(position, start)
        if end > start:
            yield Section(start, end, section.page, section.heading)
        position = max(start, end)
    if position < text.characters:
        yield Section(position, text.characters)


def _split_section(
    text: SlicedText, section: Section, *, is_short: bool
) -> Iterator[tuple[int, str]]:
    """Yield the passages of a section with where they start. It is read block by block."""
    position = section.start
    while position < section.end:
        end = min(position + _BLOCK_CHARACTERS, section.end)
        block = text.slice(position, end)
        spans = list(_split_block(block, is_short=is_short))
        if section.page is not None and spans and len(block) - spans[-1][1] <= _MAX_GAP:
            spans[-1] = (spans[-1][0], len(block))  # a sentence may continue on the next page
        # What is cut by the end of the block begins the next one.
        next_position = position + spans.pop()[0] if end < section.end and len(spans) > 1 else end
        for first, last in spans:
            yield position + first, block[first:last]
        position = next_position


def _split_block(text: str, *, is_short: bool) -> Iterator[tuple[int, int]]:
    """Yield where passages begin and end, each with the space after it."""
    limit = MAX_SHORT_TEXT_CHARACTERS if is_short else MAX_PASSAGE_CHARACTERS
    sentences = split_sentences(text)
    if not sentences:
        return
    start = sentences[0][0]
    for (_, end), (next_start, next_end) in pairwise(sentences):
        gap = next_start - end
        is_paragraph_end = "\n" in text[end:next_start]
        is_full = is_paragraph_end and end - start >= _FULL_CHARACTERS and not is_short
        if next_end - start > limit or gap > _MAX_GAP or is_full:
            yield start, (next_start if gap <= _MAX_GAP else end)
            start = next_start
    yield start, sentences[-1][1]
