"""Find every place in a text where a word or a phrase is mentioned."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from backend.files.retrieval.passages import SlicedText
from backend.files.retrieval.words import MAX_WORD_CHARACTERS, Word, find_words

_BLOCK_CHARACTERS = 65_536  # that are read at a time
_SEGMENT_CHARACTERS = 2048  # whose words are compared, if they may have the phrase
_MARGIN_CHARACTERS = 4 * MAX_WORD_CHARACTERS
_NO_LETTERS = re.compile(r"[^\w\x00-\x7f]+")


@dataclass(frozen=True, slots=True)
class Mention:
    start: int
    end: int


def find_mentions(text: SlicedText, phrase: str) -> Iterator[Mention]:
    """Yield where a phrase is in a text, as whole words, in its order.

    Case, accents and the kind of space between words do not matter; other marks between them do.
    """
    words = list(find_words(phrase))
    if not words:
        return
    finder = _Finder([word.form for word in words], _gaps(phrase, words))
    margin = 4 * len(phrase) + _MARGIN_CHARACTERS
    done = 0  # before this, no mention may begin
    for position in range(0, text.characters, _BLOCK_CHARACTERS):
        start = max(position - _MARGIN_CHARACTERS, 0)
        end = min(position + _BLOCK_CHARACTERS, text.characters)
        block = text.slice(start, min(end + margin, text.characters))
        for first in range(position, end, _SEGMENT_CHARACTERS):
            last = min(first + _SEGMENT_CHARACTERS, end)
            offset = max(first - _MARGIN_CHARACTERS, start)
            segment = block[offset - start : last + margin - start]
            for mention in finder.find(segment, max(first, done) - offset, last - offset):
                done = offset + mention.end
                yield Mention(offset + mention.start, done)


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds a phrase by the forms of its words, and what is between them."""

    forms: Sequence[str]
    gaps: Sequence[str]

    def find(self, text: str, start: int, end: int) -> Iterator[Mention]:
        """Yield the mentions that begin in `text[start:end]`."""
        if not self._may_be_in(text):
            return
        words, count = list(find_words(text)), len(self.forms)
        for n, word in enumerate(words):
            if word.form != self.forms[0] or not start <= word.start < end:
                continue
            part = words[n : n + count]
            if [one.form for one in part] == self.forms and _gaps(text, part) == self.gaps:
                start = part[-1].end
                yield Mention(word.start, start)

    def _may_be_in(self, text: str) -> bool:
        """Return False if the text lacks a word of the phrase. Most do, and this is quick."""
        folded = text.lower()
        if not text.isascii():
            folded = _NO_LETTERS.sub("", unicodedata.normalize("NFKD", text.casefold())).lower()
        without_commas = folded.replace(",", "")  # as numbers are compared
        return all(form in folded or form in without_commas for form in self.forms)


def _gaps(text: str, words: Sequence[Word]) -> list[str]:
    """Return what is between words, with a space for any space."""
    return [_one_space(text[word.end : following.start]) for word, following in pairwise(words)]


def _one_space(gap: str) -> str:
    return " ".join(f"|{gap}|".split())
