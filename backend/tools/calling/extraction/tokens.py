"""Split a question into words, numbers with their units, dates, lists and quoted texts."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backend.tools.calling.extraction.units import unit_of
from backend.tools.calling.words import fold, stem, stems

MAX_QUESTION_CHARACTERS = 4_000

_NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        """
        two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
        """.split(),  # noqa: SIM905
        start=2,
    )
} | {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60}
_SCALES = {"hundred": 100, "thousand": 1_000, "k": 1_000, "million": 10**6, "billion": 10**9}
_CURRENCIES = "$\u20ac\u00a3\u00a5\u20b9"
_IDENTIFIER = re.compile(r"[_@\d]|\w\.\w")
_ABBREVIATIONS = frozenset({"inc", "ltd", "co", "corp", "st", "dr", "mr", "mrs", "ms", "jr", "sr"})
_QUOTED = r"""
    "[^"\n]{1,200}"
    | '(?:[^'\n]|'(?=\w)){1,200}'(?!\w)
    | \u201c[^\u201d\n]{1,200}\u201d
    | \u2018(?:[^\u2019\n]|\u2019(?=\w)){1,200}\u2019
"""
_NUMBER = rf"""
    (?<![\w.^:])[-\u2212]?[{_CURRENCIES}]?
    (?:\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d{{1,15}})(?:\.\d{{1,15}})?(?![\d-]*[-:]?\d)
    (?:\s?(?P<percent>%|percent\b)|(?P<ordinal>st|nd|rd|th)\b
      |\s?(?P<scale>hundred|thousand|million|billion|(?-i:k))\b)?
"""
_FORMULA = r"""
    (?<![\w.])(?:[-+(]\s?)*(?:\d[\w.]*|[a-z])[)!]*
    (?:\s?[-+*/^=\u00d7\u00f7]{1,2}\s?(?:[-+(]\s?)*(?:\d[\w.]*|[a-z]+\(?\w*)[)!]*){1,30}(?!\w)
"""
_TOKENS = rf"""
    (?P<list>\[[^\[\]]{{0,1000}}\])
    | (?P<quoted>(?<!\w)(?:{_QUOTED}))
    | (?P<number>{_NUMBER})
    | (?P<word>[^\W_][^\s,;:!?()\[\]{{}}"\u201c\u201d=]{{0,99}})
    | (?P<mark>[^\w\s])
"""
_TOKEN = re.compile(_TOKENS, re.VERBOSE | re.IGNORECASE)
_TOKEN_OR_FORMULA = re.compile(rf"(?P<formula>{_FORMULA}) | {_TOKENS}", re.VERBOSE | re.IGNORECASE)


@dataclass(frozen=True)
class Token:
    """A word, number, quoted text, list or mark, with where it is in the question."""

    kind: str
    text: str
    start: int
    end: int
    value: Any = None  # of a number; the text inside quotes or brackets
    unit: str = ""  # of a number: "%", a currency's sign, or "th" if it is an ordinal

    @cached_property
    def lower(self) -> str:
        return self.text.lower()

    @cached_property
    def stem(self) -> str:
        return stem(fold(self.text)) if self.kind == "word" else ""

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of all parts of a word with hyphens."""
        return frozenset(stems(self.text)) if self.kind == "word" else frozenset()

    @cached_property
    def is_name(self) -> bool:
        """Return True for names and identifiers: Rex, user_id, andy@mail.org, rs6034464."""
        is_marked = self.text[0].isupper() or _IDENTIFIER.search(self.text) is not None
        return self.kind == "word" and is_marked


def read_tokens(question: str, *, has_formulas: bool = False) -> list[Token]:
    """Return the tokens of a question; formulas are quoted text if it may have some."""
    text = question[:MAX_QUESTION_CHARACTERS]
    pattern = _TOKEN_OR_FORMULA if has_formulas else _TOKEN
    tokens = list(map(_token, pattern.finditer(text)))
    return list(_merged(tokens))


def _merged(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield the tokens; a number with letters that are no unit is a word: "3pm", but not "3kg"."""
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if after is not None and _is_glued(token, after):
            text = token.text + after.text
            yield Token("word", text, token.start, after.end)
        elif before is None or not _is_glued(before, token):
            yield token


def _is_glued(number: Token, word: Token) -> bool:
    are_adjacent = number.end == word.start and (number.kind, word.kind) == ("number", "word")
    return are_adjacent and not unit_of(word.text)


def _token(match: re.Match[str]) -> Token:
    text, start = match[0], match.start()
    if match.lastgroup == "formula":
        return Token("quoted", text, start, match.end(), text.strip())
    if match["number"]:
        return _number_token(match)
    if match["word"]:
        text = _without_punctuation(text)
        number = _NUMBER_WORDS.get(text.lower())
        kind = "word" if number is None else "number"
        return Token(kind, text, start, start + len(text), number)
    value = text[1:-1] if match["quoted"] or match["list"] else None
    return Token(str(match.lastgroup), text, start, match.end(), value)


def _number_token(match: re.Match[str]) -> Token:
    digits = re.match(r"[^a-z%]*", match[0].lower())
    text = (digits[0] if digits else "").replace("\u2212", "-").replace(",", "").strip()
    currency = next((sign for sign in _CURRENCIES if sign in text), "")
    text = text.replace(currency, "") if currency else text
    number: int | float = float(text) if "." in text else int(text)
    if match["scale"]:
        number = _whole(number * _SCALES[match["scale"].lower()])
    unit = "%" if match["percent"] else "th" if match["ordinal"] else currency
    return Token("number", match[0], match.start(), match.end(), number, unit)


def _whole(number: float) -> int | float:
    return int(number) if number == int(number) else number


def _without_punctuation(word: str) -> str:
    word = re.sub(r"['\u2019]s$", "", word.rstrip("'\u2019/*"))
    is_abbreviation = word.lower().rstrip(".") in _ABBREVIATIONS or word.count(".") > 1
    return word if is_abbreviation else word.rstrip(".'\u2019")
