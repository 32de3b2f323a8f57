"""Narrow a regular expression to a subset that a grammar can express: anchored, bounded, ASCII.

The result uses only literals, classes, groups, `|` and `{n,m}`: llama.cpp's converter silently
ignores most other syntax. It never matches quotes or backslashes, which JSON would have to escape.
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

_ESCAPED = frozenset("^$.[]()|{}*+?")
# Limits to try for unbounded repetitions.
_CAPS = (64, 32, 24, 16, 12, 10, 8, 6, 5, 4, 3, 2, 1, 0)
_MAX_LENGTH = 10_000  # stands for any greater length


@lru_cache(maxsize=512)
def narrow_pattern(pattern: str, shortest: int, longest: int) -> tuple[str, int]:
    """Return a pattern that matches a subset of the texts, and the length of its longest match.

    Raises:
        UnsupportedPatternError: A grammar cannot express it, or no match has a valid length.
    """
    fitted = _fit_length(_full_match(parse(pattern), longest), shortest, longest)
    if fitted is None:
        raise UnsupportedPatternError("no match has a valid length")
    return f"^{_to_pattern(Seq((fitted,)))}$", _length_range(fitted)[1]


@lru_cache(maxsize=512)
def example_match(pattern: str, size: int) -> str:
    """Return a match of about `size` characters.

    Raises:
        UnsupportedPatternError: A grammar cannot express it, or no match has this size.
    """
    fitted = _fit_length(_full_match(parse(pattern), size), size, size + 20)
    if fitted is None:
        raise UnsupportedPatternError("no match has a valid length")
    return _example(fitted)


def _full_match(node: Node, max_padding: int) -> Node:
    """Turn a search pattern into one for the full text."""
    has_start, has_end = _has_anchor(node, is_start=True), _has_anchor(node, is_start=False)
    body = _strip_anchors(node, is_first=True, is_last=True)
    anything = Repeat(CharClass(PRINTABLE), 0, max_padding)
    is_fragment = not has_start and not has_end and _length_range(_bounded(body, 1))[1] <= 3
    before = [anything] if has_end and not has_start else []
    after = [anything] if (has_start and not has_end) or is_fragment else []
    return Seq((*before, body, *after)) if before or after else body


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
    """Remove the anchors; one in the middle of a pattern is not supported."""
    match node:
        case Anchor():
            if not (is_first if node.is_start else is_last):
                raise UnsupportedPatternError("an anchor in the middle")
            return EMPTY
        case Seq(parts):
            return Seq(
                tuple(
                    _strip_anchors(
                        part,
                        is_first=is_first and all(isinstance(p, Anchor) for p in parts[:index]),
                        is_last=is_last and all(isinstance(p, Anchor) for p in parts[index + 1 :]),
                    )
                    for index, part in enumerate(parts)
                )
            )
        case Alt(options):
            return Alt(
                tuple(
                    _strip_anchors(option, is_first=is_first, is_last=is_last) for option in options
                )
            )
        case Repeat():
            item = _strip_anchors(node.item, is_first=False, is_last=False)
            return Repeat(item, node.low, node.high)
        case _:
            return node


def _fit_length(node: Node, shortest: int, longest: int) -> Node | None:
    """Bound repetitions so that every match has a valid length; None if that is impossible."""
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
            maximum = max(low, cap if high is None else min(cap, high))
            return Repeat(_bounded(item, cap), low, maximum)
        case _:
            return node


def _drop_long(node: Node, longest: int) -> Node | None:
    """Drop alternatives whose longest match is too long."""
    if not isinstance(node, Alt):
        return node
    options = [option for option in node.options if _length_range(option)[1] <= longest]
    return Alt(tuple(options)) if options else None


def _raise_minimum(node: Node, shortest: int) -> Node | None:
    """Raise minimum repetition counts until every match is long enough."""
    missing = shortest - _length_range(node)[0]
    if missing <= 0:
        return node
    match node:
        case Alt(options):
            raised_options = [_raise_minimum(option, shortest) for option in options]
            long_enough = tuple(option for option in raised_options if option is not None)
            return Alt(long_enough) if long_enough else None
        case Repeat(item, low, high):
            item_length = _length_range(item)[0]
            count = low + -(-missing // item_length) if item_length else _MAX_LENGTH
            return Repeat(item, count, high) if high is None or count <= high else None
        case Seq(parts):
            for index, part in enumerate(parts):
                part_shortest, part_longest = _length_range(part)
                slack = part_longest - part_shortest
                raised = (
                    _raise_minimum(part, part_shortest + min(slack, missing)) if slack else None
                )
                if raised is not None:
                    parts = (*parts[:index], raised, *parts[index + 1 :])
                    return _raise_minimum(Seq(parts), shortest)
    return None


@lru_cache(maxsize=4096)
def _length_range(node: Node) -> tuple[int, int]:
    """Return the lengths of the shortest and longest match; _MAX_LENGTH if there is no match."""
    match node:
        case CharClass(options):
            return (
                (1, 1) if options & PRINTABLE or _non_ascii(options) else (_MAX_LENGTH, _MAX_LENGTH)
            )
        case Seq(parts):
            lengths = [_length_range(part) for part in parts]
            return sum(low for low, _ in lengths), sum(high for _, high in lengths)
        case Alt(options):
            lengths = [_length_range(option) for option in options]
            return min(low for low, _ in lengths), max(high for _, high in lengths)
        case Repeat(item, low, high):
            shortest, longest = _length_range(item)
            return shortest * low, longest * (_MAX_LENGTH if high is None else high)
        case _:
            return 0, 0


def _non_ascii(options: Iterable[str]) -> list[str]:
    return sorted(char for char in options if char.isprintable() and char > "\x7f")


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
            return _alternation(options)
        case Repeat(item, low, high):
            return _repetition(item, low, high or 0)
        case _:
            return ""


def _example(node: Node) -> str:
    match node:
        case CharClass(options):
            printable = sorted(
                options & PRINTABLE, key=lambda char: (not char.isalpha(), char.lower())
            )
            return [*printable, *_non_ascii(options)][0]
        case Seq(parts):
            return "".join(_example(part) for part in parts)
        case Alt(options):
            return _example(options[0])
        case Repeat(item, low, _):
            return _example(item) * low
        case _:
            return ""


def _alternation(options: Iterable[Node]) -> str:
    patterns = list(dict.fromkeys(_to_pattern(option) for option in options))
    non_empty = [pattern for pattern in patterns if pattern]
    if len(non_empty) == len(patterns):
        return "|".join(non_empty)
    return f"({'|'.join(non_empty)}){{0,1}}" if non_empty else ""


def _repetition(item: Node, low: int, high: int) -> str:
    pattern = _to_pattern(item)
    if not pattern or high == 0:
        return ""
    if low == high == 1:
        return f"({pattern})" if isinstance(item, Alt) else pattern
    if not isinstance(item, CharClass) or not pattern.startswith("["):
        pattern = f"({pattern})"
    return pattern + (f"{{{low}}}" if low == high else f"{{{low},{high}}}")


def _class(options: frozenset[str]) -> str:
    members = sorted(options & PRINTABLE) or _non_ascii(options)[:1]
    if not members:
        raise UnsupportedPatternError("only control characters, quotes or backslashes")
    if len(members) == 1:
        return f"\\{members[0]}" if members[0] in _ESCAPED else members[0]
    special = [char for char in "^-" if char in members]  # literal at the end of a class
    runs = _runs([char for char in members if char not in "^-"])
    return f"[{''.join(runs)}{''.join(special)}]" if runs else "[\\^-]"


def _runs(members: list[str]) -> list[str]:
    by_run: Callable[[tuple[int, str]], int] = lambda pair: ord(pair[1]) - pair[0]  # noqa: E731
    runs = []
    for _, group in groupby(enumerate(members), by_run):
        run = [f"\\{char}" if char in "[]" else char for _, char in group]
        runs.append("".join(run) if len(run) < 3 else f"{run[0]}-{run[-1]}")
    return runs
