"""A part of a regular expression that a grammar carries: anchored, bounded, and in ASCII.

It is written with literals, classes, groups, `|` and `{n,m}` alone: llama.cpp's converter silently
ignores much of the rest. Quotes and backslashes are left out, since JSON would have to escape them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import NoReturn

PRINTABLE = frozenset(map(chr, range(0x20, 0x7F))) - {'"', "\\"}
_DIGITS = frozenset("0123456789")
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") | _DIGITS
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": frozenset(" ")}
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_CODES = {"x": 2, "u": 4}  # hexadecimal digits that follow
_TO_ESCAPE = frozenset("^$.[]()|{}*+?")
_CAPS = (64, 32, 16, 8, 4, 3, 2, 1, 0)  # how often what has no end may be repeated
_LONGEST = 10_000  # what may be longer is cut, not counted


class UncarriedError(ValueError):
    """The expression has something that cannot be had in a grammar."""


@dataclass(frozen=True)
class Chars:
    """One character out of several."""

    options: frozenset[str]


@dataclass(frozen=True)
class Edge:
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


Node = Chars | Edge | Seq | Alt | Repeat
EMPTY = Seq(())


@lru_cache(maxsize=512)
def carried(pattern: str, shortest: int, longest: int) -> tuple[str, int]:
    """Give a pattern for some of the texts that fit this one, and how long they get.

    Raises:
        UncarriedError: it cannot be done, or none of them has a fitting length.
    """
    fitted = _fitted(_whole(_Parser(pattern).parsed(), longest), shortest, longest)
    if fitted is None:
        raise UncarriedError("nothing of it has a fitting length")
    return f"^{_written(Seq((fitted,)))}$", _lengths(fitted)[1]


@lru_cache(maxsize=512)
def example(pattern: str, size: int) -> str:
    """Make up a text that fits, of about so many characters.

    Raises:
        UncarriedError: it cannot be done.
    """
    fitted = _fitted(_whole(_Parser(pattern).parsed(), size), size, size + 20)
    if fitted is None:
        raise UncarriedError("nothing of it has a fitting length")
    return _example(fitted)


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def parsed(self) -> Node:
        node = self._alternatives()
        if self._at < len(self._pattern):
            self._fail()
        return node

    def _fail(self) -> NoReturn:
        raise UncarriedError(f"at {self._at} of {self._pattern!r:.100}")

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
            return Chars(self._class())
        if character in "^$":
            return Edge(character == "^")
        if character == ".":
            return Chars(PRINTABLE)
        if character == "\\":
            return Chars(self._escape())
        if character in "*+?":
            self._fail()
        return Chars(frozenset(character))

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
            if isinstance(node, Edge):
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


def _whole(node: Node, room: int) -> Node:
    """Make an expression that is searched for one that the whole text fits."""
    has_start, has_end = _has_edge(node, is_start=True), _has_edge(node, is_start=False)
    bare = _without_edges(node, is_first=True, is_last=True)
    anything = Repeat(Chars(PRINTABLE), 0, room)
    is_scrap = not has_start and not has_end and _lengths(_bounded(bare, 1))[1] <= 3
    before = [anything] if has_end and not has_start else []
    after = [anything] if (has_start and not has_end) or is_scrap else []
    return Seq((*before, bare, *after)) if before or after else bare


def _has_edge(node: Node, *, is_start: bool) -> bool:
    match node:
        case Edge():
            return node.is_start == is_start
        case Seq(children) | Alt(children):
            return any(_has_edge(child, is_start=is_start) for child in children)
        case Repeat():
            return _has_edge(node.item, is_start=is_start)
        case _:
            return False


def _without_edges(node: Node, *, is_first: bool, is_last: bool) -> Node:
    """Leave the edges out; one in the middle of a text is not supported."""
    match node:
        case Edge():
            if not (is_first if node.is_start else is_last):
                raise UncarriedError("an edge in the middle")
            return EMPTY
        case Seq(parts):
            return Seq(
                tuple(
                    _without_edges(
                        part,
                        is_first=is_first and all(isinstance(p, Edge) for p in parts[:at]),
                        is_last=is_last and all(isinstance(p, Edge) for p in parts[at + 1 :]),
                    )
                    for at, part in enumerate(parts)
                )
            )
        case Alt(options):
            return Alt(
                tuple(_without_edges(one, is_first=is_first, is_last=is_last) for one in options)
            )
        case Repeat():
            item = _without_edges(node.item, is_first=False, is_last=False)
            return Repeat(item, node.low, node.high)
        case _:
            return node


def _fitted(node: Node, shortest: int, longest: int) -> Node | None:
    """Bound it so that every text has a fitting length; None if there is none."""
    if _lengths(_bounded(node, 0))[0] > longest:
        return None
    for cap in (longest, *_CAPS):
        bounded = _short(_bounded(node, cap), longest)
        if bounded is not None and _lengths(bounded)[1] <= longest:
            return _long(bounded, shortest)
    return None


def _bounded(node: Node, cap: int) -> Node:
    match node:
        case Seq(parts):
            return Seq(tuple(_bounded(part, cap) for part in parts))
        case Alt(options):
            return Alt(tuple(_bounded(option, cap) for option in options))
        case Repeat(item, low, high):
            most = max(low, cap if high is None else min(cap, high))
            return Repeat(_bounded(item, cap), low, most)
        case _:
            return node


def _short(node: Node, longest: int) -> Node | None:
    """Drop the alternatives that get too long."""
    if not isinstance(node, Alt):
        return node
    options = [option for option in node.options if _lengths(option)[1] <= longest]
    return Alt(tuple(options)) if options else None


def _long(node: Node, shortest: int) -> Node | None:
    """Raise how often something is repeated until every text is long enough."""
    missing = shortest - _lengths(node)[0]
    if missing <= 0:
        return node
    match node:
        case Alt(options):
            long = [option for one in options if (option := _long(one, shortest)) is not None]
            return Alt(tuple(long)) if long else None
        case Repeat(item, low, high):
            each = _lengths(item)[0]
            needed = low + -(-missing // each) if each else _LONGEST
            return Repeat(item, needed, high) if high is None or needed <= high else None
        case Seq(parts):
            for at, part in enumerate(parts):
                room = _lengths(part)[1] - _lengths(part)[0]
                wanted = _lengths(part)[0] + min(room, missing)
                raised = _long(part, wanted) if room else None
                if raised is not None:
                    return _long(Seq((*parts[:at], raised, *parts[at + 1 :])), shortest)
    return None


@lru_cache(maxsize=4096)
def _lengths(node: Node) -> tuple[int, int]:
    """Give the shortest and the longest text; of something impossible, more than ever fits."""
    match node:
        case Chars(options):
            return (1, 1) if options & PRINTABLE or _foreign(options) else (_LONGEST, _LONGEST)
        case Seq(parts):
            lengths = [_lengths(part) for part in parts]
            return sum(low for low, _ in lengths), sum(high for _, high in lengths)
        case Alt(options):
            lengths = [_lengths(option) for option in options]
            return min(low for low, _ in lengths), max(high for _, high in lengths)
        case Repeat(item, low, high):
            shortest, longest = _lengths(item)
            return shortest * low, longest * (_LONGEST if high is None else high)
        case _:
            return 0, 0


def _foreign(options: Iterable[str]) -> list[str]:
    return sorted(one for one in options if one.isprintable() and one > "\x7f")


def _written(node: Node) -> str:
    match node:
        case Chars(options):
            return _class(options)
        case Seq(parts):
            return "".join(
                f"({_written(part)})" if isinstance(part, Alt) else _written(part) for part in parts
            )
        case Alt(options):
            return _choice(options)
        case Repeat(item, low, high):
            return _repetition(item, low, high or 0)
        case _:
            return ""


def _example(node: Node) -> str:
    match node:
        case Chars(options):
            likely = sorted(options & PRINTABLE, key=lambda one: (not one.isalpha(), one.lower()))
            return [*likely, *_foreign(options)][0]
        case Seq(parts):
            return "".join(_example(part) for part in parts)
        case Alt(options):
            return _example(options[0])
        case Repeat(item, low, _):
            return _example(item) * low
        case _:
            return ""


def _choice(options: Iterable[Node]) -> str:
    written = list(dict.fromkeys(_written(option) for option in options))
    filled = [one for one in written if one]
    if len(filled) == len(written):
        return "|".join(filled)
    return f"({'|'.join(filled)}){{0,1}}" if filled else ""


def _repetition(item: Node, low: int, high: int) -> str:
    written = _written(item)
    if not written or high == 0:
        return ""
    if low == high == 1:
        return f"({written})" if isinstance(item, Alt) else written
    if not isinstance(item, Chars) or not written.startswith("["):
        written = f"({written})"
    return written + (f"{{{low}}}" if low == high else f"{{{low},{high}}}")


def _class(options: frozenset[str]) -> str:
    members = sorted(options & PRINTABLE) or _foreign(options)[:1]
    if not members:
        raise UncarriedError("nothing but control characters, quotes or backslashes")
    if len(members) == 1:
        return f"\\{members[0]}" if members[0] in _TO_ESCAPE else members[0]
    edge = [one for one in "^-" if one in members]  # where they stand for themselves
    runs = _runs([one for one in members if one not in "^-"])
    return f"[{''.join(runs)}{''.join(edge)}]" if runs else "[\\^-]"


def _runs(members: list[str]) -> list[str]:
    by_run: Callable[[tuple[int, str]], int] = lambda pair: ord(pair[1]) - pair[0]  # noqa: E731
    runs = []
    for _, group in groupby(enumerate(members), by_run):
        run = [f"\\{one}" if one in "[]" else one for _, one in group]
        runs.append("".join(run) if len(run) < 3 else f"{run[0]}-{run[-1]}")
    return runs
