"""JSON of model servers, also where it is not quite JSON."""

import json
from typing import Any

import pytest

from backend.model_server.answers.json_text import (
    dump_json,
    has_broken_text,
    parse_json,
    parse_object,
    replace_halves,
)

HIGH, LOW = "\ud83d", "\ude00"
MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("raw", "parsed"),
    [
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a": "\\ud83d"}', {"a": HIGH}),
        (b'{"a": "\\uDE00 bye"}', {"a": f"{LOW} bye"}),
        (b'["\\ude00\\ud83d"]', [LOW + HIGH]),
        (b'["\\ud83d", "\\ude00"]', [HIGH, LOW]),
        (b'["\\ud83d\\ud83d\\ude00"]', [f"{HIGH}😀"]),
        (b'["\\\\ud83d"]', ["\\ud83d"]),
        (b'["\\\\\\ud83d"]', [f"\\{HIGH}"]),
        (b'["\xed\xa0\xbd"]', [HIGH]),
        (b'["\xed\xa0\xbd\xed\xb8\x80"]', ["😀"]),
        (b'["\xf0\x9f!"]', ["\ufffd!"]),
        (MARK + b'{"a": 1}', {"a": 1}),
        (MARK + b'{"a": "\\ud83d"}', {"a": HIGH}),
        (f'["{HIGH}"]', [HIGH]),
        ('["ä"]', ["ä"]),
        (b"null", None),
    ],
)
def test_json_with_halves_or_a_byte_order_mark_is_parsed(raw: bytes | str, parsed: Any) -> None:
    assert parse_json(raw) == parsed


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        MARK,
        b"[DONE]",
        b'{"a": "\\ud83"}',
        b'{"a": "\\ud83d"',
        b'{"a": "\\ud83d"} x',
        b"[" * 5000 + b'"\\ud83d"' + b"]" * 5000,
        b"[" * 300 + b'"\\ud83d"' + b"]" * 300,
    ],
)
def test_invalid_json_is_none(raw: bytes) -> None:
    assert parse_json(raw) is None
    assert parse_object(raw) == {}


@pytest.mark.parametrize("raw", [b"[1]", b'"a"', b"1", b"null"])
def test_json_of_another_type_is_an_empty_object(raw: bytes) -> None:
    assert parse_object(raw) == {}


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("plain ä 😀", "plain ä 😀"),
        (HIGH, "\ufffd"),
        (f"a{HIGH}b", "a\ufffdb"),
        (f"{LOW}b", "\ufffdb"),
        (HIGH + LOW, "😀"),
        (LOW + HIGH, "\ufffd\ufffd"),
        (f"{HIGH}{HIGH}{LOW}", "\ufffd😀"),
    ],
)
def test_halves_are_joined_or_replaced(text: str, replaced: str) -> None:
    assert replace_halves(text) == replaced
    assert json.loads(dump_json({text: [text]})) == {replaced: [replaced]}


@pytest.mark.parametrize(
    ("raw", "is_broken"),
    [
        (b'"plain"', False),
        ('"ä 😀 \\ud83d\\ude00 \\u00e4"'.encode(), False),
        (b'"\\ud83d"', True),
        (b'"\\uDE00"', True),
        (b'"\\ud83d\\n\\ude00"', True),
        (b'"\xed\xa0\xbd"', True),
        (b'"\xf0\x9f"', True),
    ],
)
def test_broken_text_is_detected(raw: bytes, is_broken: bool) -> None:
    assert has_broken_text(raw) is is_broken
