"""The text of an answer that no model writes, with the places in files that it cites."""

from dataclasses import dataclass, field
from typing import Literal

from backend.files.answers.protocol import Citation, Retrieval

NOT_FOUND = "The files do not say."
_NEAREST = "The passage that comes nearest is in {}."
_NEEDS_ALL = (
    "This question seems to be about all of the text, and only a few passages were read for it."
)


@dataclass(frozen=True)
class Place:
    """A part of a file: `quote` is its text's `start:end`."""

    file_id: str
    filename: str
    start: int
    end: int
    quote: str
    page: int | None
    heading: str | None

    @property
    def source(self) -> str:
        """Where it is, for a reader."""
        return source_name(self.filename, self.page)


@dataclass
class QuotedAnswer:
    """An answer made of what the files say; `parts` are the pieces in which it is streamed."""

    retrieval: Retrieval
    parts: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    _length: int = 0

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def write(self, text: str) -> None:
        self.parts.append(text)
        self._length += len(text)

    def start_paragraph(self) -> None:
        if self.parts:
            self.write("\n\n")

    def cite(self, place: Place, match: Literal["quote", "mention"]) -> None:
        """Cite a place at the end of the text so far."""
        self.citations.append(
            Citation(
                file_id=place.file_id,
                filename=place.filename,
                index=self._length,
                start=place.start,
                end=place.end,
                quote=place.quote,
                page=place.page,
                heading=place.heading,
                match=match,
            )
        )

    def quote(self, place: Place) -> None:
        """Write a paragraph with a quote, and cite its place."""
        self.start_paragraph()
        self.write(f"“{place.quote}”")
        self.cite(place, "quote")


def source_name(filename: str, page: int | None) -> str:
    """Return where something is, on one line."""
    name = " ".join(filename.split())
    return name if page is None else f"{name}, page {page}"


def nothing_found(retrieval: Retrieval) -> QuotedAnswer:
    """Return the answer that the files do not say; the passage that comes nearest is offered."""
    answer = QuotedAnswer(retrieval)
    nearest = retrieval.nearest
    if retrieval.suggested_task is not None:
        answer.write(_NEEDS_ALL)
        return answer
    answer.write(NOT_FOUND)
    if nearest is not None:
        answer.write(" " + _NEAREST.format(source_name(nearest.filename, nearest.page)))
    return answer
