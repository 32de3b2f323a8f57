"""Find the words of a question in a passage, to mark them.

Only for the eye: what a search finds is up to the API, which compares stems.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import takewhile
from operator import eq

_WORD = re.compile(r"\w+")
_MIN_STEM = 3
_MAX_ENDING = 4  # of characters by which two forms of a word differ
_PLURALS = {"", "s", "es"}
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about all an and any are as at be been but by can could did do does for from had has "
        "have he her his how i if in into is it its me my no not of on or our she so than that "
        "the their them there these they this those to was we were what when where which who "
        "whom whose why will with would you your",
    )
)


def matching_words(text: str, question: str) -> Iterator[tuple[int, int]]:
    """Yield where the text has a word of the question, or another form of it."""
    words = {_fold(word[0]) for word in _WORD.finditer(question)}
    words = (words - _STOP_WORDS) or words
    by_start: dict[str, list[str]] = {}
    for word in words:
        by_start.setdefault(word[:_MIN_STEM], []).append(word)
    for match in _WORD.finditer(text):
        form = _fold(match[0])
        if any(_is_same(form, word) for word in by_start.get(form[:_MIN_STEM], ())):
            yield match.span()


def _is_same(form: str, word: str) -> bool:
    shared = sum(1 for _ in takewhile(bool, map(eq, form, word)))
    endings = {form[shared:], word[shared:]}
    if endings <= _PLURALS:
        return True
    longest = max(map(len, endings))
    return shared > _MIN_STEM and longest <= min(_MAX_ENDING, shared - 1)


def _fold(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(each for each in decomposed if not unicodedata.combining(each))
