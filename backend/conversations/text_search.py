"""Find a text in others as readers would, ignoring case and how characters are encoded."""

import re
from bisect import bisect_right
from unicodedata import normalize

# Characters that never combine with the one before them, so that a text can be cut there:
# ASCII, CJK punctuation, kana, ideographs and Hangul syllables.
_STARTERS = r"\x00-\x7f\u3001-\u3029\u3041-\u3096\u309b-\u30ff\u4e00-\u9fff\uac00-\ud7a3"
_STARTER = re.compile(f"[{_STARTERS}]")
# `normalize` takes time quadratic in the length of a run of combining marks, so it is given short
# pieces. A longer run without a starter is cut anywhere.
_PIECE_CHARACTERS = 500
_PIECE = re.compile(
    rf"(?s).{{1,{_PIECE_CHARACTERS}}}(?=[{_STARTERS}]|\Z)|.{{1,{_PIECE_CHARACTERS}}}"
)
_MAX_DECOMPOSITION = 4  # characters that one composed character may stand for
_SNIPPET_CHARACTERS = 160
_SNIPPET_CHARACTERS_BEFORE = 40


def fold(text: str) -> str:
    """Return the text in a form in which equal texts are equal: composed, without case.

    This is Unicode's compatibility normalization (NFKC) with case folding: `ﬁ` is `fi`, `ß` is
    `ss`, full-width letters are plain ones. İ loses the dot that case folding leaves above its i.
    """
    if text.isascii():
        return text.lower()
    return "".join(map(_fold_piece, _PIECE.findall(text)))


class TextSearch:
    """Searches for one text, in time linear in the length of what is searched."""

    def __init__(self, text: str) -> None:
        folded = fold(text)
        # `re` finds a literal pattern in linear time (Knuth, Morris and Pratt). The time of
        # `str.find` is the product of both lengths for some short texts.
        self._pattern = re.compile(re.escape(folded))
        # A long text is searched window by window. They overlap by the longest match and what a
        # snippet shows before it.
        self._overlap = _MAX_DECOMPOSITION * len(folded) + _SNIPPET_CHARACTERS
        self.window_characters = max(8192, 2 * self._overlap)

    def has_match(self, text: str) -> bool:
        return self._pattern.search(fold(text)) is not None

    def find_snippet(self, text: str, start: int = 0, end: int | None = None) -> str | None:
        """Return the text around the first match in `text[start:end]`, or None."""
        window = text[start:end]
        match = self._pattern.search(fold(window))
        if match is None:
            return None
        first = _original_index(window, match.start())
        last = _original_index(window, match.end() - 1)
        return _snippet(text, start + first, start + last + 1)

    def next_window(self, text: str, start: int, *, is_complete: bool) -> tuple[int, int] | None:
        """Return the end of the window at `start`, and the start of the one after it.

        Return None if the text has too little left for a window: if it is complete, the search is
        over; otherwise, append more of it.
        """
        if len(text) - start <= self.window_characters + _SNIPPET_CHARACTERS:
            return (len(text), len(text)) if is_complete and start < len(text) else None
        end = _last_boundary(text, start + self.window_characters)
        return end, _last_boundary(text, end - self._overlap)


def _fold_piece(text: str) -> str:
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    return folded.replace("i\N{COMBINING DOT ABOVE}", "i")


def _original_index(text: str, folded_index: int) -> int:
    """Return the index of the character that has become the one at `folded_index`."""
    if text.isascii():
        return folded_index
    for piece in _PIECE.finditer(text):
        folded_length = len(_fold_piece(piece[0]))
        if folded_index < folded_length:
            break
        folded_index -= folded_length
    prefixes = range(len(piece[0]) + 1)
    index = bisect_right(prefixes, folded_index, key=lambda n: len(_fold_piece(piece[0][:n])))
    return piece.start() + index - 1


def _last_boundary(text: str, index: int) -> int:
    """Return where the text can be cut, at `index` or before it."""
    before = text[max(index - _PIECE_CHARACTERS, 0) : index + 1]
    match = _STARTER.search(before[::-1])
    return index - match.start() if match else index


def _snippet(text: str, start: int, end: int) -> str:
    """Return the text around a match on one line, with … where it is cut."""
    first = max(start - _SNIPPET_CHARACTERS_BEFORE, 0)
    last = min(first + _SNIPPET_CHARACTERS, len(text))
    if first:  # whole words, if there are spaces
        first = text.find(" ", first, start) + 1 or first
    if last < len(text):
        last = max(text.rfind(" ", end, last), 0) or last
    words = " ".join(text[first:last].split())
    return f"{'…' if first else ''}{words}{'…' if last < len(text) else ''}"
