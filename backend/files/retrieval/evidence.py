"""Decide whether the passages that were found answer a question at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.files.retrieval.windows import Window, WindowRanking

# Measured with questions that files answer, the same ones put to other files, and general ones.
# The scale of scores is that of `WindowRanking`.
_MIN_SCORE_RATIO = 0.7
_MIN_SCORE = 14.0
# A passage with so much of the question needs no score: that is low if the words are common in a
# short file. Of 338 questions this keeps 22 more, and stops as many of those put to other files.
_MIN_BEST_COVERED = 0.8
_FEW_WORDS = 2
_PASSAGES = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well the best passage, and the first ones together, match the question's words."""

    words: int  # of the question
    score: float  # of the best passage
    score_ratio: float  # to what the words weigh
    covered: float  # share of that weight that the first passages have
    best_covered: float  # share that the best passage has

    @property
    def is_sufficient(self) -> bool:
        """Return False if the files do not seem to answer the question.

        Of a question of one or two words, a passage has all. Scores say too little about it.
        """
        if self.words <= _FEW_WORDS:
            return self.words > 0 and self.best_covered > 1 - 1e-6
        if self.score_ratio < _MIN_SCORE_RATIO:
            return False
        return self.score >= _MIN_SCORE or self.best_covered >= _MIN_BEST_COVERED


def weigh(ranking: WindowRanking, windows: Sequence[Window]) -> Evidence:
    total = ranking.total or 1.0
    score = max((window.score for window in windows), default=0.0)
    return Evidence(
        words=len(ranking.question),
        score=score,
        score_ratio=score / total,
        covered=ranking.weight_in(windows[:_PASSAGES]) / total,
        best_covered=max((ranking.weight_in([one]) for one in windows[:1]), default=0.0) / total,
    )
