"""Estimate the cost of compiling a regular expression from its text.

This is not a parser: it rejects nothing, and overestimates unusual patterns.
"""

import re
from dataclasses import dataclass

MAX_OPTIONAL = 100  # a grammar tries every way past them for each letter: 60 ms for 100
BACKTRACKING_FACTOR = 400  # how much more a repetition costs with lookaround or backreferences
_BACKTRACKING = re.compile(r"\(\?<?[=!]|\\[1-9]|\\k<")
_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\\?(?:\]|\Z)|\((?:\?(?:[:=!>]|<[=!]|P?<\w+>))?|\)"
    r"|(?P<quantifier>[?*+])|\{(?P<minimum>\d*+)(?P<comma>,?)(?P<maximum>\d*+)\}|.",
    re.DOTALL,
)


@dataclass
class PatternCost:
    """What a pattern consists of."""

    repeated: int = 0  # the sum of all maximum repetition counts
    optional: int = 0  # parts that may be missing
    expanded: int = 0  # parts once each repetition is written out


def pattern_cost(pattern: str) -> PatternCost:
    """Count the parts of a pattern; a part in a repeated group counts once per repetition."""
    cost = PatternCost()
    groups = [(0, 0)]  # (parts, optional parts) of each open group
    last = (0, 0)
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if text.startswith("(") and not text.startswith("\\"):
            groups.append((0, 0))
            continue
        if text == ")" and len(groups) > 1:
            last = groups.pop()
        elif token["quantifier"] or token["minimum"] is not None:
            minimum, maximum = _repetitions(token)
            cost.repeated += maximum
            # The repeated part is already counted once.
            last = (last[0] * (maximum - 1), last[1] * (maximum - 1) + (minimum == 0))
        else:
            last = (1, 0)
        groups[-1] = (groups[-1][0] + last[0], groups[-1][1] + last[1])
    cost.expanded = sum(parts for parts, _ in groups)
    cost.optional = sum(optional for _, optional in groups)
    return cost


def matcher_cost(pattern: str) -> int:
    """Return the cost of building a matcher, in units of about half a microsecond."""
    cost = pattern_cost(pattern)
    return cost.expanded * (BACKTRACKING_FACTOR if _BACKTRACKING.search(pattern) else 1)


def minimum_repetition(pattern: str) -> int:
    """Return the largest number of repetitions that a part of a pattern requires."""
    counted = [token for token in _TOKEN.finditer(pattern) if token["minimum"] is not None]
    return max((_repetitions(token)[0] for token in counted), default=0)


def is_convertible(pattern: str) -> bool:
    """Return False for a valid pattern that llama.cpp's converter answers with an error.

    That is one with a null character, with an escaped `$` at its end, that repeats nothing, as in
    `^*`, or that repeats a letter outside ASCII, of which only the last byte is repeated. It
    accepts any string for others that it does not know.
    """
    last = "("
    for token in _TOKEN.finditer(pattern):
        is_repetition = token["quantifier"] or token["minimum"] is not None
        is_repeatable = not last.startswith(("^", "|", "(")) and (last.isascii() or len(last) > 1)
        if is_repetition and not is_repeatable:
            return False
        last = token[0]
    return "\0" not in pattern and last != r"\$"


def _repetitions(token: re.Match[str]) -> tuple[int, int]:
    if token["quantifier"]:
        return (0 if token["quantifier"] in "?*" else 1), 1
    minimum = int(token["minimum"][:6] or 0)
    if not token["comma"]:
        return minimum, max(minimum, 1)
    return minimum, max(int(token["maximum"][:6] or 0), minimum, 1)
