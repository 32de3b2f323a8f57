"""Decide whether the passages that were found answer a question at all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backend.files.retrieval.question import QuestionWord
from backend.files.retrieval.windows import Statistics, Window

# The share of a question that a passage needs: more if there are more passages, as one of many
# has some of the words by chance, and less of a longer question. Fitted by a logistic regression
# and rounded, on 566 questions that 22 files answer (notes, tables, manuals, letters, books; 1 to
# 2,200 passages), the same ones put to other files, and 55 general ones put to each. That kept 90 %
# of 113 questions of another kind, of engineers about 1,400 abstracts, so the share that grows with
# the passages was lowered from 0.045. Now it keeps 97 % of these if the abstracts are in four
# files, 96 % if each is a file, and 99 % of 338 questions about notes, speeches, articles and
# chats; it stops 99 % of those put to other files, and 87 to 100 % of general ones. The 566 were
# not measured again.
_SHARE = 0.48
_SHARE_PER_LOG_PASSAGES = 0.037
_SHARE_PER_LOG_WORDS = -0.15
# More is needed if the files have none of the question's names and numbers anywhere. That kept as
# many of the 566, and stopped all questions about others' names in files that are otherwise alike.
_SHARE_IF_NAMES_ARE_UNKNOWN = 0.3
_RARITY = 0.5  # of a word's weight, beside what it has in any case
_PASSAGES = 5  # of which one has to answer
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Evidence:
    """What share of a question's words the best passage has, and what share it needs."""

    share: float
    needed: float

    @property
    def is_sufficient(self) -> bool:
        """Return False if the files do not seem to answer the question."""
        return self.share >= self.needed


def weigh(
    question: Sequence[QuestionWord], statistics: Statistics, windows: Sequence[Window]
) -> Evidence:
    """Weigh the first windows, by the question's own words if these say what it is about."""
    words = subject_words(question)
    rarest = statistics.idf("")
    weights = {
        word.stem: word.importance
        * word.weight
        * (1 - _RARITY + _RARITY * statistics.idf(word.stem) / rarest)
        for word in words
    }
    present = [
        sum(weight for stem, weight in weights.items() if window.count(stem))
        for window in windows[:_PASSAGES]
    ]
    share = max(present, default=0.0) / (sum(weights.values()) or 1.0)
    return Evidence(share, needed_share(words, statistics))


def needed_share(words: Sequence[QuestionWord], statistics: Statistics) -> float:
    count = sum(min(word.importance, 1.0) for word in words)
    names = [word for word in words if word.is_name]
    is_unknown = bool(names) and not any(statistics.counts.get(name.stem) for name in names)
    needed = (
        _SHARE
        + _SHARE_PER_LOG_PASSAGES * math.log(max(statistics.passages, 1))
        + _SHARE_PER_LOG_WORDS * math.log(max(count, _ROUNDING))
        + _SHARE_IF_NAMES_ARE_UNKNOWN * is_unknown
    )
    return min(needed, 1 - _ROUNDING)


def subject_words(question: Sequence[QuestionWord]) -> Sequence[QuestionWord]:
    """Return a question's own words, or with those of the one before it if they are all generic.

    So a follow-up that the files do not answer is not taken for the question before it.
    """
    own = [word for word in question if not word.is_earlier]
    return own if any(word.importance >= 1 for word in own) else question
