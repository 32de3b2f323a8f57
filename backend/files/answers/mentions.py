"""List or count every mention of a phrase in files, from their texts, without a model."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Literal

from backend.errors import InvalidRequestError
from backend.files.answers.content import Place, QuotedAnswer
from backend.files.answers.protocol import MAX_CITATIONS, Retrieval
from backend.files.answers.question import FileQuestion
from backend.files.answers.selection import PARAM
from backend.files.reading.text_writer import TextFile
from backend.files.repository import file_not_found
from backend.files.retrieval.index import PassageIndex
from backend.files.retrieval.mentions import Mention, find_mentions
from backend.files.retrieval.passages import Passage
from backend.files.retrieval.questions import quoted_phrase
from backend.files.retrieval.sentences import split_sentences
from backend.files.retrieval.words import find_words
from backend.files.storage import FileStorage

MAX_BYTES = 64 * 1024 * 1024  # of all texts that are read for one request
_MAX_NAMED_FILES = 20
_NO_PHRASE = (
    "Which word or phrase? Send it as `phrase`, or put it in quotation marks in the question."
)
_NO_WORDS = "The phrase has no letters or digits to look for."
_TOO_MUCH = (
    f"The files have more than {MAX_BYTES // 1024**2} MB of text, the most that is searched for "
    "mentions at once. Name fewer files."
)


@dataclass
class _FileMentions:
    """How often a file mentions the phrase, and the first places, with the quotes there."""

    total: int = 0
    places: list[tuple[Mention, str]] = field(default_factory=list)


class _StoppedError(Exception):
    """Nobody waits for the mentions any more."""


@dataclass(frozen=True)
class _StoppableText:
    """A text that can be read until `stop` is set."""

    text: TextFile
    stop: Event

    @property
    def characters(self) -> int:
        return self.text.characters

    def slice(self, start: int, end: int) -> str:
        if self.stop.is_set():
            raise _StoppedError
        return self.text.slice(start, end)


def read_phrase(phrase: str | None, question: str) -> str:
    """Return the phrase to look for: the one that was sent, or that the question has in quotes.

    Raises:
        InvalidRequestError: There is none.
    """
    phrase = phrase or quoted_phrase(question)
    if not phrase:
        raise InvalidRequestError(_NO_PHRASE, param=f"{PARAM}.phrase")
    if next(find_words(phrase), None) is None:
        raise InvalidRequestError(_NO_WORDS, param=f"{PARAM}.phrase")
    return phrase


class MentionFinder:
    """Finds mentions for one request at a time: it takes much of a processor."""

    def __init__(self, storage: FileStorage, index: PassageIndex) -> None:
        self._storage = storage
        self._index = index
        self._turn = asyncio.Lock()

    async def answer(
        self, question: FileQuestion, task: Literal["mentions", "count"], phrase: str
    ) -> QuotedAnswer:
        """Return the answer that lists all mentions, or says how many there are.

        Raises:
            InvalidRequestError: The files have too much text.
            UploadedFileNotFoundError: A file has been deleted.
        """
        passages = sum((await self._index.count(question.ids)).values())
        async with self._turn:
            found = await self._find(question, phrase)
        total = sum(each.total for each in found.values())
        retrieval = Retrieval(
            strategy=task,
            task=task,
            found=total > 0,
            files=len(question.ids),
            read=passages,
            of=passages,
            total=total,
            unread=question.files.unread,
        )
        answer = QuotedAnswer(retrieval)
        answer.write(_summary(phrase, question, found))
        if task == "count":
            async for place, _ in self._places(question, found):
                answer.cite(place, "mention")
        else:
            await self._list(answer, question, found)
        return answer

    async def _find(self, question: FileQuestion, phrase: str) -> dict[str, _FileMentions]:
        """Return the mentions by file; cancelling this also ends the thread."""
        paths = {file_id: self._storage.text_path(file_id) for file_id in question.ids}
        stop, left = Event(), MAX_CITATIONS
        found: dict[str, _FileMentions] = {}
        try:
            await asyncio.to_thread(_check_size, paths.values())
            for file_id, path in paths.items():
                each = await asyncio.to_thread(_find_in_file, file_id, path, phrase, stop, left)
                if each.total:
                    found[file_id] = each
                    left -= len(each.places)
        finally:
            stop.set()
        return found

    async def _places(
        self, question: FileQuestion, found: Mapping[str, _FileMentions]
    ) -> AsyncIterator[tuple[Place, Passage | None]]:
        """Yield the place of each mention, and the passage that it is in if that is still there."""
        for file_id, mentions in found.items():
            passage: Passage | None = None
            for mention, quote in mentions.places:
                if passage is None or not passage.start <= mention.start < passage.end:
                    passage = await self._index.locate(file_id, mention.start)
                place = Place(
                    file_id,
                    question.files.names[file_id],
                    mention.start,
                    mention.end,
                    quote,
                    passage.page if passage else None,
                    passage.heading if passage else None,
                )
                yield place, passage

    async def _list(
        self, answer: QuotedAnswer, question: FileQuestion, found: Mapping[str, _FileMentions]
    ) -> None:
        """Write the sentence of each mention, once for all that are in it."""
        last: tuple[str, int] | None = None
        async for place, passage in self._places(question, found):
            start, text = _sentence_around(place, passage)
            if (place.file_id, start) != last:
                last = place.file_id, start
                answer.write("\n" if answer.citations else "\n\n")
                answer.write(f"- “{' '.join(text.split())}” ({place.source})")
            answer.cite(place, "mention")
        if (total := answer.retrieval.total or 0) > len(answer.citations):
            answer.write(f"\n\nThe first {len(answer.citations)} of {total:,} are listed.")


def _check_size(paths: Iterable[Path]) -> None:
    size = 0
    for path in paths:
        with suppress(FileNotFoundError):  # whoever reads it says so
            size += path.stat().st_size
    if size > MAX_BYTES:
        raise InvalidRequestError(_TOO_MUCH, param=PARAM)


def _find_in_file(
    file_id: str, path: Path, phrase: str, stop: Event, max_places: int
) -> _FileMentions:
    try:
        text = _StoppableText(TextFile.open(path), stop)
        mentions = find_mentions(text, phrase)
        places = [
            (mention, text.slice(mention.start, mention.end))
            for mention in islice(mentions, max_places)
        ]
        return _FileMentions(len(places) + sum(1 for _ in mentions), places)
    except FileNotFoundError:
        raise file_not_found(file_id) from None
    except _StoppedError:
        return _FileMentions()


def _sentence_around(place: Place, passage: Passage | None) -> tuple[int, str]:
    """Return where the sentence of a mention begins, and its text."""
    if passage is not None:
        offset = place.start - passage.start
        for start, end in split_sentences(passage.text):
            if start <= offset < end:
                return passage.start + start, passage.text[start:end]
    return place.start, place.quote


def _summary(phrase: str, question: FileQuestion, found: Mapping[str, _FileMentions]) -> str:
    """Return how often the phrase is mentioned, and where, in a sentence."""
    names, total = question.files.names, sum(mentions.total for mentions in found.values())
    searched = "the file" if len(names) == 1 else f"the {len(names):,} files"
    if not total:
        return f"“{phrase}” is not mentioned in {searched}."
    times = "once" if total == 1 else f"{total:,} times"
    if len(names) == 1:
        return f"“{phrase}” is mentioned {times} in {next(iter(names.values()))}."
    parts = [f"{mentions.total:,} in {names[file]}" for file, mentions in found.items()]
    shown = ", ".join(parts[:_MAX_NAMED_FILES])
    others = len(parts) - _MAX_NAMED_FILES
    more = f" and {others:,} more files" if others > 0 else ""
    return f"“{phrase}” is mentioned {times} in {len(parts):,} of {searched}: {shown}{more}."
