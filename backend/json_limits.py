"""Limits on JSON text that are checked before it is parsed: how many values, how large numbers.

A parsed value takes many times the memory of its text, and parsing cannot be interrupted: 8 MiB of
`[]` take half a gigabyte. Numbers have no limit in JSON; parsers read 1e999 as Infinity, which is
not JSON, and JavaScript does so with 400 digits.
"""

import math
import re
from collections.abc import Iterator

# One of these precedes each value and each name of an object, except the outermost value.
_SEPARATORS = (b",", b"[", b"{", b":")
_MAX_DIGITS = 309  # of an integer that a parser may read as a finite number
# With every digit as 0, a few searches find all that may be a huge number.
_SHAPE = bytes.maketrans(b"123456789E\r", b"000000000e\n")
_EXPONENT, _SIGNED_EXPONENT, _LONG = b"0e000", b"0e+000", b"0" * _MAX_DIGITS
_MARKERS = (_EXPONENT, _SIGNED_EXPONENT, _LONG)
_MAX_WORDS = 100  # that are ruled out one by one; with more, the lines are checked as a whole
_NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]*+")
_STRING_OR_NUMBER = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|(-?[0-9][0-9.eE+-]*+)', re.DOTALL)


def has_too_many_values(raw: bytes, limit: int) -> bool:
    """Return True if JSON text has more than `limit` values, names of objects included.

    Text within strings does not count. Takes linear time, and hardly any for short text.
    """
    if len(raw) <= limit or _count_separators(raw) < limit:
        return False
    if raw.count(b'"') > 2 * limit + raw.count(b"\\"):  # each string is a value or a name
        return True
    return _count_separators(_outside_strings(raw)) >= limit


def has_huge_number(raw: bytes) -> bool:
    """Return True if JSON text, or an event with JSON, has a number that may be read as infinite.

    Check the number of values first: with few, this is fast for any text.
    """
    shape = raw.translate(_SHAPE, b"+")
    if _EXPONENT not in shape and _LONG not in shape:
        return False
    shape = raw.translate(_SHAPE)
    if not _may_be_number(raw, shape):
        return False
    # Line by line, since a comment in a stream may have an unpaired quote.
    return any(
        _is_huge(number)
        for marker in _MARKERS
        for start, end in _lines_with(marker, shape)
        for number in _NUMBER.findall(_outside_strings(raw[start:end]))
    )


def replace_huge_numbers(raw: bytes) -> bytes:
    """Return JSON text with null in place of each number that may be read as infinite."""
    return _STRING_OR_NUMBER.sub(
        lambda match: b"null" if match[1] and _is_huge(match[1]) else match[0], raw
    )


def _count_separators(raw: bytes) -> int:
    return sum(map(raw.count, _SEPARATORS))


def _outside_strings(raw: bytes) -> bytes:
    """Return JSON text with a single quote in place of each string."""
    if b"\\" in raw:
        raw = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    return b'"'.join(raw.split(b'"')[::2])


def _may_be_number(raw: bytes, shape: bytes) -> bool:
    """Return False if all that looks like a huge number is in words, such as hexadecimal ids."""
    for marker in _MARKERS:
        position = -1
        for _ in range(_MAX_WORDS):
            if (position := shape.find(marker, position + 1)) < 0:
                break
            before = raw[max(position - 32, 0) : position].rstrip(b"0123456789.+-eE")
            if not before or before[-1] in b" \t\r\n:,[":
                return True
        else:
            return True
    return False


def _lines_with(marker: bytes, shape: bytes) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each line that has `marker`."""
    end = 0
    while (position := shape.find(marker, end)) >= 0:
        start, end = shape.rfind(b"\n", 0, position) + 1, shape.find(b"\n", position)
        end = len(shape) if end < 0 else end
        yield start, end


def _is_huge(number: bytes) -> bool:
    if number.removeprefix(b"-").isdigit() and len(number) > _MAX_DIGITS + 1:
        return True
    try:
        return not math.isfinite(float(number))
    except ValueError:  # not a number in JSON, as the parser will report
        return False
