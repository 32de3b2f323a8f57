"""Limits on how much of a text is formatted, so that no text can hang the page.

A browser takes much longer for formatted text than for plain text: 25 s for 50,000 words in
italics, or for 8,000 formulas. The cost of a text is estimated from what it consists of, in units
of about 0.1 ms on a slow machine, as measured in Chromium. Estimates tend to be too high: whatever
looks like a formula or a table counts as one.
"""

import re
from dataclasses import dataclass
from math import inf

from sanitize.markdown_fence import FENCE, closes_fence
from sanitize.math_detection import looks_like_math

# About 1.5 s: 1,000 lines of code, 400 formulas, or a table of 200 rows and 20 columns.
MAX_MESSAGE_COST = 15_000.0
MAX_PAGE_COST = 45_000.0
MAX_PLAIN_CHARACTERS = 100_000  # of one text without formatting

_CHARACTER, _LINE, _MARK, _CELL, _FENCE_LINE = 0.02, 5, 1, 2, 90
_FORMULA, _FORMULA_CHARACTER = 30, 2
_SECONDS = 1e-4
# Pairs of emphasis within one paragraph may be nested: their cost grows with the square.
_EMPHASIS_SQUARED = 0.001
_MAX_FORMULA_LINES = 40
_NO_FENCE = "\n"  # no line closes it

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_MARKS = re.compile(r"[^\w\s]")
_EMPHASIS = re.compile(r"[*_~\[]")
_INLINE_MATH = re.compile(
    r"\$(?P<dollars>(?:[^$\\]|\\.)++)\$|\\(?P<bracket>[(\[])(?:[^\\]|\\[^()\[\]])*+\\[)\]]"
)
_DISPLAY_MATH = re.compile(r"\$\$|\\\[|\\\]")


@dataclass
class _Meter:
    """The cost of a text, line by line, with what its next line depends on."""

    cost: float = 0.0
    fence: str = ""
    has_language: bool = False
    formula_lines: int = 0
    emphasis: int = 0

    def add(self, line: str) -> None:
        self.cost += _LINE + _CHARACTER * len(line)
        if self.fence:
            self._add_code(line)
        elif opening := FENCE.match(line.rstrip()):
            self.fence, self.has_language = opening["mark"], bool(opening["info"].strip())
            self.cost += _FENCE_LINE
            self.emphasis = 0
        else:
            self._add_text(line)

    def _add_code(self, line: str) -> None:
        if closes_fence(self.fence, line):
            self.fence = ""
            self.cost += _FENCE_LINE
        elif self.has_language:  # only then is it highlighted
            self.cost += _MARK * len(_MARKS.findall(line))

    def _add_text(self, line: str) -> None:
        self.cost += _MARK * len(_MARKS.findall(line)) + _CELL * line.count("|")
        self.cost += sum(map(_formula_cost, _INLINE_MATH.finditer(line)))
        emphasis = len(_EMPHASIS.findall(line)) + (self.emphasis if line.strip() else 0)
        self.cost += _EMPHASIS_SQUARED * max(0, emphasis**2 - self.emphasis**2)
        self.emphasis = emphasis
        self._add_display_math(line)

    def _add_display_math(self, line: str) -> None:
        if self.formula_lines:
            self.cost += _FORMULA_CHARACTER * len(line)
            self.formula_lines -= 1
        for sign in _DISPLAY_MATH.findall(line):
            is_open = bool(self.formula_lines)
            self.formula_lines = 0 if is_open or sign == r"\]" else _MAX_FORMULA_LINES
            self.cost += 0 if is_open else _FORMULA


def limit_formatting(text: str, budget: float) -> tuple[str, float]:
    """Return the lines from the start of a text that may be formatted, and their cost.

    As a text grows, its formatted lines stay so, except the last, which may become too expensive.
    """
    meter, end, cost = _Meter(), 0, 0.0
    for line in _LINES.finditer(text):
        meter.add(line[0])
        if meter.cost > budget:
            break
        end, cost = line.end(), meter.cost
    return text[:end], cost


def render_seconds(text: str) -> float:
    """Return how long a slow machine takes to render all of a formatted text."""
    return limit_formatting(text, inf)[1] * _SECONDS


def code_cost(text: str) -> float:
    """Return the cost of highlighted code."""
    meter = _Meter(fence=_NO_FENCE, has_language=True, cost=2 * _FENCE_LINE)
    meter.add(text)
    return meter.cost + _LINE * text.count("\n")


def limit_code(code: str) -> tuple[str, bool]:
    """Return the code to show, with a note if it was cut, and whether to highlight it."""
    shown, hidden = code[:MAX_PLAIN_CHARACTERS], len(code) - MAX_PLAIN_CHARACTERS
    is_cheap = code_cost(shown) <= MAX_MESSAGE_COST
    return shown + f"\n… {hidden:,} more characters" * (hidden > 0), is_cheap


def _formula_cost(formula: re.Match[str]) -> float:
    content = formula["dollars"]
    if content is not None and not looks_like_math(content):
        return 0.0
    return _FORMULA + _FORMULA_CHARACTER * len(formula[0])
