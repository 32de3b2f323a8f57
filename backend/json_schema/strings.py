"""Strings as a grammar can carry them: by a pattern, or by their length."""

from typing import Any

from backend.json_schema.formats import ENCODINGS, FORMATS
from backend.json_schema.regex_cost import MAX_OPTIONAL, pattern_cost
from backend.json_schema.regex_narrow import UnsupportedPatternError, narrow_pattern

MAX_PATTERNED = 256  # characters
MIN_PATTERN_LENGTH = 16  # what has a pattern makes no sense when it is cut shorter
LEAST_FORMATTED, MOST_FORMATTED = 40, 80

Schema = dict[str, Any]


def narrow_string(schema: Schema, room: int) -> tuple[Schema, int, list[str]] | None:
    """Give strings that fit, of at most `room` characters where they may be so short.

    With them come how long they may be and the keywords that are left out; None if nothing fits.
    """
    parts: list[Schema] = [schema, *schema.get("allOf", ())]
    patterned, left = None, ["contentMediaType"] if "contentMediaType" in schema else []
    for word, pattern in _patterns(parts):
        if patterned is None:
            patterned = _by_pattern(pattern, schema, _length_limit(word, room))
            if patterned is not None:
                continue
        left.append(word)
    found = patterned or _by_length(schema, room)
    return None if found is None else (*found, left)


def _patterns(parts: list[Schema]) -> list[tuple[str, str]]:
    """Give the pattern that each keyword means; of them only one can be carried."""
    found = [("pattern", part["pattern"]) for part in parts if "pattern" in part]
    for word, known in (("format", FORMATS), ("contentEncoding", ENCODINGS)):
        found += [(word, f"^({known[part[word]]})$") for part in parts if part.get(word) in known]
    return found


def _length_limit(word: str, room: int) -> int:
    """Give what has a format twice the room: most of its parts stay short."""
    if word == "format":
        return max(LEAST_FORMATTED, min(2 * room, MOST_FORMATTED))
    return max(MIN_PATTERN_LENGTH, room)


def _by_pattern(pattern: str, schema: Schema, room: int) -> tuple[Schema, int] | None:
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", MAX_PATTERNED)
    for most in (room, MAX_PATTERNED):
        try:
            narrower, length = narrow_pattern(pattern, shortest, min(most, longest))
        except UnsupportedPatternError:
            continue
        if pattern_cost(narrower).optional <= MAX_OPTIONAL:
            return {"type": "string", "pattern": narrower}, length + 2
    return None


def _by_length(schema: Schema, room: int) -> tuple[Schema, int] | None:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if most is not None and least > most:
        return None
    most = max(least, room if most is None else min(most, room))
    least = max(least, min(most, 1))  # nothing is rarely meant, and often written
    return {"type": "string", "minLength": least, "maxLength": most}, most + 2
