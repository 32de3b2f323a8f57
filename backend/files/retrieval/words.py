"""The words of a text with their offsets, in the form in which they are indexed and compared."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from backend.files.retrieval.stemmer import stem

# Kana, ideographs, Hangul, Thai, Lao, Khmer and Burmese letters: written without spaces between
# words, or with endings attached, so that each letter is a word of its own.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
# Marks that belong to the letter before them, which `\w` leaves out.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0dff"
_NUMBER = r"\d+(?:[.,]\d+)*"
_WORD = re.compile(rf"[{_UNSPACED}]|{_NUMBER}|[^\W\d_{_UNSPACED}](?:[^\W_{_UNSPACED}]|[{_MARKS}])*")
_READ_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
MAX_WORD_CHARACTERS = (
    64  # of a word that are compared; an index has limits, and no real word is longer
)


class Word(NamedTuple):
    """A word of a text: where it is, its form without case and accents, and its stem."""

    start: int
    end: int
    form: str
    stem: str


def find_words(text: str, start: int = 0, end: int | None = None) -> Iterator[Word]:
    """Yield the words of `text[start:end]`."""
    for match in _WORD.finditer(text, start, len(text) if end is None else end):
        form, word_stem = _forms(match[0][:MAX_WORD_CHARACTERS])
        yield Word(match.start(), match.end(), form, word_stem)


def word_forms(text: str) -> list[tuple[str, str]]:
    """Return the form and the stem of each word: quicker than with the offsets."""
    return [_forms(word[:MAX_WORD_CHARACTERS]) for word in _WORD.findall(text)]


def stem_text(text: str) -> str:
    """Return the stems of a text, separated by spaces: what an index is given."""
    return " ".join([_forms(word[:MAX_WORD_CHARACTERS])[1] for word in _WORD.findall(text)])


def count_words(text: str) -> int:
    """Count the words as a reader would: what is between spaces, and letters without any."""
    return len(_READ_WORD.findall(text))


@lru_cache(maxsize=50_000)
def _forms(word: str) -> tuple[str, str]:
    """Return a word without case and accents, and the stem of that."""
    if not word.isascii():
        decomposed = unicodedata.normalize("NFKD", word.casefold())
        letters = [char for char in decomposed if char.isalnum() or char in ".,"]
        word = "".join(letters)[:MAX_WORD_CHARACTERS] or word
    form = word.lower()
    if form[0].isdigit():
        form = form.replace(",", "")
    return form, stem(form)
