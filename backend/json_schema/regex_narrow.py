"""A part of a regular expression that a grammar carries: anchored, bounded, and in ASCII.

It is written with literals, classes, groups, `|` and `{n,m}` alone: llama.cpp's converter silently
ignores much of the rest. Quotes and backslashes are left out, since JSON would have to escape them.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import groupby

from backend.json_schema.regex_parser import (
    EMPTY,
    PRINTABLE,
    Alt,
    Anchor,
    CharClass,
    Node,
    Repeat,
    Seq,
    UnsupportedPatternError,
    parse,
)

__all__ = ["UnsupportedPatternError", "example_match", "narrow_pattern"]

_TO_ESCAPE = frozenset("^$.[]()|{}*+?")
# How often at most what has no end is repeated.
_CAPS = (64, 32, 24, 16, 12, 10, 8, 6, 5, 4, 3, 2, 1, 0)
_LONGEST = 10_000  # what may be longer is cut, not counted


@lru_cache(maxsize=512)
def narrow_pattern(pattern: str, shortest: int, longest: int) -> tuple[str, int]:
    """Give a pattern for some of the texts that fit this one, and how long they get.

    Raises:
        UncarriedError: it cannot be done, or none of them has a fitting length.
    """
    fitted = _fit_length(_whole(parse(pattern), longest), shortest, longest)
    if fitted is None:
        raise UnsupportedPatternError("nothing of it has a fitting length")
    return f"^{_to_pattern(Seq((fitted,)))}$", _length_range(fitted)[1]


@lru_cache(maxsize=512)
def example_match(pattern: str, size: int) -> str:
    """Make up a text that fits, of about so many characters.

    Raises:
        UncarriedError: it cannot be done.
    """
    fitted = _fit_length(_whole(parse(pattern), size), size, size + 20)
    if fitted is None:
        raise UnsupportedPatternError("nothing of it has a fitting length")
    return _example(fitted)


def _whole(node: Node, room: int) -> Node:
    """Make an expression that is searched for one that the whole text fits."""
    has_start, has_end = _has_anchor(node, is_start=True), _has_anchor(node, is_start=False)
    bare = _strip_anchors(node, is_first=True, is_last=True)
    anything = Repeat(CharClass(PRINTABLE), 0, room)
    is_scrap = not has_start and not has_end and _length_range(_bounded(bare, 1))[1] <= 3
    before = [anything] if has_end and not has_start else []
    after = [anything] if (has_start and not has_end) or is_scrap else []
    return Seq((*before, bare, *after)) if before or after else bare


def _has_anchor(node: Node, *, is_start: bool) -> bool:
    match node:
        case Anchor():
            return node.is_start == is_start
        case Seq(children) | Alt(children):
            return any(_has_anchor(child, is_start=is_start) for child in children)
        case Repeat():
            return _has_anchor(node.item, is_start=is_start)
        case _:
            return False


def _strip_anchors(node: Node, *, is_first: bool, is_last: bool) -> Node:
    """Leave the edges out; one in the middle of a text is not supported."""
    match node:
        case Anchor():
            if not (is_first if node.is_start else is_last):
                raise UnsupportedPatternError("an edge in the middle")
            return EMPTY
        case Seq(parts):
            return Seq(
                tuple(
                    _strip_anchors(
                        part,
                        is_first=is_first and all(isinstance(p, Anchor) for p in parts[:at]),
                        is_last=is_last and all(isinstance(p, Anchor) for p in parts[at + 1 :]),
                    )
                    for at, part in enumerate(parts)
                )
            )
        case Alt(options):
            return Alt(
                tuple(_strip_anchors(one, is_first=is_first, is_last=is_last) for one in options)
            )
        case Repeat():
            item = _strip_anchors(node.item, is_first=False, is_last=False)
            return Repeat(item, node.low, node.high)
        case _:
            return node


def _fit_length(node: Node, shortest: int, longest: int) -> Node | None:
    """Bound it so that every text has a fitting length; None if there is none."""
    if _length_range(_bounded(node, 0))[0] > longest:
        return None
    for cap in (longest, *_CAPS):
        bounded = _drop_long(_bounded(node, cap), longest)
        if bounded is not None and _length_range(bounded)[1] <= longest:
            return _raise_minimum(bounded, shortest)
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


def _drop_long(node: Node, longest: int) -> Node | None:
    """Drop the alternatives that get too long."""
    if not isinstance(node, Alt):
        return node
    options = [option for option in node.options if _length_range(option)[1] <= longest]
    return Alt(tuple(options)) if options else None


def _raise_minimum(node: Node, shortest: int) -> Node | None:
    """Raise how often something is repeated until every text is long enough."""
    missing = shortest - _length_range(node)[0]
    if missing <= 0:
        return node
    match node:
        case Alt(options):
            long = [
                option for one in options if (option := _raise_minimum(one, shortest)) is not None
            ]
            return Alt(tuple(long)) if long else None
        case Repeat(item, low, high):
            each = _length_range(item)[0]
            needed = low + -(-missing // each) if each else _LONGEST
            return Repeat(item, needed, high) if high is None or needed <= high else None
        case Seq(parts):
            for at, part in enumerate(parts):
                room = _length_range(part)[1] - _length_range(part)[0]
                wanted = _length_range(part)[0] + min(room, missing)
                raised = _raise_minimum(part, wanted) if room else None
                if raised is not None:
                    return _raise_minimum(Seq((*parts[:at], raised, *parts[at + 1 :])), shortest)
    return None


@lru_cache(maxsize=4096)
def _length_range(node: Node) -> tuple[int, int]:
    """Give the shortest and the longest text; of something impossible, more than ever fits."""
    match node:
        case CharClass(options):
            return (1, 1) if options & PRINTABLE or _non_ascii(options) else (_LONGEST, _LONGEST)
        case Seq(parts):
            lengths = [_length_range(part) for part in parts]
            return sum(low for low, _ in lengths), sum(high for _, high in lengths)
        case Alt(options):
            lengths = [_length_range(option) for option in options]
            return min(low for low, _ in lengths), max(high for _, high in lengths)
        case Repeat(item, low, high):
            shortest, longest = _length_range(item)
            return shortest * low, longest * (_LONGEST if high is None else high)
        case _:
            return 0, 0


def _non_ascii(options: Iterable[str]) -> list[str]:
    return sorted(one for one in options if one.isprintable() and one > "\x7f")


def _to_pattern(node: Node) -> str:
    match node:
        case CharClass(options):
            return _class(options)
        case Seq(parts):
            return "".join(
                f"({_to_pattern(part)})" if isinstance(part, Alt) else _to_pattern(part)
                for part in parts
            )
        case Alt(options):
            return _choice(options)
        case Repeat(item, low, high):
            return _repetition(item, low, high or 0)
        case _:
            return ""


def _example(node: Node) -> str:
    match node:
        case CharClass(options):
            likely = sorted(options & PRINTABLE, key=lambda one: (not one.isalpha(), one.lower()))
            return [*likely, *_non_ascii(options)][0]
        case Seq(parts):
            return "".join(_example(part) for part in parts)
        case Alt(options):
            return _example(options[0])
        case Repeat(item, low, _):
            return _example(item) * low
        case _:
            return ""


def _choice(options: Iterable[Node]) -> str:
    written = list(dict.fromkeys(_to_pattern(option) for option in options))
    filled = [one for one in written if one]
    if len(filled) == len(written):
        return "|".join(filled)
    return f"({'|'.join(filled)}){{0,1}}" if filled else ""


def _repetition(item: Node, low: int, high: int) -> str:
    written = _to_pattern(item)
    if not written or high == 0:
        return ""
    if low == high == 1:
        return f"({written})" if isinstance(item, Alt) else written
    if not isinstance(item, CharClass) or not written.startswith("["):
        written = f"({written})"
    return written + (f"{{{low}}}" if low == high else f"{{{low},{high}}}")


def _class(options: frozenset[str]) -> str:
    members = sorted(options & PRINTABLE) or _non_ascii(options)[:1]
    if not members:
        raise UnsupportedPatternError("nothing but control characters, quotes or backslashes")
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
