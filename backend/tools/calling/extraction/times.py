"""Times of day in questions."""

import re

from backend.tools.calling.extraction.parameter import Parameter
from backend.tools.calling.words import stems

_CLOCK = frozenset(stems("time"))
_TIME = re.compile(r"\d{1,2}(?::\d{2}){0,2}\s?(?:am|pm)?", re.IGNORECASE)


def is_time(text: str) -> bool:
    """Return True for a time of day such as 14:30 or 3pm."""
    return not text.isdigit() and _TIME.fullmatch(text) is not None


def wants_time(parameter: Parameter) -> bool:
    return bool(parameter.name_stems & _CLOCK)
