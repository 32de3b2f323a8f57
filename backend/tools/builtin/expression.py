"""Reads arithmetic as people and models write it: 17 % of 2,340, 12 * (7 + 5), 2^10, 3/4."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest

from backend.tools.builtin.arithmetic import CONSTANTS, FUNCTIONS, Percent
from backend.tools.tool import ToolError

MAX_CHARACTERS = 300
MAX_NESTING = 30

_LEADING = re.compile(
    r"^\s*(?:what is|what's|how much is|calculate|compute|evaluate|solve)\b:?\s*", re.IGNORECASE
)
_TRAILING = re.compile(r"[\s=?.]+$")
_OTHER_BASE = re.compile(r"\b0[xob][0-9a-f]")
_DISCOUNT = re.compile(r"^([0-9.]+) *% *off *(?:of )?([0-9.,]+)$")
_PHRASES = (
    ("to the power of", "^"),
    ("multiplied by", "*"),
    ("divided by", "/"),
    ("square root of", "sqrt"),
    ("cube root of", "cbrt"),
    ("per cent", "%"),
    ("percent", "%"),
    ("squared", "^2"),
    ("cubed", "^3"),
)
_WORDS = {"plus": "+", "minus": "-", "times": "*", "x": "*", "of": "*", "over": "/"}
_MODULO = "mod"
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("\N{MULTIPLICATION SIGN}\N{DOT OPERATOR}\N{ASTERISK OPERATOR}·", "*"),
        **dict.fromkeys("\N{DIVISION SIGN}\N{DIVISION SLASH}\N{FRACTION SLASH}", "/"),
        **dict.fromkeys("\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}", "-"),
        **dict.fromkeys("[{", "("),
        **dict.fromkeys("]}", ")"),
        **dict.fromkeys("$€£¥", " "),
        "²": "^2",
        "³": "^3",
        "√": "sqrt ",
        "π": "pi",
    }
)
# Groups of three digits, with the same separator in between; among the values of a function, a
# comma separates these.
_GROUPED = (
    r"[0-9]{{1,3}}(?:(?P<separator>[{}])[0-9]{{3}})(?:(?P=separator)[0-9]{{3}})*"
    r"(?!(?P=separator)?[0-9])(?:\.[0-9]+)?"
)
_PLAIN = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]{1,3}(?![0-9a-z]))?"
_SEPARATORS = " '_\N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
_TOKEN, _TOKEN_OF_CALL = (
    re.compile(
        rf"\s*(?:(?P<number>{_GROUPED.format(separators)}|{_PLAIN})|(?P<name>log10|log2|[a-z]+)"
        r"|(?P<symbol>\*\*|//|[-+*/^%!(),]))"
    )
    for separators in ("," + _SEPARATORS, _SEPARATORS)
)


@dataclass(frozen=True)
class Token:
    kind: str  # number, name or symbol
    text: str


_END = Token("symbol", "")


@dataclass(frozen=True)
class Expression:
    """Python source without numbers; `names` holds those, as exact as they were written."""

    source: str
    names: dict[str, Fraction]


def read_expression(text: str) -> Expression:
    """Read arithmetic.

    Raises:
        ToolError: It is too long, or contains something else.
    """
    if len(text) > MAX_CHARACTERS:
        raise ToolError(f"The expression is too long: at most {MAX_CHARACTERS} characters.")
    tokens = list(_tokens(_normalize(trim(text))))
    writer = _Writer()
    for token, following in zip_longest(tokens, tokens[1:], fillvalue=_END):
        writer.add(token, following)
    return Expression(" ".join(writer.source), writer.names)


def trim(text: str) -> str:
    """Return an expression without the words and signs of a question around it."""
    return _TRAILING.sub("", _LEADING.sub("", text)).strip()


def _normalize(text: str) -> str:
    text = text.translate(_CHARACTERS).lower()
    for phrase, symbol in _PHRASES:
        text = text.replace(phrase, f" {symbol} ")
    if _OTHER_BASE.search(text):
        raise ToolError("Write all numbers with decimal digits.")
    return _DISCOUNT.sub(r"\2 - \1 %", text).strip()


def _tokens(text: str) -> Iterator[Token]:
    position, calls, last = 0, list[bool](), Token("symbol", "")
    while position < len(text):
        pattern = _TOKEN_OF_CALL if calls and calls[-1] else _TOKEN
        if (match := pattern.match(text, position)) is None:
            raise ToolError(
                f"{text[position:].lstrip()[0]!r} is not arithmetic. Use numbers, + - * / ^ % and "
                "parentheses."
            )
        position = match.end()
        token = _token(match)
        if token.text == "(":
            calls.append(last.text in FUNCTIONS)
        elif token.text == ")" and calls:
            calls.pop()
        elif token.text == "," and not (calls and calls[-1]):
            raise ToolError("It is not clear what a comma means here: write 1234.5 or 1,234.5.")
        if len(calls) > MAX_NESTING:
            raise ToolError(f"At most {MAX_NESTING} parentheses may be nested.")
        yield token
        last = token


def _token(match: re.Match[str]) -> Token:
    kind = match.lastgroup or ""
    if kind == "separator" or match["number"]:
        return Token("number", re.sub(rf"[,{_SEPARATORS}]", "", match["number"]))
    text = _WORDS.get(match[kind], match[kind])
    return Token("name" if text.isalnum() and text != _MODULO else "symbol", text)


class _Writer:
    """Writes tokens as Python: with the operators that people leave out, and their percent."""

    def __init__(self) -> None:
        self.source: list[str] = []
        self.names: dict[str, Fraction] = {}
        self._has_operand = False  # before the next token
        self._open_calls = 0  # functions without parentheses, whose operand is next

    def add(self, token: Token, following: Token) -> None:
        if token.kind == "number":
            self._add_number(token.text)
        elif token.kind == "name":
            self._add_name(token.text, following)
        elif token.text == "%" and self._has_operand and not _starts_operand(following):
            self._add_percent()
        elif token.text == "!":
            self._add_factorial()
        elif token.text == "(":
            self._add_missing_operator()
            self.source.append("(")
        else:
            self.source.append({"^": "**", _MODULO: "%"}.get(token.text, token.text))
            self._has_operand = token.text == ")"

    def _add_number(self, text: str) -> None:
        if self._has_operand:
            raise ToolError(f"An operator is missing before {text}.")
        name = f"n{len(self.names)}"
        self.names[name] = Fraction(text)
        self._add_operand(name)

    def _add_name(self, text: str, following: Token) -> None:
        if text not in FUNCTIONS and text not in CONSTANTS:
            raise ToolError(
                f"{text!r} is unknown. There are: {', '.join([*CONSTANTS, *FUNCTIONS])}."
            )
        self._add_missing_operator()
        if text in CONSTANTS:
            self._add_operand(text)
        elif following.text != "(":
            self.source += [text, "("]
            self._open_calls += 1
        elif self._open_calls:
            raise ToolError("Put the values of each function in parentheses.")
        else:
            self.source.append(text)

    def _add_operand(self, text: str) -> None:
        self.source += [text, *")" * self._open_calls]
        self._open_calls = 0
        self._has_operand = True

    def _add_missing_operator(self) -> None:
        """Multiply in 2 pi, 3(4 + 5) and (1 + 2)(3 + 4)."""
        if self._has_operand:
            self.source.append("*")
            self._has_operand = False

    def _add_percent(self) -> None:
        if (name := self.source[-1]) in self.names:
            self.names[name] = Percent(self.names[name] / 100)
        else:
            self.source += ["*", "percent"]

    def _add_factorial(self) -> None:
        if not self._has_operand or self.source[-1] not in self.names:
            raise ToolError("Write factorial(…) with what the ! is for.")
        self.source[-1:] = ["factorial", "(", self.source[-1], ")"]


def _starts_operand(token: Token) -> bool:
    return token.kind in ("number", "name") or token.text == "("
