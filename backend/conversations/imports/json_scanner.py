"""Find the values in JSON text without building them, so that a large file needs little memory.

Only brackets and strings are read, and what is between the values of an array or object. Whether a
value is valid shows when it is parsed.
"""

import re
from collections.abc import Iterator
from mmap import mmap

from pydantic_core import from_json

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(rb'[^\s"\[\]{},:]++')
# Up to the next bracket. Matched at a position, never searched: that would be quadratic.
_BRACKET = re.compile(
    rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+[\[\]{}]', re.DOTALL
)
_OPENING = b"[{"
_MAX_NAMES = 10_000  # of an object whose names are listed; no format has as many

Text = bytes | mmap


class JsonSyntaxError(ValueError):
    """The text is not JSON."""


def skip_space(text: Text, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def value_end(text: Text, start: int) -> int:
    """Return the end of the value that starts at `start`.

    Raises:
        JsonSyntaxError: There is no value, or it does not end.
    """
    if text[start : start + 1] not in (b"[", b"{"):
        pattern = _STRING if text[start : start + 1] == b'"' else _SCALAR
        if not (match := pattern.match(text, start)):
            raise _syntax_error(start)
        return match.end()
    depth, position = 0, start
    while match := _BRACKET.match(text, position):
        position = match.end()
        depth += 1 if text[position - 1] in _OPENING else -1
        if not depth:
            return position
    raise JsonSyntaxError(f"the array or object at byte {start:,} does not end")


def array_items(text: Text, start: int) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each item of the array that starts at `start`.

    Raises:
        JsonSyntaxError: It is not an array.
    """
    position = skip_space(text, start + 1)
    if text[position : position + 1] == b"]":
        return
    while True:
        end = value_end(text, position)
        yield position, end
        position = skip_space(text, end)
        separator = text[position : position + 1]
        if separator == b"]":
            return
        if separator != b",":
            raise _syntax_error(position)
        position = skip_space(text, position + 1)


def object_members(text: Text, start: int) -> dict[str, tuple[int, int]]:
    """Return the start and the end of each value of the object that starts at `start`, by its name.

    Of several values with the same name, the last counts.

    Raises:
        JsonSyntaxError: It is not an object, or has very many names.
    """
    members: dict[str, tuple[int, int]] = {}
    position = skip_space(text, start + 1)
    if text[position : position + 1] == b"}":
        return members
    while True:
        if not (name := _STRING.match(text, position)):
            raise _syntax_error(position)
        position = skip_space(text, name.end())
        if text[position : position + 1] != b":":
            raise _syntax_error(position)
        position = skip_space(text, position + 1)
        end = value_end(text, position)
        members[_name(name[0])] = position, end
        if len(members) > _MAX_NAMES:
            raise JsonSyntaxError(f"an object has more than {_MAX_NAMES:,} names")
        position = skip_space(text, end)
        separator = text[position : position + 1]
        if separator == b"}":
            return members
        if separator != b",":
            raise _syntax_error(position)
        position = skip_space(text, position + 1)


def _name(quoted: bytes) -> str:
    try:
        return str(from_json(quoted))
    except ValueError:  # not UTF-8, or half a character: no name that is looked for
        return repr(quoted)


def _syntax_error(position: int) -> JsonSyntaxError:
    return JsonSyntaxError(f"unexpected text at byte {position:,}")
