"""Split a text into sentences with their offsets."""

import re
from collections.abc import Iterator

MAX_SENTENCE_CHARACTERS = 350
# A run of characters without any space is cut after so many: it is no word.
_CUTS = (re.compile(r"[;:] "), re.compile(r", |[、，；]"), re.compile(r"\s"))  # noqa: RUF001
_CLOSING = "\"'”’»)\\]"  # noqa: RUF001
# No match is tried twice at a run of the same characters: time is linear in the length of a text.
_BREAK = re.compile(
    rf"(?<![.!?…])(?P<stop>[.!?…]++[{_CLOSING}]*+)(?=\s)"
    r"|[。！？]+[」』”’）]*"  # noqa: RUF001
    r"|(?P<lines>(?:\r?\n|[\r\f\v\u2028\u2029])\s*)"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|etc|e\.g|i\.e|cf|al|fig|figs|no|nos|vol|pp?|ed|eds|inc|"
    r"ltd|co|corp|dept|gen|col|sen|rep|gov|approx|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
    r"|(?<![^\W_])[^\W\d_])\Z",
    re.IGNORECASE,
)
_LONGEST_ABBREVIATION = 8
_WRAPPED_LINE = 40  # characters that a line has at least if the next one may continue it


def split_sentences(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Return where the sentences of `text[start:end]` begin and end, without the space around."""
    end = len(text) if end is None else end
    spans: list[tuple[int, int]] = []
    for span in _between_breaks(text, start, end):
        spans += _cut_long(text, *_trim(text, *span))
    return spans


def _between_breaks(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in _BREAK.finditer(text, start, end):
        if match["lines"]:
            if _continues(text, start, match.start(), match.end()):
                continue
        elif match["stop"] == "." and _is_abbreviated(text, start, match.start()):
            continue
        yield start, match.end()
        start = match.end()
    yield start, end


def _continues(text: str, start: int, line_end: int, next_line: int) -> bool:
    """Return True if a line goes on in the next one, as in text that is wrapped by width."""
    line_start = max(text.rfind("\n", start, line_end) + 1, start)
    return (
        line_end - line_start >= _WRAPPED_LINE
        and text.count("\n", line_end, next_line) <= 1
        and text[next_line : next_line + 1].islower()
    )


def _is_abbreviated(text: str, start: int, dot: int) -> bool:
    return bool(_ABBREVIATION.search(text[max(start, dot - _LONGEST_ABBREVIATION) : dot]))


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())


def _cut_long(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > MAX_SENTENCE_CHARACTERS:
        cut = _last_cut(text, start, start + MAX_SENTENCE_CHARACTERS)
        first, last = _trim(text, start, cut)
        if first < last:
            yield first, last
        start = cut
    first, last = _trim(text, start, end)
    if first < last:
        yield first, last


def _last_cut(text: str, start: int, end: int) -> int:
    """Return where to cut a long sentence: in its last third if it can be, but not in a word."""
    for pattern in _CUTS:
        cuts = [match.end() for match in pattern.finditer(text, start, end)]
        if cuts and cuts[-1] - start > MAX_SENTENCE_CHARACTERS // 3:
            return cuts[-1]
    while end > start + 1 and _is_in_word(text, end) and end > start + MAX_SENTENCE_CHARACTERS // 3:
        end -= 1
    return end if not _is_in_word(text, end) else start + MAX_SENTENCE_CHARACTERS


def _is_in_word(text: str, index: int) -> bool:
    """Return True if a cut at `index` would part letters of a word written with ASCII letters."""
    return index < len(text) and text[index - 1].isalnum() and text[index].isalnum()
