"""Fenced code in Markdown: where it begins and ends."""

import re

MARKER = r"(?:[-*+]|\d{1,9}[.)])"
LEAD = rf"(?P<lead>[ \t]*(?:{MARKER}[ \t]+){{0,8}})"
FENCE = re.compile(rf"{LEAD}(?P<mark>`{{3,}}+(?=[^`]*$)|~{{3,}}+)(?P<info>.*)$")


def closes_fence(mark: str, line: str) -> bool:
    """Return True if a line ends the code whose fence starts with `mark`."""
    stripped = line.strip()
    return len(stripped) >= len(mark) and not stripped.strip(mark[0])
