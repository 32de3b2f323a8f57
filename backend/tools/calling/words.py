"""The words of a text, reduced to stems, and how rare each is in questions and descriptions."""

import math
import re
import unicodedata
from functools import lru_cache

from backend.tools.calling.word_counts import DOCUMENTS, WORD_COUNTS

# A letter of a script that is written without spaces is a word of its own.
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+|\d+(?:[.,]\d+)*")
_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# The longer the ending, the more has to be left of the word.
_ENDINGS = tuple(
    """
    isations izations ization isation izing ising ized ised ize ise ations ation ities ings
    ments ment ity ies ing ions ion ers ors er or ed es ly al ive ate ance ence s e y
    """.split()  # noqa: SIM905
)
_MAX_ENDINGS = 3  # that are removed from one word


def split_words(text: str) -> list[str]:
    """Split a text or a name into words in lower case and without accents; numbers stay whole."""
    return _WORD.findall(fold(_CAMEL_CASE.sub(" ", text)))


def stems(text: str) -> list[str]:
    """Return the stems of the words of a text, without numbers."""
    return [stem(word) for word in split_words(text) if not word[0].isdigit()]


def rarity(word_stem: str) -> float:
    """Return the inverse document frequency of a stem."""
    return math.log((DOCUMENTS + 1) / (_STEM_COUNTS.get(word_stem, 0) + 1))


def total_rarity(word_stems: frozenset[str]) -> float:
    return sum(map(rarity, word_stems))


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return a word without the endings of inflection and derivation."""
    for _ in range(_MAX_ENDINGS):
        shorter = _without_ending(word)
        if shorter == word:
            break
        word = shorter
    return word


def normalize(text: str) -> str:
    """Return a text without what seldom matters: case, accents, spaces and marks."""
    return re.sub(r"[\W_]+", "", fold(text))


def fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _without_ending(word: str) -> str:
    if not word.isascii() or word.endswith("ss"):
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= (4 if len(ending) > 2 else 3):
            return word.removesuffix(ending) + ("y" if ending == "ies" else "")
    return word


_STEM_COUNTS: dict[str, int] = {stem(word): count for word, count in WORD_COUNTS.items()}
