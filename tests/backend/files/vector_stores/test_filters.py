"""Filters on attributes."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from backend.files.vector_stores.filters import ComparisonFilter, CompoundFilter, Filter

ATTRIBUTES = {"year": 2021.0, "draft": False, "author": "Ada"}
_FILTER: TypeAdapter[ComparisonFilter | CompoundFilter] = TypeAdapter(Filter)


def matches(filter_json: dict[str, Any]) -> bool:
    return _FILTER.validate_python(filter_json).matches(ATTRIBUTES)


@pytest.mark.parametrize(
    ("kind", "key", "value", "expected"),
    [
        ("eq", "year", 2021, True),
        ("eq", "year", "2021", False),
        ("eq", "draft", False, True),
        ("eq", "draft", 0, False),
        ("ne", "author", "Ada", False),
        ("ne", "missing", 1, True),
        ("gt", "year", 2020, True),
        ("gte", "year", 2021, True),
        ("lt", "year", 2021, False),
        ("lte", "author", "Bob", True),
        ("lt", "missing", 1, False),
        ("gt", "author", 1, False),
        ("in", "author", ["Ada", "Bob"], True),
        ("in", "author", [], False),
        ("nin", "author", ["Bob"], True),
        ("nin", "missing", ["Bob"], True),
    ],
)
def test_attribute_is_compared(kind: str, key: str, value: Any, expected: bool) -> None:
    assert matches({"type": kind, "key": key, "value": value}) is expected


def test_filters_are_combined() -> None:
    new = {"type": "gt", "key": "year", "value": 2000}
    draft = {"type": "eq", "key": "draft", "value": True}
    assert not matches({"type": "and", "filters": [new, draft]})
    assert matches({"type": "or", "filters": [draft, {"type": "and", "filters": [new]}]})
