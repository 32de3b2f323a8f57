"""Narrowed numbers stay within the original range."""

from contextlib import suppress
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.json_schema.errors import SchemaError
from backend.json_schema.numbers import MAX_VALUES, NumberRange
from backend.json_schema.prepare import prepare, prepare_passthrough


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"minimum": 0, "maximum": 1, "multipleOf": 0.5}, [0, 0.5, 1]),
        ({"minimum": 0.001, "maximum": 0.009}, [0.001, 0.009]),
        ({"minimum": 1, "exclusiveMaximum": 1.04}, [1, 1.01, 1.02, 1.03]),
        ({"minimum": 0, "exclusiveMinimum": True, "maximum": 0.02}, [0.01, 0.02]),
    ],
)
def test_small_range_becomes_an_enum(schema: dict[str, Any], values: list[float]) -> None:
    assert NumberRange.from_schema(schema).decimal_schema() == {"enum": values}


def test_large_range_has_bounded_integers_but_no_enum_of_decimals() -> None:
    numbers = NumberRange.from_schema({"minimum": -90.5, "maximum": 90})
    assert numbers.decimal_schema() is None
    assert numbers.integer_schema() == {"type": "integer", "minimum": -90, "maximum": 90}


bounds = st.one_of(
    st.integers(-200, 200),
    st.floats(-200, 200, allow_nan=False).map(lambda number: round(number, 2)),
    st.sampled_from([2**63, -(2**63), 9223372036854775807, 1e20]),
)
ranges = st.fixed_dictionaries(
    {},
    optional={
        "minimum": bounds,
        "maximum": bounds,
        "exclusiveMinimum": bounds,
        "exclusiveMaximum": bounds,
        "multipleOf": st.sampled_from([1, 2, 7, 10, 0.5, 0.1, 0.01, 2.5]),
    },
)


@settings(derandomize=True)
@given(ranges)
def test_narrowed_numbers_are_valid_against_the_original(schema: dict[str, Any]) -> None:
    numbers = NumberRange.from_schema(schema)
    for narrowed in (numbers.integer_schema(), numbers.decimal_schema()):
        if narrowed is None:
            continue
        values = narrowed.get("enum") or [narrowed["minimum"], narrowed["maximum"]]
        assert len(values) <= MAX_VALUES + 2
        for value in values:
            assert jsonschema_rs.is_valid(schema, value), value


EXTREMES = [1e-300, 5e-324, 1e300, 10**308, 1.7e308, 1e22, 1e-30, 0.3, 1, 10**400]


@pytest.mark.parametrize("divisor", EXTREMES)
@pytest.mark.parametrize("bound", [None, 0, -1, *EXTREMES, -1e300, -(10**400)])
def test_extreme_numbers_are_narrowed_or_refused(divisor: float, bound: float | None) -> None:
    bounds = {} if bound is None else {"minimum": bound, "exclusiveMaximum": bound, "maximum": 1.5}
    for name in ("number", "integer"):
        for keywords in (bounds, *({key: value} for key, value in bounds.items())):
            numbers = NumberRange.from_schema({"multipleOf": divisor} | keywords)
            assert numbers.is_integral == (divisor >= 1)
            for check in (lambda schema: prepare(schema, 2048, 0), prepare_passthrough):
                with suppress(SchemaError):
                    check({"type": name, "multipleOf": divisor} | keywords)
