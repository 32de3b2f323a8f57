"""A question to files, as it was typed, with what belongs to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.files.answers.protocol import RetrievedPassage
from backend.files.answers.selection import SelectedFiles
from backend.files.retrieval.passages import Passage
from backend.files.retrieval.search import Hit


@dataclass(frozen=True)
class FileQuestion:
    """A question as it was typed, as it is searched for, the one before it, and the files."""

    typed: str
    text: str
    previous: str
    files: SelectedFiles

    @property
    def ids(self) -> list[str]:
        return list(self.files.names)

    def in_reading_order(self, hits: Sequence[Hit]) -> list[Hit]:
        """Return hits by file, the one with the best hit first, and in each in its order."""
        files = list(dict.fromkeys(hit.file for hit in hits))
        return sorted(hits, key=lambda hit: (files.index(hit.file), hit.start))

    def retrieved(self, hit: Hit) -> RetrievedPassage:
        return RetrievedPassage(
            file_id=hit.file,
            filename=self.files.names[hit.file],
            start=hit.start,
            end=hit.end,
            page=hit.page,
            heading=hit.heading,
            score=hit.score,
            text=hit.text,
        )

    def retrieved_passage(self, file_id: str, passage: Passage) -> RetrievedPassage:
        return RetrievedPassage(
            file_id=file_id,
            filename=self.files.names[file_id],
            start=passage.start,
            end=passage.end,
            page=passage.page,
            heading=passage.heading,
            text=passage.text,
        )
