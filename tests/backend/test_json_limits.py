"""Limits of JSON text that are checked before it is parsed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.json_limits import has_huge_number, has_too_many_values, replace_huge_numbers

TEXTS = st.text(alphabet='a",:[]{}\\\n1e9') | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


def count(value: Any) -> int:
    """Count the values of parsed JSON, and the names in its objects."""
    if isinstance(value, list):
        return 1 + sum(map(count, value))
    if isinstance(value, dict):
        return 1 + sum(1 + count(item) for item in value.values())
    return 1


@given(VALUES, st.booleans())
def test_no_text_with_more_values_than_the_limit_passes(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    assert has_too_many_values(raw, count(value) - 1) or count(value) == 1
    # An empty array and an empty object count as two, since they may hold a value.
    assert not has_too_many_values(raw, 2 * count(value))


@pytest.mark.parametrize("text", [",", "[", '\\"', "\\\\", '\\\\\\"[', "[[{:,"])
def test_what_is_in_strings_is_not_counted(text: str) -> None:
    assert not has_too_many_values(b'["' + 10_000 * text.encode() + b'", 1]', 100)
    assert has_too_many_values(b'["' + 10_000 * text.encode() + b'"' + 100 * b", 1" + b"]", 100)


@pytest.mark.parametrize("unit", ["[]", "{}", '""', '"a":1', "1", '"\\\\"', "[1,[2]]"])
def test_many_small_values_are_too_many(unit: str) -> None:
    assert has_too_many_values(b"[" + b",".join(1000 * [unit.encode()]) + b"]", 999)
    assert not has_too_many_values(b"[" + b",".join(100 * [unit.encode()]) + b"]", 999)


@pytest.mark.parametrize(
    "number",
    ["1e999", "-1e999", "1E+400", "1.5e309", "9" * 309, "-1" + "0" * 400, "123e00307", "8" * 5000],
)
@pytest.mark.parametrize("template", ["%s", '[1, "\\"",%s]', '{"a": %s}', 'data: {"a":\t%s}\n\n'])
def test_numbers_that_are_read_as_infinite_become_null(number: str, template: str) -> None:
    raw = (template % number).encode()
    assert has_huge_number(raw)
    assert replace_huge_numbers(raw) == (template % "null").encode()


@pytest.mark.parametrize(
    "text",
    [
        *("1e308", "-1.7e+308", "1e-999", "0." + "0" * 400 + "1", "1" + "0" * 308, "1e007"),
        *('"chatcmpl-3e999"', '"' + "a1e999" * 200 + '"', '"-1e999", "a"'),
        *('"1e999"', '": 1e999,"', '"\\": 1e999"', '{"1e999": "' + "9" * 400 + '"}'),
    ],
)
def test_finite_numbers_and_texts_stay_as_they_are(text: str) -> None:
    assert not has_huge_number(text.encode())
    assert replace_huge_numbers(text.encode()) == text.encode()


def test_a_quote_in_a_comment_of_a_stream_hides_no_number() -> None:
    assert has_huge_number(b': it"s\ndata: {"a":1e999}\n\n')
    assert not has_huge_number(b': it"s\rdata: {"a":"1e999"}\n\n')
