"""What a regular expression costs those who compile it, told from its text.

It errs on the high side where a pattern is unusual; it is no parser and refuses nothing.
"""

import re
from dataclasses import dataclass

MAX_OPTIONAL = 100  # in a grammar each letter tries all ways past them, 100 in 60 ms
BACKTRACKING_FACTOR = (
    400  # what a repetition costs more where there is lookaround or a backreference
)
_BACKTRACKING = re.compile(r"\(\?<?[=!]|\\[1-9]|\\k<")
_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\\?(?:\]|\Z)|\((?:\?(?:[:=!>]|<[=!]|P?<\w+>))?|\)"
    r"|(?P<many>[?*+])|\{(?P<least>\d*+)(?P<open>,?)(?P<most>\d*+)\}|.",
    re.DOTALL,
)


@dataclass
class PatternCost:
    """How often a part is repeated at most, all in all; and how many parts may be left out."""

    repeated: int = 0
    optional: int = 0
    expanded: int = 0  # the parts, with each repetition written out


def pattern_cost(pattern: str) -> PatternCost:
    """Count the parts of a pattern; those inside a counted group count as often as it does."""
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
        elif token["many"] or token["least"] is not None:
            least, most = _times(token)
            cost.repeated += most
            # What stands already counted once is counted `most` times.
            last = (last[0] * (most - 1), last[1] * (most - 1) + (least == 0))
        else:
            last = (1, 0)
        groups[-1] = (groups[-1][0] + last[0], groups[-1][1] + last[1])
    cost.expanded = sum(parts for parts, _ in groups)
    cost.optional = sum(optional for _, optional in groups)
    return cost


def matcher_cost(pattern: str) -> int:
    """Say what it costs to build a matcher, 1 being about half a microsecond."""
    cost = pattern_cost(pattern)
    return cost.expanded * (BACKTRACKING_FACTOR if _BACKTRACKING.search(pattern) else 1)


def _times(token: re.Match[str]) -> tuple[int, int]:
    if token["many"]:
        return (0 if token["many"] in "?*" else 1), 1
    least = int(token["least"][:6] or 0)
    if not token["open"]:
        return least, max(least, 1)
    return least, max(int(token["most"][:6] or 0), least, 1)
