"""Finds the arithmetic in a question: `What is 17 % of 2,340?`."""

import re

from backend.tools.builtin.expression import MAX_CHARACTERS, read_expression
from backend.tools.tool import ToolError

MAX_QUESTION_CHARACTERS = 2_000
_NUMBER = r"[$€£]?\d+(?:[,_]\d{3})*(?:\.\d+)?"
_PHRASE = (
    r"to the power of|multiplied by|divided by|square root of|cube root of"
    r"|per ?cent|squared|cubed|plus|minus|times|modulo|mod|over|off|of|x"
    r"|sqrt|cbrt|factorial|abs|round|floor|ceil|log10|log2|log|ln|exp|sin|cos|tan|min|max|pi|e"
)
# Multiplication sign, division sign, dot, root, squared, cubed, minus sign.
_SYMBOL = r"\*\*|[-+*/^%!()\u00d7\u00f7\u00b7\u221a\u00b2\u00b3\u2212]"
_TOKEN = rf"(?:{_NUMBER}|(?:{_PHRASE})(?![^\W\d_])|{_SYMBOL})"
_SPAN = re.compile(rf"(?<![\w.]){_TOKEN}(?:\s*{_TOKEN})*", re.IGNORECASE)
_OPERATION = re.compile(rf"{_SYMBOL}|(?<![^\W\d_])(?:{_PHRASE})(?![^\W\d_])", re.IGNORECASE)
_EDGE = re.compile(r"^(?:of|off|over|x|e|-)\s+|\s+(?:of|off|over|x|e|-)$", re.IGNORECASE)
# Wordings, and the expression for each.
_WORDINGS = [
    (re.compile(pattern, re.IGNORECASE), expression)
    for pattern, expression in (
        (r"\b(\d+) factorial\b", r"factorial(\1)"),
        (rf"\bhalf of ({_NUMBER})", r"\1 / 2"),
        (rf"\ba third of ({_NUMBER})", r"\1 / 3"),
        (rf"\ba quarter of ({_NUMBER})", r"\1 / 4"),
        (rf"\b(?:double|twice) ({_NUMBER})", r"2 * \1"),
        (rf"({_NUMBER})\s?(?:%|per ?cent) more than ({_NUMBER})", r"\2 + \1 %"),
        (rf"({_NUMBER})\s?(?:%|per ?cent) less than ({_NUMBER})", r"\2 - \1 %"),
        (rf"\b(\d+) [^\W\d_]+ at ({_NUMBER})(?: [^\W\d_]+)? each\b", r"\1 * \2"),
    )
]
# A date, a range or a telephone number, unless somebody asks for its value.
_AMBIGUOUS = re.compile(r"\d+(?:[-/]\d+)+")
_VALUE_QUESTION = (
    r"^\s*(?:what is|what's|how much is|calculate|compute)?\s*{}\s*(?:=|as a|in percent|$)"
)
# Verbs before two numbers, the words between these, and the operator.
_VERBS = (
    (r"add|sum of", r"and|,|to", "+"),
    (r"multiply|product of", r"and|by|with", "*"),
    (r"divide", r"by", "/"),
    (r"difference (?:between|of)", r"and", "-"),
)
_PAIRS = [
    (
        re.compile(
            rf"\b(?:{verb})\s+({_NUMBER}(?:\s*(?:{link})\s*{_NUMBER})+)(?!\w|\s*%)", re.IGNORECASE
        ),
        re.compile(rf"\s*(?:{link})\s*(?={_NUMBER})", re.IGNORECASE),
        sign,
    )
    for verb, link, sign in _VERBS
]


def find_expression(question: str) -> str | None:
    """Return the longest expression with an operation that a question has, or None."""
    question = question[:MAX_QUESTION_CHARACTERS]
    for pattern, link, sign in _PAIRS:
        if match := pattern.search(question):
            return link.sub(f" {sign} ", match[1])
    for pattern, expression in _WORDINGS:
        question = pattern.sub(expression, question)
    spans = sorted((match[0] for match in _SPAN.finditer(question)), key=len, reverse=True)
    return next((span for each in spans if (span := _trimmed(each, question))), None)


def _trimmed(span: str, question: str) -> str | None:
    """Return a span without words that only border it, if it is an expression."""
    while (shorter := _EDGE.sub("", span).strip()) != span:
        span = shorter
    if _AMBIGUOUS.fullmatch(span):
        asked = re.compile(_VALUE_QUESTION.format(re.escape(span)), re.IGNORECASE)
        if not asked.search(question.strip(" ?.")):
            return None
    if not (re.search(r"\d", span) and _OPERATION.search(span)) or len(span) > MAX_CHARACTERS:
        return None
    try:
        read_expression(span)
    except ToolError:
        return None
    return span
