"""Parse the subset of regular expressions that a grammar can express."""

from dataclasses import dataclass
from typing import NoReturn

PRINTABLE = frozenset(map(chr, range(0x20, 0x7F))) - {'"', "\\"}
_DIGITS = frozenset("0123456789")
_WORD_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") | _DIGITS
_CLASSES = {"d": _DIGITS, "w": _WORD_CHARACTERS, "s": frozenset(" ")}
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_HEX_ESCAPES = {"x": 2, "u": 4}  # number of hexadecimal digits that follow


class UnsupportedPatternError(ValueError):
    """The expression uses something that no grammar can express."""


@dataclass(frozen=True)
class CharClass:
    """One of several characters."""

    options: frozenset[str]


@dataclass(frozen=True)
class Anchor:
    """`^` or `$`."""

    is_start: bool


@dataclass(frozen=True)
class Seq:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True)
class Alt:
    options: "tuple[Node, ...]"


@dataclass(frozen=True)
class Repeat:
    item: "Node"
    low: int
    high: int | None


Node = CharClass | Anchor | Seq | Alt | Repeat
EMPTY = Seq(())


def parse(pattern: str) -> Node:
    """Parse a regular expression as used in JSON Schema.

    Raises:
        UnsupportedPatternError: It uses something that no grammar can express.
    """
    return _Parser(pattern).parse()


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._position = 0

    def parse(self) -> Node:
        node = self._alternatives()
        if self._position < len(self._pattern):
            self._fail()
        return node

    def _fail(self) -> NoReturn:
        raise UnsupportedPatternError(f"at {self._position} of {self._pattern!r:.100}")

    def _peek(self) -> str:
        return self._pattern[self._position : self._position + 1]

    def _take(self, count: int = 1) -> str:
        text = self._pattern[self._position : self._position + count]
        if len(text) < count:
            self._fail()
        self._position += count
        return text

    def _skip(self, text: str) -> bool:
        is_next = self._pattern.startswith(text, self._position)
        self._position += len(text) * is_next
        return is_next

    def _alternatives(self) -> Node:
        options = [self._sequence()]
        while self._skip("|"):
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Alt(tuple(options))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom()))
        return parts[0] if len(parts) == 1 else Seq(tuple(parts))

    def _atom(self) -> Node:
        character = self._take()
        if character == "(":
            return self._group()
        if character == "[":
            return CharClass(self._class())
        if character in "^$":
            return Anchor(character == "^")
        if character == ".":
            return CharClass(PRINTABLE)
        if character == "\\":
            return CharClass(self._escape())
        if character in "*+?":
            self._fail()
        return CharClass(frozenset(character))

    def _group(self) -> Node:
        if self._skip("?<") and self._peek() not in ("=", "!"):
            while self._take() != ">":
                pass
        elif not self._skip("?:") and self._peek() == "?":
            self._fail()  # lookaround or a flag
        node = self._alternatives()
        if not self._skip(")"):
            self._fail()
        return node

    def _class(self) -> frozenset[str]:
        is_negated = self._skip("^")
        members: set[str] = set()
        while not self._skip("]"):
            first = self._member()
            if self._peek() != "-" or self._pattern.startswith("-]", self._position):
                members |= first
                continue
            self._take()
            last = self._member()
            if len(first) != 1 or len(last) != 1:
                members |= first | last | {"-"}
                continue
            [low], [high] = first, last
            members |= {char for char in PRINTABLE if low <= char <= high} or first
        return PRINTABLE - members if is_negated else frozenset(members)

    def _member(self) -> frozenset[str]:
        character = self._take()
        if character == "[":
            self._fail()  # a nested class in some dialects
        return self._escape(in_class=True) if character == "\\" else frozenset(character)

    def _escape(self, *, in_class: bool = False) -> frozenset[str]:
        character = self._take()
        if character.lower() in _CLASSES:
            members = _CLASSES[character.lower()]
            return members if character.islower() else PRINTABLE - members
        if character in _ESCAPES:
            return frozenset(_ESCAPES[character])
        if character in _HEX_ESCAPES:
            try:
                return frozenset(chr(int(self._take(_HEX_ESCAPES[character]), 16)))
            except ValueError:
                self._fail()
        if character.isalnum() and not (in_class and character == "b"):
            self._fail()  # \b, \1, \p and others
        return frozenset(character)

    def _repeated(self, node: Node) -> Node:
        while True:
            bounds = self._bounds()
            if bounds is None:
                return node
            if isinstance(node, Anchor):
                self._fail()
            self._skip("?")  # lazy quantifiers match the same texts
            node = Repeat(node, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        if self._skip("*"):
            return 0, None
        if self._skip("+"):
            return 1, None
        if self._skip("?"):
            return 0, 1
        end = self._pattern.find("}", self._position)
        if self._peek() != "{" or end < 0:
            return None
        low, comma, high = self._pattern[self._position + 1 : end].partition(",")
        if not low.isdecimal() or not (high.isdecimal() or not high):
            return None  # a literal brace
        self._position = end + 1
        return int(low), int(high) if high else (None if comma else int(low))
