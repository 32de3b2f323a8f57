"""Finding values in JSON text."""

import json
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations.imports.json_scanner import (
    JsonSyntaxError,
    array_items,
    object_members,
    value_end,
)

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1]))
def test_items_of_an_array_are_found(values: list[Any], indent: int | None) -> None:
    text = b"  " + json.dumps(values, indent=indent).encode() + b" ,"
    items = [json.loads(text[start:end]) for start, end in array_items(text, 2)]
    assert items == values
    assert value_end(text, 2) == len(text) - 2


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=5))
def test_members_of_an_object_are_found(value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    members = object_members(text, 0)
    assert {name: json.loads(text[a:b]) for name, (a, b) in members.items()} == value


@pytest.mark.parametrize(
    "text",
    [b"[1 2]", b"[1,]", b"[,]", b"[", b"[1", b'["a]', b"[[]", b"[1:2]", b'["\\"]', b"[1}", b"[)"],
)
def test_broken_array_is_an_error(text: bytes) -> None:
    with pytest.raises(JsonSyntaxError):
        list(array_items(text.removesuffix(b")"), 0))


@pytest.mark.parametrize("text", [b'{"a" 1}', b"{1:2}", b'{"a":1,}', b'{"a":}', b'{"a":1', b"{"])
def test_broken_object_is_an_error(text: bytes) -> None:
    with pytest.raises(JsonSyntaxError):
        object_members(text, 0)


def test_object_with_very_many_names_is_an_error() -> None:
    text = json.dumps(dict.fromkeys(map(str, range(10_001)))).encode()
    with pytest.raises(JsonSyntaxError, match="names"):
        object_members(text, 0)


@pytest.mark.parametrize(
    "text",
    [b'["' + b"\\" * 500_000, b'["' + b"x" * 1_000_000, b"[" * 300_000, b'["a' + b'","a' * 200_000],
)
def test_text_without_an_end_takes_linear_time(text: bytes) -> None:
    started_at = monotonic()
    with pytest.raises(JsonSyntaxError):
        value_end(text, 0)
    assert monotonic() - started_at < 5
