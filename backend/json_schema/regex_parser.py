"""A regular expression, read as far as a grammar could carry it."""

from dataclasses import dataclass
from typing import NoReturn

PRINTABLE = frozenset(map(chr, range(0x20, 0x7F))) - {'"', "\\"}
_DIGITS = frozenset("0123456789")
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") | _DIGITS
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": frozenset(" ")}
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_CODES = {"x": 2, "u": 4}  # hexadecimal digits that follow


class UnsupportedPatternError(ValueError):
    """The expression has something that cannot be had in a grammar."""


@dataclass(frozen=True)
class CharClass:
    """One character out of several."""

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
    """Read a regular expression of JSON Schema's.

    Raises:
        UncarriedError: it has something that no grammar carries.
    """
    return _Parser(pattern).parse()


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def parse(self) -> Node:
        node = self._alternatives()
        if self._at < len(self._pattern):
            self._fail()
        return node

    def _fail(self) -> NoReturn:
        raise UnsupportedPatternError(f"at {self._at} of {self._pattern!r:.100}")

    def _next(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self, count: int = 1) -> str:
        taken = self._pattern[self._at : self._at + count]
        if len(taken) < count:
            self._fail()
        self._at += count
        return taken

    def _skip(self, text: str) -> bool:
        is_there = self._pattern.startswith(text, self._at)
        self._at += len(text) * is_there
        return is_there

    def _alternatives(self) -> Node:
        options = [self._sequence()]
        while self._skip("|"):
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Alt(tuple(options))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._next() not in ("", "|", ")"):
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
        if self._skip("?<") and self._next() not in ("=", "!"):
            while self._take() != ">":
                pass
        elif not self._skip("?:") and self._next() == "?":
            self._fail()  # looks ahead, or sets a flag
        node = self._alternatives()
        if not self._skip(")"):
            self._fail()
        return node

    def _class(self) -> frozenset[str]:
        is_negated = self._skip("^")
        found: set[str] = set()
        while not self._skip("]"):
            first = self._member()
            if self._next() != "-" or self._pattern.startswith("-]", self._at):
                found |= first
                continue
            self._take()
            last = self._member()
            if len(first) != 1 or len(last) != 1:
                found |= first | last | {"-"}
                continue
            [low], [high] = first, last
            found |= {one for one in PRINTABLE if low <= one <= high} or first
        return PRINTABLE - found if is_negated else frozenset(found)

    def _member(self) -> frozenset[str]:
        character = self._take()
        if character == "[":
            self._fail()  # in some dialects a class in a class
        return self._escape(in_class=True) if character == "\\" else frozenset(character)

    def _escape(self, *, in_class: bool = False) -> frozenset[str]:
        character = self._take()
        if character.lower() in _CLASSES:
            members = _CLASSES[character.lower()]
            return members if character.islower() else PRINTABLE - members
        if character in _ESCAPES:
            return frozenset(_ESCAPES[character])
        if character in _CODES:
            try:
                return frozenset(chr(int(self._take(_CODES[character]), 16)))
            except ValueError:
                self._fail()
        if character.isalnum() and not (in_class and character == "b"):
            self._fail()  # \b, \1, \p and the like
        return frozenset(character)

    def _repeated(self, node: Node) -> Node:
        while True:
            bounds = self._bounds()
            if bounds is None:
                return node
            if isinstance(node, Anchor):
                self._fail()
            self._skip("?")  # lazy: the same texts fit
            node = Repeat(node, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        if self._skip("*"):
            return 0, None
        if self._skip("+"):
            return 1, None
        if self._skip("?"):
            return 0, 1
        end = self._pattern.find("}", self._at)
        if self._next() != "{" or end < 0:
            return None
        low, comma, high = self._pattern[self._at + 1 : end].partition(",")
        if not low.isdecimal() or not (high.isdecimal() or not high):
            return None  # a brace that stands for itself
        self._at = end + 1
        return int(low), int(high) if high else (None if comma else int(low))
