"""Validation of outputs, and the parsing of unfinished ones."""

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
from tests.support.json_samples import INVALID_JSON, VALID_JSON

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


def test_valid_text_is_parsed_in_its_key_order() -> None:
    result = PERSON.validate(' {"tags": ["x"], "name": "Ann", "born": "2001-02-03"}\n')
    assert result == ValidationResult({"tags": ["x"], "name": "Ann", "born": "2001-02-03"}, [])
    assert list(result.parsed) == ["tags", "name", "born"]


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
def test_violation_has_its_pointer_and_keyword(text: str, pointer: str, keyword: str) -> None:
    result = PERSON.validate(text)
    assert [(issue.pointer, issue.keyword) for issue in result.errors] == [(pointer, keyword)]
    assert result.parsed is None


@pytest.mark.parametrize("text", INVALID_JSON)
def test_invalid_json_is_rejected(text: str) -> None:
    [issue] = ANYTHING.validate(text).errors
    assert (issue.pointer, issue.keyword) == ("", "json")
    assert len(issue.message) < 200


@pytest.mark.parametrize("opening", ["```json\n", "```\n", "\n ```json ", "```"])
@pytest.mark.parametrize("closing", ["\n```", "```\n", " ``` \n"])
def test_complete_code_fence_is_removed(opening: str, closing: str) -> None:
    text = f'{opening}{{"a": "```"}}{closing}'
    assert ANYTHING.validate(text) == ValidationResult({"a": "```"})


@pytest.mark.parametrize("text", VALID_JSON)
def test_valid_json_is_accepted(text: str) -> None:
    assert ANYTHING.validate(text).errors == []


def test_issues_are_limited_in_number_and_length() -> None:
    validator = SchemaValidator({"items": {"type": "integer"}})
    result = validator.validate(json.dumps(["x" * 500] * 30))
    assert len(result.errors) == MAX_ISSUES
    assert all(len(issue.message) < 400 for issue in result.errors)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*b$", r"^(a*)*\1b$", r"(?!x)(\w+\s?)*\1b"])
def test_catastrophic_pattern_is_validated_quickly(pattern: str) -> None:
    validator = SchemaValidator({"pattern": pattern})
    started_at = time.monotonic()
    result = validator.validate(json.dumps("a" * 5000 + "!"))
    assert time.monotonic() - started_at < 1
    assert [issue.keyword for issue in result.errors]


def test_violation_of_a_large_union_is_reported_quickly() -> None:
    levels: dict[str, Any] = {
        f"l{i}": {"anyOf": [{"$ref": f"#/$defs/l{i + 1}"}] * 2} for i in range(8)
    }
    schema = {"$defs": levels | {"l8": {"type": "string"}}, "items": {"$ref": "#/$defs/l0"}}
    started_at = time.monotonic()
    [issue] = SchemaValidator(schema).validate(json.dumps(list(range(300)))).errors
    assert time.monotonic() - started_at < 1
    assert (issue.pointer, issue.keyword) == ("/0", "anyOf")


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "http://127.0.0.1:9/a", "other.json"])
def test_external_reference_is_not_fetched(uri: str) -> None:
    with pytest.raises(ValueError, match="retriev"):
        SchemaValidator({"$ref": uri})


def test_endlessly_recursive_schema_is_rejected() -> None:
    with pytest.raises(SchemaUnsupportedError):
        SchemaValidator({"not": {"$ref": "#"}})


def test_boolean_schema_is_supported() -> None:
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
def test_any_json_value_is_parsed_unchanged(value: Any, is_ascii: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    assert ANYTHING.validate(text) == ValidationResult(value)
    assert ANYTHING.validate(f"```json\n{text}\n```") == ValidationResult(value)


@given(st.text() | st.text('{}[]",:0123456789eE+-.`tfn\\ \n'))
def test_any_text_is_either_rejected_or_parsed(text: str) -> None:
    result = ANYTHING.validate(text)
    assert result.errors or json.loads(json.dumps(result.parsed)) == result.parsed
    parse_partial(text)


def is_prefix(partial: Any, full: Any) -> bool:
    """Return True if a value may grow into another: only containers grow, and only at their end."""
    if isinstance(partial, dict) and isinstance(full, dict):
        names = list(full)[: len(partial)]
        return list(partial) == names and all(
            is_prefix(partial[name], full[name]) for name in partial
        )
    if isinstance(partial, list) and isinstance(full, list):
        return len(partial) <= len(full) and all(map(is_prefix, partial, full))
    return type(partial) is type(full) and bool(partial == full)


@given(
    json_values,
    st.booleans(),
    st.sampled_from([None, 1]),
    st.sampled_from([("", ""), ("```json\n", "\n```"), ("```\n", "\n```\n"), (" ```json ", "```")]),
)
@settings(deadline=2000)
def test_partial_result_is_never_retracted(
    value: Any, is_ascii: bool, indent: int | None, fence: tuple[str, str]
) -> None:
    text = fence[0] + json.dumps(value, ensure_ascii=is_ascii, indent=indent) + fence[1]
    previous = ABSENT
    for length in range(len(text) + 1):
        partial = parse_partial(text[:length])
        assert partial is not ABSENT or previous is ABSENT
        assert partial is ABSENT or is_prefix(partial, value)
        assert previous is ABSENT or is_prefix(previous, partial)
        previous = partial
    if isinstance(value, dict | list | str):
        assert previous == value


@pytest.mark.parametrize(
    ("text", "partial"),
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
def test_unfinished_text_is_parsed_up_to_its_last_final_value(text: str, partial: Any) -> None:
    assert parse_partial(text) == partial


def test_long_unfinished_text_is_parsed_quickly() -> None:
    text = json.dumps([{"text": "word " * 20, "number": i} for i in range(300)])
    runaway = "```json" + " \n" * 20_000
    started_at = time.monotonic()
    for length in range(0, len(text), 20):
        parse_partial(text[:length])
    assert parse_partial(runaway) is ABSENT
    assert ANYTHING.validate(runaway).errors
    assert time.monotonic() - started_at < 3


@pytest.mark.parametrize("number", ["1e999", "-1E+400", "9" * 400])
def test_number_that_is_read_as_infinite_is_not_json(number: str) -> None:
    result = ANYTHING.validate(f'{{"a": [{number}], "b": 1}}')
    assert not result.is_json
    assert parse_partial(f'{{"a": [{number}], "b"') is ABSENT
    assert ANYTHING.validate('{"a": ": 1e999"}').parsed == {"a": ": 1e999"}
