"""Find the lists in a question: in brackets, or joined by commas and "and"."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from backend.tools.calling.extraction.phrases import is_boundary, is_command
from backend.tools.calling.extraction.tokenized_question import TokenizedQuestion
from backend.tools.calling.extraction.tokens import Token, read_tokens

MIN_NUMBERS = 2
_JOINTS = frozenset({",", "and", "&", "or", "also", "plus"})


@dataclass(frozen=True)
class ListInText:
    """The items of a list, and the tokens that it is made of."""

    items: list[Any]
    first: int
    last: int
    is_bracketed: bool

    @property
    def is_numeric(self) -> bool:
        return all(isinstance(item, int | float) for item in self.items)


def find_lists(text: TokenizedQuestion) -> list[ListInText]:
    """Return the lists in the order of the text."""
    bracketed = [
        ListInText(items, index, index, is_bracketed=True)
        for index, token in enumerate(text.tokens)
        if token.kind == "list" and (items := _read_brackets(str(token.value))) is not None
    ]
    return bracketed or list(_joined(text))


def _read_brackets(text: str) -> list[Any] | None:
    try:
        items = json.loads(f"[{text}]")
    except ValueError:
        values = [token for token in read_tokens(text) if token.kind != "mark"]
        if any(token.kind not in ("quoted", "number", "word") for token in values):
            return None
        return [token.text if token.value is None else token.value for token in values]
    return items if isinstance(items, list) else None


def _joined(text: TokenizedQuestion) -> Iterator[ListInText]:
    """Yield lists such as "12, 24 and 36" or "timings, exhibitions, and accessibility"."""
    tokens = text.tokens
    group: list[tuple[int, int]] = []
    for chunk in _chunks(tokens):
        if group and not (
            _are_joined(tokens, group[-1], chunk)
            and _is_number(tokens, group[-1]) == _is_number(tokens, chunk)
        ):
            yield from _as_list(text, group)
            group = []
        group.append(chunk)
    yield from _as_list(text, group)


def _as_list(text: TokenizedQuestion, group: Sequence[tuple[int, int]]) -> Iterator[ListInText]:
    if len(group) < MIN_NUMBERS:
        return
    items = [_item(text, first, last) for first, last in group]
    are_numbers = [_has_number(text.tokens, chunk) for chunk in group]
    if all(isinstance(item, str) != each for item, each in zip(items, are_numbers, strict=True)):
        yield ListInText(items, group[0][0], group[-1][1], is_bracketed=False)


def _is_number(tokens: Sequence[Token], chunk: tuple[int, int]) -> bool:
    return all(token.kind == "number" for token in tokens[chunk[0] : chunk[1] + 1])


def _has_number(tokens: Sequence[Token], chunk: tuple[int, int]) -> bool:
    return any(token.kind == "number" for token in tokens[chunk[0] : chunk[1] + 1])


def _item(text: TokenizedQuestion, first: int, last: int) -> Any:
    token = text.tokens[first]
    return token.value if first == last and token.value is not None else text.between(first, last)


def _chunks(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Yield the first and last token of the words between marks and boundary words."""
    first = None
    for index, token in enumerate([*tokens, Token("mark", "", 0, 0)]):
        is_part = token.kind in ("word", "number", "quoted") and not is_boundary(token)
        is_part = is_part and token.lower not in _JOINTS and not is_command(tokens, index)
        if is_part and first is not None and _begins_chunk(tokens[index - 1], token):
            yield first, index - 1
            first = index
        elif is_part and first is None:
            first = index
        elif not is_part and first is not None:
            yield first, index - 1
            first = None


def _begins_chunk(before: Token, token: Token) -> bool:
    """Return True at the first item after its label: "the values 12, 24" or "variables 'Age'"."""
    is_label = before.kind == "word" and not before.is_name
    return "quoted" in (before.kind, token.kind) or (is_label and token.kind == "number")


def _are_joined(tokens: Sequence[Token], one: tuple[int, int], other: tuple[int, int]) -> bool:
    between = [token.lower for token in tokens[one[1] + 1 : other[0]]]
    return bool(between) and set(between) <= _JOINTS
