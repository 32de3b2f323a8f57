"""Rank many short files by BM25 with feedback: the words of the best are searched for too."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from backend.files.retrieval.index import StoredPassage, title_of
from backend.files.retrieval.question import is_stop_word
from backend.files.retrieval.windows import Statistics
from backend.files.retrieval.words import word_forms

_MIN_FILES = 20
_MAX_PASSAGES_PER_FILE = 1.25
_K1, _B = 1.5, 0.75
_TITLE_WEIGHT = 3  # of a word in the title, beside that it is in the text
_FEEDBACK_FILES = 10
_CONSIDERED_WORDS = 100
_FEEDBACK_WORDS = 40
_FEEDBACK_SHARE = 0.5
_MAX_SHARE = 0.3  # of the files may have a word that is added


def are_short(passages_by_file: Mapping[str, int]) -> bool:
    """Return True if these are many files of which most are one passage."""
    passages = sum(passages_by_file.values())
    return len(passages_by_file) >= _MIN_FILES and passages <= _MAX_PASSAGES_PER_FILE * len(
        passages_by_file
    )


@dataclass(frozen=True, slots=True)
class CountedText:
    """How often each stem is in a passage, and in its title."""

    counts: Counter[str]
    title: Counter[str]
    words: int


def count_all(found: Sequence[StoredPassage]) -> list[CountedText]:
    return [_count(stored.passage.text, title_of(stored.passage)) for stored in found]


@lru_cache(maxsize=300)  # the second search of a question finds most of the first one's again
def _count(text: str, title: str) -> CountedText:
    counts, in_title = (
        Counter([stem for form, stem in word_forms(part) if not is_stop_word(form)])
        for part in (text, title)
    )
    return CountedText(counts, in_title, sum(counts.values()))


def score(
    texts: Sequence[CountedText], weights: Mapping[str, float], statistics: Statistics
) -> list[float]:
    """Return the BM25 of each text."""
    usual_words = sum(text.words for text in texts) / max(len(texts), 1) or 1
    rarities = {stem: weight * statistics.idf(stem) for stem, weight in weights.items()}
    return [_score(text, rarities, text.words / usual_words) for text in texts]


def _score(text: CountedText, rarities: Mapping[str, float], length: float) -> float:
    norm = _K1 * (1 - _B + _B * length)
    total = 0.0
    for stem, rarity in rarities.items():
        if count := text.counts[stem] + _TITLE_WEIGHT * text.title[stem]:
            total += rarity * count * (_K1 + 1) / (count + norm)
    return total


def feedback_shares(texts: Sequence[CountedText], scores: Sequence[float]) -> dict[str, float]:
    """Return the most frequent words of the best texts, with their shares in these."""
    shares: dict[str, float] = defaultdict(float)
    best = sorted(zip(scores, texts, strict=True), key=lambda pair: -pair[0])[:_FEEDBACK_FILES]
    for text_score, text in best:
        for stem, count in text.counts.items():
            shares[stem] += text_score * count / text.words
    frequent = sorted(shares, key=lambda stem: -shares[stem])[:_CONSIDERED_WORDS]
    return {stem: shares[stem] for stem in frequent}


def expand(
    weights: Mapping[str, float], shares: Mapping[str, float], statistics: Statistics
) -> dict[str, float]:
    """Return the weights of a question's words, and of the best words of feedback."""
    limit = _MAX_SHARE * statistics.passages
    usable = [stem for stem in shares if 2 <= statistics.counts.get(stem, 0) <= limit]
    chosen = usable[:_FEEDBACK_WORDS]
    total, whole = sum(weights.values()) or 1.0, sum(shares[stem] for stem in chosen) or 1.0
    expanded = {stem: (1 - _FEEDBACK_SHARE) * w / total for stem, w in weights.items()}
    for stem in chosen:
        expanded[stem] = expanded.get(stem, 0.0) + _FEEDBACK_SHARE * shares[stem] / whole
    return expanded
