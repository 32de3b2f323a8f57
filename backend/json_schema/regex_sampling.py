"""Random matches of regular expressions, also of those that no grammar can express."""

import random
import re
from functools import lru_cache

import jsonschema_rs

from backend.json_schema.regex_parser import (
    Alt,
    Anchor,
    CharClass,
    Node,
    Repeat,
    Seq,
    UnsupportedPatternError,
    parse,
)

MAX_EXAMPLES = 16
TRIES = 200
_MAX_EXTRA = 3  # repetitions above the lowest count, where there is no highest one
_LOOKAROUND = re.compile(r"\(\?<?[!=]")


def random_match(node: Node, rng: random.Random) -> str:
    """Return a random match of a parsed expression, taking anchors for granted."""
    match node:
        case CharClass(options):
            return rng.choice(sorted(options))
        case Seq(parts):
            return "".join(random_match(part, rng) for part in parts)
        case Alt(options):
            return random_match(rng.choice(options), rng)
        case Repeat(item, low, high):
            high = low + _MAX_EXTRA if high is None else high
            number = rng.choice([low, high, rng.randint(low, high)])
            return "".join(random_match(item, rng) for _ in range(number))
        case Anchor():
            return ""


@lru_cache(maxsize=256)
def verified_examples(pattern: str, shortest: int, longest: int) -> list[str]:
    """Return a few strings that match a pattern and have a length in the range, short ones first.

    They are found by trial, without the pattern's lookaround. Empty if none is found.
    """
    try:
        node = parse(_without_lookaround(pattern))
    except UnsupportedPatternError:
        return []
    schema = {"pattern": pattern, "minLength": shortest, "maxLength": longest}
    try:
        validator = jsonschema_rs.validator_for(schema)
    except (jsonschema_rs.ValidationError, ValueError):
        return []
    rng = random.Random(pattern)  # noqa: S311  # the same pattern has the same examples
    matches = {random_match(node, rng) for _ in range(TRIES)}
    valid = filter(validator.is_valid, matches)
    return sorted(valid, key=lambda text: (len(text), text))[:MAX_EXAMPLES]


def _without_lookaround(pattern: str) -> str:
    while found := _LOOKAROUND.search(pattern):
        depth, end, in_class = 0, found.start(), False
        while end < len(pattern):
            character = pattern[end]
            if character == "\\":
                end += 1
            elif in_class:
                in_class = character != "]"
            elif character == "[":
                in_class = True
            elif character in "()":
                depth += 1 if character == "(" else -1
                if depth == 0:
                    break
            end += 1
        pattern = pattern[: found.start()] + pattern[end + 1 :]
    return pattern
