"""Write a grammar in llama.cpp's language (GBNF): the JSON of a narrowed schema, on one line.

The grammar into which llama.cpp itself converts a schema allows line breaks and indentation, on
which a small model can spend all of its tokens. https://github.com/ggml-org/llama.cpp/tree/master/grammars
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from backend.json_schema.regex_parser import Alt, CharClass, Node, Repeat, Seq, parse

MAX_REPETITIONS = 900  # of one part: llama.cpp refuses about 2,000, which it counts differently
MAX_TOTAL_REPETITIONS = 20_000  # each is a rule
MAX_CHARACTERS = 250_000
# As models are trained to write JSON on one line.
_COLON, _COMMA = ": ", ", "
_STRING_CHARACTER = (
    r'[^"\\\x00-\x1F\x7F-\x9F\u2028\u2029] | "\\" (["\\/bfnrt] | "u" '
    r"([0-9a-cefA-CEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))"  # not half of a pair
)
_UNSIGNED = '("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [-+]? ("0" | [1-9] [0-9]?))?'
_COUNT = re.compile(r"\{(?:\d+,)?(\d+)\}")
_KINDS_WITH_LITERALS = ("enum", "members")  # with names and values of the schema
_ESCAPED = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Schema = dict[str, Any]


class _GrammarTooLargeError(Exception):
    """Parsing the grammar would take the model server too long."""


def write_grammar(schema: Schema) -> str | None:
    """Return a grammar for the instances of a narrowed schema, or None if it would be too large."""
    writer = _GrammarWriter()
    try:
        return writer.grammar(schema)
    except _GrammarTooLargeError:
        return None


def _number(schema: Schema) -> str:
    """Return the expression of a decimal number, which is not negative if its minimum is 0."""
    sign = "" if "minimum" in schema else '"-"? '
    return sign + _UNSIGNED


class _GrammarWriter:
    """Writes each rule once, even if several schemas need it."""

    def __init__(self) -> None:
        self._rules: dict[str, str] = {}  # names by body
        self._characters = 0
        self._repetitions = 0
        self._of_type: dict[str, Callable[[Schema], str]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": lambda schema: self._rule("integer", _any_of(_integers(schema))),
            "number": lambda schema: self._rule("number", _number(schema)),
            "boolean": lambda _schema: self._rule("boolean", '"true" | "false"'),
            "null": lambda _schema: '"null"',
        }

    def grammar(self, schema: Schema) -> str:
        """Return the complete grammar.

        Raises:
            _GrammarTooLargeError: It is too large.
        """
        root = self._value(schema)
        rules = "".join(f"{name} ::= {body}\n" for body, name in self._rules.items())
        return f"root ::= {root}\n{rules}"

    def _rule(self, kind: str, body: str) -> str:
        """Return the name of the rule with this body."""
        if body not in self._rules:
            self._characters += len(body)
            if kind not in _KINDS_WITH_LITERALS:
                self._repetitions += sum(map(int, _COUNT.findall(body)))
            if self._characters > MAX_CHARACTERS or self._repetitions > MAX_TOTAL_REPETITIONS:
                raise _GrammarTooLargeError
            self._rules[body] = f"{kind}-{len(self._rules) + 1}"
        return self._rules[body]

    def _repeated(self, item: str, low: int, high: int) -> str:
        """Return `item` with the bounds of its repetition; "" if there is none."""
        if high == 0:
            return ""
        if low == high == 1:
            return item
        if high > MAX_REPETITIONS:
            raise _GrammarTooLargeError
        return f"{item}{{{low}}}" if low == high else f"{item}{{{low},{high}}}"

    def _value(self, schema: Schema) -> str:
        """Return a one-symbol expression for the instances of a schema."""
        if "enum" in schema:
            return self._rule("enum", _any_of(_literal(_json(value)) for value in schema["enum"]))
        if "anyOf" in schema:
            return self._rule("any", _any_of(self._value(option) for option in schema["anyOf"]))
        return self._of_type[schema["type"]](schema)

    def _object(self, schema: Schema) -> str:
        """Return a rule for the properties in their order, of which optional ones may be missing.

        The grammar grows with the number of optional properties, not with its square.
        """
        members = list(schema["properties"].items())
        are_required = [name in schema["required"] for name, _ in members]
        first_required = are_required.index(True) if any(are_required) else len(members)
        following, alternatives = "", list[str]()
        for index, (name, child) in reversed(list(enumerate(members))):
            value = self._value(child)
            if index <= first_required:  # it may be the first member
                if first_required and following:  # the others share what follows
                    following = f" {self._rule('members', following.strip())}"
                alternatives.append(f"{_literal(_json(name) + _COLON)} {value}{following}")
            member = f"{_literal(_COMMA + _json(name) + _COLON)} {value}"
            following = (f" {member}" if are_required[index] else f" ({member})?") + following
        if not alternatives:
            return self._rule("object", '"{}"')
        body = self._rule("members", _any_of(reversed(alternatives)))
        body += "" if any(are_required) else "?"
        return self._rule("object", f'"{{" {body} "}}"')

    def _array(self, schema: Schema) -> str:
        if "prefixItems" in schema:
            items = f' "{_COMMA}" '.join(self._value(item) for item in schema["prefixItems"])
            return self._rule("array", f'"[" {items} "]"')
        low, high = schema["minItems"], schema["maxItems"]
        if high == 0:
            return self._rule("array", '"[]"')
        item = self._value(schema["items"])
        if high > 1:
            next_item = self._rule("item", f'"{_COMMA}" {item}')
            item = f"{item} {self._repeated(next_item, max(low - 1, 0), high - 1)}"
        if low == 0:
            item = self._rule("items", item) + "?"
        return self._rule("array", f'"[" {item} "]"')

    def _string(self, schema: Schema) -> str:
        if "pattern" in schema:
            text = self._pattern(parse(schema["pattern"]))
        else:
            character = self._rule("char", _STRING_CHARACTER)
            text = self._repeated(character, schema["minLength"], schema["maxLength"])
        return self._rule("string", f'"\\"" {text} "\\""')

    def _pattern(self, node: Node) -> str:
        """Return an expression for a narrowed pattern, whose anchors are at its ends."""
        match node:
            case CharClass(options):
                return _character_class(options)
            case Seq(parts):
                texts = (
                    self._symbol(part) if isinstance(part, Alt) else self._pattern(part)
                    for part in parts
                )
                return " ".join(filter(None, texts))
            case Alt(options):
                return _any_of(self._pattern(option) or '""' for option in options)
            case Repeat(item, low, high):
                return self._repeated(self._symbol(item), low, high or 0)
            case _:
                return ""

    def _symbol(self, node: Node) -> str:
        text = self._pattern(node)
        is_symbol = isinstance(node, CharClass)
        return text if is_symbol else self._rule("part", text or '""')


def _any_of(options: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(options))


def _integers(schema: Schema) -> list[str]:
    """Return the expressions whose union is a range of integers."""
    low, high = schema["minimum"], schema["maximum"]
    negative = [f'"-" {text}' for text in _naturals(max(1, -high), -low)] if low < 0 else []
    return negative + (_naturals(max(low, 0), high) if high >= 0 else [])


def _naturals(low: int, high: int) -> list[str]:
    """Return the expressions for the numbers of each length."""
    options: list[str] = []
    for length in range(len(str(low)), len(str(high)) + 1):
        shortest = 10 ** (length - 1) if length > 1 else 0
        options += _of_same_length(str(max(low, shortest)), str(min(high, 10**length - 1)))
    return options


def _of_same_length(first: str, last: str) -> list[str]:
    """Return the expressions for the digits from `first` to `last`."""
    rest = len(first) - 1
    zeros, nines = "0" * rest, "9" * rest
    if first[1:] == zeros and last[1:] == nines:
        return [_digits(first[0], last[0], rest)]
    if first[0] == last[0]:
        return [f'"{first[0]}" {text}' for text in _of_same_length(first[1:], last[1:])]
    below, above, between = list[str](), list[str](), [int(first[0]), int(last[0])]
    if first[1:] != zeros:
        below = [f'"{first[0]}" {text}' for text in _of_same_length(first[1:], nines)]
        between[0] += 1
    if last[1:] != nines:
        above = [f'"{last[0]}" {text}' for text in _of_same_length(zeros, last[1:])]
        between[1] -= 1
    has_between = between[0] <= between[1]
    middle = [_digits(str(between[0]), str(between[1]), rest)] if has_between else []
    return below + middle + above


def _digits(low: str, high: str, rest: int) -> str:
    """Return an expression for a digit in a range, and `rest` digits of any value."""
    digit = f'"{low}"' if low == high else f"[{low}-{high}]"
    count = f"{{{rest}}}" if rest > 1 else ""
    return f"{digit} [0-9]{count}" if rest else digit


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(_COMMA, _COLON))
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _literal(text: str) -> str:
    """Return a text as a terminal of the grammar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _character_class(options: Iterable[str]) -> str:
    codes = sorted(ord(character) for character in options)
    if len(codes) == 1:
        return _literal(_json(chr(codes[0]))[1:-1])
    ranges = [list(group) for _, group in groupby(enumerate(codes), lambda each: each[1] - each[0])]
    return f"[{''.join(_range([code for _, code in group]) for group in ranges)}]"


def _range(codes: Sequence[int]) -> str:
    first, last = _class_member(codes[0]), _class_member(codes[-1])
    return first if len(codes) == 1 else f"{first}-{last}"


def _class_member(code: int) -> str:
    character = chr(code)
    return character if character.isascii() and character.isalnum() else f"\\U{code:08X}"
