"""Grow the best windows by the sentences around them, within one budget of words."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.files.retrieval.windows import Window


@dataclass(slots=True)
class _Growing:
    window: Window
    first: int
    last: int


def grow(windows: Sequence[Window], max_words: int) -> list[tuple[int, int]]:
    """Return the first and the last sentence (exclusive) of each window after it has grown.

    Windows take the next and the previous sentence in turn, the best window first, while all of
    them hold at most `max_words` together. Windows for which there is no room are left out, but
    not the first. They never grow into each other.
    """
    growing: list[_Growing] = []
    left = max_words
    for window in windows:
        if growing and window.words > left:
            break
        growing.append(_Growing(window, window.first, window.last))
        left -= window.words
    is_growing = True
    while is_growing:
        is_growing = False
        for step in (1, -1):
            for one in growing:
                words = _words_of_next(one, step, growing)
                if words is not None and words <= left:
                    left -= words
                    is_growing = True
                    one.first, one.last = (
                        (one.first, one.last + 1) if step == 1 else (one.first - 1, one.last)
                    )
    return [(one.first, one.last) for one in growing]


def _words_of_next(one: _Growing, step: int, growing: Sequence[_Growing]) -> int | None:
    """Return the number of words of the next sentence on one side, or None if it is not free."""
    run = one.window.run
    sentence = one.last if step == 1 else one.first - 1
    if not 0 <= sentence < len(run.sentences):
        return None
    others = [other for other in growing if other is not one and other.window.run is run]
    if any(other.first <= sentence < other.last for other in others):
        return None
    return run.count_words(sentence, sentence + 1)
