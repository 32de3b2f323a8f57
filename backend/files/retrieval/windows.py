"""Find the parts of texts that match a question best: windows of whole sentences, by BM25."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from backend.files.retrieval.passages import Passage
from backend.files.retrieval.question import QuestionWord
from backend.files.retrieval.sentences import split_sentences
from backend.files.retrieval.words import Word, count_words, find_words

MAX_WINDOW_WORDS = 120  # as `count_words` counts them
CONTEXT_WORDS = 400
_CONTEXT_WEIGHT = 1.0
# In fewer passages, how many of them have a word says nothing about how rare it is.
_MIN_PASSAGES = 50
_K1, _B = 0.9, 0.4
_STEM_COUNT = 0.6  # of an occurrence in another form than the question's


@dataclass(frozen=True, slots=True)
class Run:
    """Passages of a file that follow each other without a gap."""

    file: str
    passages: Sequence[Passage]

    @property
    def start(self) -> int:
        return self.passages[0].start

    @property
    def text(self) -> str:
        return "".join([passage.text for passage in self.passages])


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many passages there are, and how many of them have each stem."""

    passages: int
    counts: Mapping[str, int]

    def idf(self, stem: str) -> float:
        passages = max(self.passages, _MIN_PASSAGES)
        count = min(self.counts.get(stem, 0), passages)
        return math.log(1 + (passages - count + 0.5) / (count + 0.5))


@dataclass(frozen=True, slots=True)
class Window:
    """The sentences from `first` to before `last` of a run, and how well they match."""

    run: "AnalyzedRun"
    first: int
    last: int
    score: float

    def overlaps(self, other: "Window") -> bool:
        return self.run is other.run and self.first < other.last and other.first < self.last

    @property
    def text(self) -> str:
        start, end = self.run.span(self.first, self.last)
        return self.run.text[start - self.run.start : end - self.run.start]

    def count(self, stem: str) -> float:
        before = self.run.words_before
        return self.run.count(stem, before[self.first], before[self.last])

    @property
    def words(self) -> int:
        return self.run.count_words(self.first, self.last)


class AnalyzedRun:
    """A run with its sentences, and where in it each word of a question occurs."""

    def __init__(self, run: Run, question: Sequence[QuestionWord]) -> None:
        self.run = run
        self.text, self.start = run.text, run.start
        self.sentences = split_sentences(self.text)
        forms = {word.stem: word.form for word in question}
        words = list(find_words(self.text))
        starts = [word.start for word in words]
        counts = [count_words(self.text[start:end]) for start, end in self.sentences]
        self._lengths = [0, *accumulate(counts)]
        # The number of words before each sentence, and before the end.
        self.words_before = [bisect_left(starts, start) for start, _ in self.sentences]
        self.words_before.append(len(words))
        self._places: dict[str, list[int]] = {}
        self._weights: dict[str, list[float]] = {}
        for index, word in enumerate(words):
            if word.stem in forms:
                self._add(index, word, forms[word.stem])

    def _add(self, index: int, word: Word, form: str) -> None:
        sums = self._weights.setdefault(word.stem, [0.0])
        sums.append(sums[-1] + (1.0 if word.form == form else _STEM_COUNT))
        self._places.setdefault(word.stem, []).append(index)

    def count_words(self, first: int, last: int) -> int:
        """Return the number of words of the sentences from `first` to before `last`."""
        return self._lengths[last] - self._lengths[first]

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Return where in the file these sentences begin and end."""
        return self.start + self.sentences[first][0], self.start + self.sentences[last - 1][1]

    def first_match(self, first: int, last: int) -> int:
        """Return the first of these sentences with a word of the question, or else the first."""
        start, end = self.words_before[first], self.words_before[last]
        found = [
            places[n]
            for places in self._places.values()
            if (n := bisect_left(places, start)) < len(places) and places[n] < end
        ]
        return bisect_right(self.words_before, min(found)) - 1 if found else first

    def count(self, stem: str, first: int, last: int) -> float:
        """Return the weighted number of occurrences from word `first` to before word `last`."""
        places = self._places.get(stem)
        if not places:
            return 0.0
        sums = self._weights[stem]
        return sums[bisect_left(places, last)] - sums[bisect_left(places, first)]


class WindowRanking:
    """Scores windows of runs for one question."""

    def __init__(self, question: Sequence[QuestionWord], statistics: Statistics) -> None:
        self.question = question
        self.weights = {word.stem: word.weight * statistics.idf(word.stem) for word in question}

    def rank(self, runs: Sequence[Run], limit: int) -> list[Window]:
        """Return the best windows that do not overlap, best first."""
        return best_apart([window for window in self.windows(runs) if window.score], limit)

    def windows(self, runs: Sequence[Run]) -> list[Window]:
        """Return a window from each sentence on, best first; some have a score of 0."""
        windows = []
        for run in runs:
            analyzed = AnalyzedRun(run, self.question)
            windows += [self._window(analyzed, n) for n in range(len(analyzed.sentences))]
        return sorted(windows, key=lambda window: -window.score)

    def best_of_each(self, runs: Sequence[Run]) -> list[Window]:
        """Return the best window of each run that has a sentence, in the order of the runs."""
        best = []
        for run in runs:
            analyzed = AnalyzedRun(run, self.question)
            windows = [self._window(analyzed, n) for n in range(len(analyzed.sentences))]
            best += sorted(windows, key=lambda window: -window.score)[:1]
        return best

    def _window(self, run: AnalyzedRun, first: int) -> Window:
        last = first + 1
        while last < len(run.sentences) and run.count_words(first, last + 1) <= MAX_WINDOW_WORDS:
            last += 1
        start, end = run.words_before[first], run.words_before[last]
        own = self.bm25(run, start, end, MAX_WINDOW_WORDS)
        if not own:
            return Window(run, first, last, 0.0)
        middle, half = (start + end) // 2, CONTEXT_WORDS // 2
        context = self.bm25(run, middle - half, middle + half, CONTEXT_WORDS)
        return Window(run, first, last, own + _CONTEXT_WEIGHT * context)

    def bm25(self, run: AnalyzedRun, first: int, last: int, usual_words: int) -> float:
        norm = _K1 * (1 - _B + _B * (last - first) / usual_words)
        score = 0.0
        for stem, weight in self.weights.items():
            if count := run.count(stem, first, last):
                score += weight * count * (_K1 + 1) / (count + norm)
        return score


def best_apart(windows: Iterable[Window], limit: int) -> list[Window]:
    """Return the first windows that do not overlap."""
    best: list[Window] = []
    for window in windows:
        if len(best) == limit:
            break
        if not any(window.overlaps(other) for other in best):
            best.append(window)
    return best
