"""Fuse what is found by words with what is found by meaning."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from backend.files.retrieval.index import StoredPassage
from backend.files.retrieval.windows import Run, Window, WindowRanking, best_apart

# Reciprocal rank fusion, https://doi.org/10.1145/1571941.1572114. In measurements, words twice as
# heavy as meaning ranked best.
_RANK_OFFSET = 10
_WORDS_WEIGHT, _MEANING_WEIGHT = 2.0, 1.0

Item = TypeVar("Item")


def fuse(
    by_words: Sequence[Item], by_meaning: Sequence[Item], key: Callable[[Item], Hashable]
) -> list[Item]:
    """Return the items of two rankings in one, best first; the first item with a key stands."""
    scores: dict[Hashable, float] = {}
    items: dict[Hashable, Item] = {}
    for weight, ranking in ((_WORDS_WEIGHT, by_words), (_MEANING_WEIGHT, by_meaning)):
        for rank, name in enumerate(dict.fromkeys(map(key, ranking)), start=1):
            scores[name] = scores.get(name, 0.0) + weight / (_RANK_OFFSET + rank)
        for item in ranking:
            items.setdefault(key(item), item)
    return sorted(items.values(), key=lambda item: -scores[key(item)])


def fuse_windows(
    ranking: WindowRanking, runs: Sequence[Run], nearest: Sequence[StoredPassage], limit: int
) -> tuple[list[Window], list[Window]]:
    """Return the best windows by words, and these fused with those of the nearest passages."""
    windows = ranking.windows(runs)
    by_words = best_apart([window for window in windows if window.score], limit)
    chosen, by_meaning = list(by_words), []
    for stored in nearest:
        if own := next((window for window in windows if _is_in(window, stored)), None):
            same = next((window for window in chosen if window.overlaps(own)), None)
            if same is None:
                chosen.append(same := own)
            by_meaning.append(same)
    return by_words, fuse(by_words, by_meaning, lambda window: window)[:limit]


def _is_in(window: Window, stored: StoredPassage) -> bool:
    """Return True if a window begins in a passage."""
    start, passage = window.run.span(window.first, window.last)[0], stored.passage
    return window.run.run.file == stored.file and passage.start <= start < passage.end
