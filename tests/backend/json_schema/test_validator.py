"""What counts as an answer that fits, and what is shown of one that grows."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.json_schema.errors import SchemaUnsupportedError
from backend.json_schema.validator import (
    ABSENT,
    MAX_ISSUES,
    SchemaValidator,
    ValidationIssue,
    ValidationResult,
    parse_partial,
)
from tests.support.json_samples import JSON, NO_JSON

ANYTHING = SchemaValidator({})
PERSON = SchemaValidator(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "born": {"type": "string", "format": "date"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "a/b": False,
        },
        "required": ["name"],
    }
)


def test_what_fits_is_parsed_with_its_keys_in_order() -> None:
    verdict = PERSON.validate(' {"tags": ["x"], "name": "Ann", "born": "2001-02-03"}\n')
    assert verdict == ValidationResult({"tags": ["x"], "name": "Ann", "born": "2001-02-03"}, [])
    assert list(verdict.parsed) == ["tags", "name", "born"]


@pytest.mark.parametrize(
    ("text", "pointer", "keyword"),
    [
        ('{"name": 1}', "/name", "type"),
        ("{}", "", "required"),
        ('{"name": "", "born": "2001-02-30"}', "/born", "format"),
        ('{"name": "", "tags": ["a", 1]}', "/tags/1", "type"),
        ('{"name": "", "a/b": 1}', "/a~1b", "falseSchema"),
        ("[]", "", "type"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(text: str, pointer: str, keyword: str) -> None:
    verdict = PERSON.validate(text)
    assert [(fault.pointer, fault.keyword) for fault in verdict.errors] == [(pointer, keyword)]
    assert verdict.parsed is None


@pytest.mark.parametrize("text", NO_JSON)
def test_what_is_not_json_is_not_mended(text: str) -> None:
    [fault] = ANYTHING.validate(text).errors
    assert (fault.pointer, fault.keyword) == ("", "json")
    assert len(fault.message) < 200


@pytest.mark.parametrize("opening", ["```json\n", "```\n", "\n ```json ", "```"])
@pytest.mark.parametrize("closing", ["\n```", "```\n", " ``` \n"])
def test_a_whole_code_fence_is_taken_off(opening: str, closing: str) -> None:
    text = f'{opening}{{"a": "```"}}{closing}'
    assert ANYTHING.validate(text) == ValidationResult({"a": "```"})


@pytest.mark.parametrize("text", JSON)
def test_what_is_json_is_taken(text: str) -> None:
    assert ANYTHING.validate(text).errors == []


def test_faults_are_few_and_short() -> None:
    judge = SchemaValidator({"items": {"type": "integer"}})
    verdict = judge.validate(json.dumps(["x" * 500] * 30))
    assert len(verdict.errors) == MAX_ISSUES
    assert all(len(fault.message) < 400 for fault in verdict.errors)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*b$", r"^(a*)*\1b$", r"(?!x)(\w+\s?)*\1b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    judge = SchemaValidator({"pattern": pattern})
    began = time.monotonic()
    verdict = judge.validate(json.dumps("a" * 5000 + "!"))
    assert time.monotonic() - began < 1
    assert [fault.keyword for fault in verdict.errors]


def test_no_union_takes_long_to_be_at_fault() -> None:
    levels: dict[str, Any] = {
        f"l{i}": {"anyOf": [{"$ref": f"#/$defs/l{i + 1}"}] * 2} for i in range(8)
    }
    schema = {"$defs": levels | {"l8": {"type": "string"}}, "items": {"$ref": "#/$defs/l0"}}
    began = time.monotonic()
    [fault] = SchemaValidator(schema).validate(json.dumps(list(range(300)))).errors
    assert time.monotonic() - began < 1
    assert (fault.pointer, fault.keyword) == ("/0", "anyOf")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://127.0.0.1:9/a", "other.json"])
def test_nothing_is_fetched(address: str) -> None:
    with pytest.raises(ValueError, match="retriev"):
        SchemaValidator({"$ref": address})


def test_what_has_no_end_is_not_judged() -> None:
    with pytest.raises(SchemaUnsupportedError):
        SchemaValidator({"not": {"$ref": "#"}})


def test_a_schema_may_be_true_or_false() -> None:
    assert SchemaValidator(schema=True).validate("1") == ValidationResult(1)
    assert SchemaValidator(schema=False).validate("1").errors == [
        ValidationIssue("", "falseSchema", "False schema does not allow 1")
    ]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(json_values, st.booleans(), st.sampled_from([None, 1]))
def test_any_json_is_read_as_it_is(value: Any, is_ascii: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    assert ANYTHING.validate(text) == ValidationResult(value)
    assert ANYTHING.validate(f"```json\n{text}\n```") == ValidationResult(value)


@given(st.text() | st.text('{}[]",:0123456789eE+-.`tfn\\ \n'))
def test_any_text_gives_a_verdict(text: str) -> None:
    verdict = ANYTHING.validate(text)
    assert verdict.errors or json.loads(json.dumps(verdict.parsed)) == verdict.parsed
    parse_partial(text)


def is_part(part: Any, whole: Any) -> bool:
    """Tell whether a value may grow into another: only containers grow, and only at their end."""
    if isinstance(part, dict) and isinstance(whole, dict):
        begun = list(whole)[: len(part)]
        return list(part) == begun and all(is_part(part[name], whole[name]) for name in part)
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(is_part, part, whole))
    return type(part) is type(whole) and bool(part == whole)


@given(
    json_values,
    st.booleans(),
    st.sampled_from([None, 1]),
    st.sampled_from([("", ""), ("```json\n", "\n```"), ("```\n", "\n```\n"), (" ```json ", "```")]),
)
@settings(deadline=2000)
def test_what_is_shown_is_never_taken_back(
    value: Any, is_ascii: bool, indent: int | None, fence: tuple[str, str]
) -> None:
    text = fence[0] + json.dumps(value, ensure_ascii=is_ascii, indent=indent) + fence[1]
    shown = ABSENT
    for length in range(len(text) + 1):
        now = parse_partial(text[:length])
        assert now is not ABSENT or shown is ABSENT
        assert now is ABSENT or is_part(now, value)
        assert shown is ABSENT or is_part(shown, now)
        shown = now
    if isinstance(value, dict | list | str):
        assert shown == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"a": 1', {}),
        ('{"a": 12.5', {}),
        ('{"a": 12.5,', {"a": 12.5}),
        ('{"a": 1e', {}),
        ('{"a": 12}', {"a": 12}),
        ('{"a": "hal', {}),
        ('{"a": "half", "b', {"a": "half"}),
        ('{"a": [1, {"b": true}, 2', {"a": [1, {"b": True}]}),
        ("```json\n[1, 2]\n``", [1, 2]),
        ('{"a": "`', {}),
        ("```js", ABSENT),
        ("", ABSENT),
        ("12", ABSENT),
        ("Sure! {", ABSENT),
        ('{"a": 1, "a": 2,', ABSENT),
    ],
)
def test_what_is_shown_of_a_growing_text(text: str, shown: Any) -> None:
    assert parse_partial(text) == shown


def test_a_long_text_is_shown_as_it_grows_in_little_time() -> None:
    text = json.dumps([{"text": "word " * 20, "number": i} for i in range(300)])
    runaway = "```json" + " \n" * 20_000
    began = time.monotonic()
    for length in range(0, len(text), 20):
        parse_partial(text[:length])
    assert parse_partial(runaway) is ABSENT
    assert ANYTHING.validate(runaway).errors
    assert time.monotonic() - began < 3
