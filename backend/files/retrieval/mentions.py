"""Find every place in a text where a word or a phrase is mentioned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from backend.files.retrieval.passages import SlicedText
from backend.files.retrieval.words import MAX_WORD_CHARACTERS, Word, find_words

_BLOCK_CHARACTERS = 65_536
_MARGIN_CHARACTERS = 4 * MAX_WORD_CHARACTERS


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
    gaps = _gaps(phrase, words)
    margin = 4 * len(phrase) + _MARGIN_CHARACTERS
    for position in range(0, text.characters, _BLOCK_CHARACTERS):
        start = max(position - _MARGIN_CHARACTERS, 0)
        end = min(position + _BLOCK_CHARACTERS, text.characters)
        block = text.slice(start, min(end + margin, text.characters))
        for mention in _find_in_block(block, words, gaps):
            if position <= start + mention.start < end:
                yield Mention(start + mention.start, start + mention.end)


def _find_in_block(text: str, phrase: Sequence[Word], gaps: Sequence[str]) -> Iterator[Mention]:
    words = list(find_words(text))
    first, free = phrase[0].form, 0
    for n, word in enumerate(words):
        if n < free or word.form != first:
            continue
        part = words[n : n + len(phrase)]
        if [one.form for one in part] == [one.form for one in phrase] and (
            _gaps(text, part) == gaps
        ):
            yield Mention(part[0].start, part[-1].end)
            free = n + len(phrase)


def _gaps(text: str, words: Sequence[Word]) -> list[str]:
    """Return what is between words, with a space for any space."""
    return [_one_space(text[word.end : following.start]) for word, following in pairwise(words)]


def _one_space(gap: str) -> str:
    return " ".join(f"|{gap}|".split())
