"""Parsing a schema as it is typed: problems, their location, and the summary."""

import json

import pytest

from structured.schema_editor import MAX_BYTES, SchemaProblem, parse_schema, summarize_schema


def problem(text: str) -> SchemaProblem:
    result = parse_schema(text)
    assert isinstance(result, SchemaProblem)
    return result


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"$ref": "#"}, {"enum": [1]}])
def test_valid_schema_is_parsed(schema: dict[str, object]) -> None:
    assert parse_schema(json.dumps(schema)) == schema


def test_order_of_keys_is_kept() -> None:
    schema = parse_schema('{"properties": {"b": {}, "a": {}}}')
    assert isinstance(schema, dict)
    assert list(schema["properties"]) == ["b", "a"]


def test_syntax_error_has_location_and_excerpt() -> None:
    error = problem('{\n  "type": "object",\n}')
    assert error.location == "line 3, column 1"
    assert error.excerpt == '    2    "type": "object",\n    3  }\n       ^'


def test_excerpt_of_a_long_line_is_shortened() -> None:
    error = problem('{"enum": [' + "1, " * 400 + "x]}")
    *_, text_line, caret_line = error.excerpt.split("\n")
    assert len(text_line) < 150
    assert text_line[caret_line.index("^")] == "x"


@pytest.mark.parametrize(
    ("text", "location", "message"),
    [
        ("", "", "Enter a JSON Schema."),
        ("[]", "", "A schema must be a JSON object"),
        ('{"type": "strin"}', "/type", '"type" must be object, array, string'),
        ('{"properties": {"a": {"minimum": "x"}}}', "/properties/a/minimum", "not of type"),
        ('{"pattern": "("}', "/pattern", "regex"),
        ('{"a": 1, "a": 2}', "", 'duplicate key "a"'),
        ('{"const": NaN}', "", "NaN is not allowed"),
        (r'{"const": "\udfff"}', "", "is not a valid character"),
        ("[" * 100_000, "", "nested too deeply"),
        ('{"not":' * 900 + "{}" + "}" * 900, "", "Invalid JSON Schema"),
        ('{"$ref": "#/$defs/none"}', "", "does not exist"),
        (f'{{"const": "{"x" * MAX_BYTES}"}}', "", "The limit is 1 MiB"),
    ],
)
def test_invalid_schema_has_location_and_message(text: str, location: str, message: str) -> None:
    error = problem(text)
    assert error.location == location
    assert message in error.message
    assert len(error.message) < 400


def test_summary_counts_fields_and_required_fields() -> None:
    two: dict[str, object] = {"a": {}, "b": {}}
    assert summarize_schema({"properties": two, "required": ["a", "b"]}) == "2 fields, all required"
    assert summarize_schema({"properties": two, "required": ["a"]}) == "2 fields, 1 required"
    assert summarize_schema({"properties": {"a": {}}}) == "1 field, 0 required"
    assert summarize_schema({"type": "string"}) == summarize_schema({"properties": 1}) == ""
