"""JSON is read as lines, one for each small object."""

import json
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from backend.files.reading.errors import ReadError
from backend.files.reading.formats.json_text import _text_lines
from tests.backend.files.reading.conftest import ReadBytes

ReadErrors = Callable[..., ReadError]


def test_objects_are_lines(read: ReadBytes) -> None:
    content = {
        "title": "Cities",
        "places": [
            {"name": "Rome", "location": {"country": "Italy"}, "tags": ["old", "big"]},
            {"name": "Oslo", "since": None, "capital": True, "size": 0.70},
        ],
    }
    assert read("a.json", json.dumps(content).encode()).text == (
        "title: Cities\n"
        "places - name: Rome; location.country: Italy; tags: old, big\n"
        "places - name: Oslo; since: null; capital: true; size: 0.7\n"
    )


def test_numbers_stay_as_they_are_written(read: ReadBytes) -> None:
    digits = "9" * 5000
    text = read("a.json", b'{"price": 1.50, "huge": %s}' % digits.encode()).text
    assert text == f"price: 1.50\nhuge: {digits}\n"


def test_lines_of_jsonl(read: ReadBytes) -> None:
    assert read("a.jsonl", b'{"a": 1}\n\n["x", "y"]\n"z"').text == "a: 1\nx, y\nz\n"


def test_json_with_several_values_is_read_by_line(read: ReadBytes) -> None:
    assert read("a.json", b'{"a": 1}\n{"a": 2}\n').text == "a: 1\na: 2\n"


def test_invalid_json_is_damaged(read_error: ReadErrors) -> None:
    for name, content, place in (
        ("a.json", b'{"a":\n [1, 2', "line 2"),
        ("a.jsonl", b'{"a": 1}\n{"a": ', "line 2"),
        ("a.json", b'{"a": 1} {"b": 2}', "line 1"),
    ):
        error = read_error(name, content)
        assert error.code == "damaged"
        assert place in error.message
        assert ".txt" in error.message


def test_deep_nesting_is_damaged(read_error: ReadErrors) -> None:
    error = read_error("a.json", b"[" * 100_000 + b"]" * 100_000)
    assert error.code == "damaged"
    assert "nested too deeply" in error.message


def test_large_json_is_refused(read_error: ReadErrors) -> None:
    error = read_error("a.json", b"[" + b" " * 2_000_000 + b"]", max_json_bytes=1024**2)
    assert error.code == "too_large"
    assert ".jsonl" in error.message


def test_unpaired_surrogates_are_replaced(read: ReadBytes) -> None:
    assert read("a.json", b'{"\\ud800": "\\udc00 x"}').text == "\ufffd: \ufffd x\n"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.text("abc", min_size=1),
    lambda child: st.lists(child) | st.dictionaries(st.text("xyz", min_size=1), child),
)


@given(JSON_VALUES)
def test_every_string_is_in_the_lines(value: object) -> None:
    strings = [text for text in json.dumps(value).split('"')[1::2] if set(text) <= set("abc")]
    text = "\n".join(_text_lines(value))
    assert all(string in text for string in strings)
