"""Find the JSON in what a model wrote without a grammar: in a code fence, or amid prose."""

import re
from collections.abc import Iterator
from typing import Any

import jiter

from backend.json_schema.validator import ABSENT, parse_partial

MAX_CANDIDATES = 10
MAX_CHARACTERS = 100_000  # longer texts are not searched
_MAX_BEGINNINGS = 16  # each may be followed by all of the text

_FENCED = re.compile(r"(```|~~~)[ \t]*[\w+.-]*[ \t]*\n?(.*?)\1", re.DOTALL)
_BEGINNING = re.compile(r"[{\[]")
# An object or array, and not "[see above]". `'` is Python's, which is not JSON, but no prose.
_JSON_BEGINNING = re.compile(r"""[{\[]\s*["'{\[\]}0-9-]""")
_STRUCTURAL = re.compile(r'[{}\[\]"]')
_STRING_END = re.compile(r'(?:[^"\\]|\\.)*"', re.DOTALL)


def json_candidates(text: str) -> list[str]:
    """Return the parts of a text that may be the JSON that was asked for, the likeliest first.

    Those in code fences come first, then the others; of each the longest first, or the last one of
    the same length. An object that is cut off, or not valid, is not searched for smaller ones.
    """
    if len(text) > MAX_CHARACTERS:
        return []
    fenced = [match[2].strip() for match in _FENCED.finditer(text)]
    fenced = [candidate for candidate in fenced if not _json_error(candidate)]
    ordered = _longest_first(fenced) + _longest_first(list(_top_level_values(text)))
    return list(dict.fromkeys(ordered))[:MAX_CANDIDATES]


def parse_partial_in_text(text: str) -> Any:
    """Return the certain part of unfinished JSON, as `parse_partial`, also amid prose."""
    partial = parse_partial(text)
    if partial is not ABSENT:
        return partial
    fence, beginning = text.find("```"), _JSON_BEGINNING.search(text)
    if fence >= 0:
        return parse_partial(text[fence:])
    return parse_partial(text[beginning.start() :]) if beginning else ABSENT


def _longest_first(candidates: list[str]) -> list[str]:
    candidates.reverse()
    return sorted(candidates, key=len, reverse=True)  # is stable


def _top_level_values(text: str) -> Iterator[str]:
    """Yield the objects and arrays that are not part of others."""
    position = 0
    for _ in range(_MAX_BEGINNINGS):
        beginning = _BEGINNING.search(text, position)
        if beginning is None:
            return
        start, position = beginning.start(), beginning.end()
        end = _value_end(text, start)
        if end is not None and not _json_error(text[start:end]):
            yield text[start:end]
            position = end
        elif end is not None and _JSON_BEGINNING.match(text, start):
            position = end
        elif end is None and "EOF" in _json_error(text[start:]):
            return


def _value_end(text: str, start: int) -> int | None:
    """Return where the brackets that open at `start` are closed, or None if they are not."""
    depth, position = 0, start
    while match := _STRUCTURAL.search(text, position):
        position = match.end()
        if match[0] == '"':
            string = _STRING_END.match(text, position)
            if string is None:
                return None
            position = string.end()
        else:
            depth += 1 if match[0] in "{[" else -1
            if depth == 0:
                return position
    return None


def _json_error(text: str) -> str:
    """Return what is wrong with a JSON text, or an empty string."""
    try:
        jiter.from_json(text.encode(errors="replace"), allow_inf_nan=False)
    except ValueError as error:
        return str(error)
    return ""
