"""Search files for the passages that may answer a question."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.files.retrieval import short_files
from backend.files.retrieval.budget import grow
from backend.files.retrieval.evidence import Evidence, weigh
from backend.files.retrieval.fusion import fuse, fuse_windows
from backend.files.retrieval.index import PassageIndex, StoredPassage
from backend.files.retrieval.passages import Passage, passage_at
from backend.files.retrieval.question import QuestionWord, question_words, with_previous
from backend.files.retrieval.reranking import RERANKED_WINDOWS, Reranking
from backend.files.retrieval.windows import AnalyzedRun, Run, Statistics, Window, WindowRanking

BUDGET_WORDS = 600  # of the first five passages together
_BUDGET_PASSAGES = 5
_CANDIDATES = 20
_SHORT_FILE_CANDIDATES = 100
_NEIGHBOURS = 1
_MAX_SHARE_OF_PREVIOUS = 0.1  # of the passages may have a word of the question before


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage of a file that may answer the question: `text` is its `start:end`."""

    file: str
    start: int
    end: int
    text: str
    score: float
    page: int | None  # where it has the first word of the question; None for a whole file
    heading: str | None
    sentences: tuple[tuple[int, int], ...]  # where they begin and end in the file
    passages: Sequence[Passage]  # that it was taken from

    def passage_at(self, offset: int) -> Passage:
        """Return the passage that one of its characters is in."""
        return passage_at(self.passages, offset)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found, best first, and of how many passages."""

    hits: list[Hit]
    evidence: Evidence
    question: list[QuestionWord]
    statistics: Statistics


class SearchByMeaning(Protocol):
    """Finds passages by the meaning of a question. See `backend/files/embeddings/search.py`."""

    async def find(
        self, question: str, previous_question: str, files: Sequence[str], limit: int
    ) -> list[int]:
        """Return the ids of passages, the nearest first; none if that is not possible now."""


class PassageSearch:
    """Searches the passages of files by words, and by meaning too if there is a model for that."""

    def __init__(
        self,
        index: PassageIndex,
        by_meaning: SearchByMeaning | None = None,
        reranking: Reranking | None = None,
    ) -> None:
        self._index = index
        self._by_meaning = by_meaning
        self._reranking = reranking

    async def search(
        self,
        question: str,
        files: Sequence[str],
        *,
        max_results: int = 10,
        max_words: int = BUDGET_WORDS,
        previous_question: str = "",
    ) -> SearchResult:
        """Return at most `max_results` passages, of which the first hold `max_words` together.

        There are five of these, and more only if `max_words` has room for more.
        """
        passages_by_file = await self._index.count(files)
        files = list(passages_by_file)
        words, statistics, has_subject = await self._read_questions(
            question, previous_question, passages_by_file
        )
        ranking = WindowRanking(words, statistics)
        are_short = short_files.are_short(passages_by_file)
        limit = _SHORT_FILE_CANDIDATES if are_short else max(_CANDIDATES, 2 * max_results)
        subject = previous_question if has_subject else ""
        count = max(max_results, RERANKED_WINDOWS) if self._reranking else max_results
        nearest = await self._find_by_meaning(question, subject, files, limit)
        if are_short:
            found = await self._find_short_files(words, statistics, files)
            by_words, windows = await asyncio.to_thread(
                _rank_short_files, ranking, found, nearest, count
            )
        else:
            weights = {word.stem: word.weight for word in words}
            found = await self._index.find(weights, statistics, files=files, limit=limit)
            found = fuse(found, nearest, lambda stored: stored.id)[:limit]
            runs = await self._index.runs_around(found, _NEIGHBOURS)
            by_words, windows = await asyncio.to_thread(fuse_windows, ranking, runs, nearest, count)
        if self._reranking:
            windows = await self._reranking.reorder(question, windows)
        evidence = weigh(words, statistics, by_words)
        return SearchResult(_hits(windows[:max_results], max_words), evidence, words, statistics)

    async def _read_questions(
        self, question: str, previous_question: str, passages_by_file: Mapping[str, int]
    ) -> tuple[list[QuestionWord], Statistics, bool]:
        """Return the words to find, and whether rare ones of the previous question are added."""
        words, previous = question_words(question), question_words(previous_question)
        statistics = await self._index.statistics(
            [word.stem for word in (*words, *previous)],
            list(passages_by_file),
            sum(passages_by_file.values()),
        )
        rare = [word for word in previous if _is_rare(word, statistics)]
        return with_previous(words, rare), statistics, bool(rare)

    async def _find_by_meaning(
        self, question: str, previous_question: str, files: Sequence[str], limit: int
    ) -> list[StoredPassage]:
        if self._by_meaning is None:
            return []
        ids = await self._by_meaning.find(question, previous_question, files, limit)
        return await self._index.read(ids) if ids else []

    async def _find_short_files(
        self, words: Sequence[QuestionWord], statistics: Statistics, files: Sequence[str]
    ) -> list[StoredPassage]:
        """Return the best passage of each file, best first."""
        weights = {word.stem: word.weight for word in words}
        found, texts = await self._read_short_files(weights, statistics, files)
        scores = short_files.score(texts, weights, statistics)
        shares = short_files.feedback_shares(texts, scores)
        statistics = await self._index.statistics([*weights, *shares], files, statistics.passages)
        weights = short_files.expand(weights, shares, statistics)
        found, texts = await self._read_short_files(weights, statistics, files)
        scores = short_files.score(texts, weights, statistics)
        order = sorted(range(len(found)), key=lambda n: -scores[n])
        best = {found[n].file: found[n] for n in reversed(order)}
        return [found[n] for n in order if best[found[n].file] is found[n]]

    async def _read_short_files(
        self, weights: dict[str, float], statistics: Statistics, files: Sequence[str]
    ) -> tuple[list[StoredPassage], list[short_files.CountedText]]:
        found = await self._index.find(
            weights, statistics, files=files, limit=_SHORT_FILE_CANDIDATES
        )
        return found, await asyncio.to_thread(short_files.count_all, found)


def _rank_short_files(
    ranking: WindowRanking,
    found: Sequence[StoredPassage],
    nearest: Sequence[StoredPassage],
    limit: int,
) -> tuple[list[Window], list[Window]]:
    """Return the best window of each file by words, and these fused with the nearest ones."""
    fused = fuse(found, nearest, lambda stored: stored.file)
    by_words, windows = (
        ranking.best_of_each([Run(stored.file, [stored.passage]) for stored in ranked[:limit]])
        for ranked in (found, fused)
    )
    return by_words, windows


def _is_rare(word: QuestionWord, statistics: Statistics) -> bool:
    limit = max(_MAX_SHARE_OF_PREVIOUS * statistics.passages, 1)
    return statistics.counts.get(word.stem, 0) <= limit


def _hits(windows: Sequence[Window], max_words: int) -> list[Hit]:
    """Return the windows as passages, the first of them grown to fill the budget."""
    count = max(_BUDGET_PASSAGES, max_words // (BUDGET_WORDS // _BUDGET_PASSAGES))
    spans = grow(windows[:count], max_words)
    spans += [(window.first, window.last) for window in windows[count:]]
    return [_hit(window, *span) for window, span in zip(windows, spans, strict=False)]


def _hit(window: Window, first: int, last: int) -> Hit:
    analyzed: AnalyzedRun = window.run
    start, end = analyzed.span(first, last)
    match = analyzed.first_match(first, last)
    passage = passage_at(analyzed.run.passages, analyzed.span(match, match + 1)[0])
    return Hit(
        file=analyzed.run.file,
        start=start,
        end=end,
        text=analyzed.text[start - analyzed.start : end - analyzed.start],
        score=round(window.score, 4),
        page=passage.page,
        heading=passage.heading,
        sentences=tuple(analyzed.span(n, n + 1) for n in range(first, last)),
        passages=analyzed.run.passages,
    )
