"""A schema as it is typed: what it is, or where it goes wrong."""

import json

import pytest

from structured.schema_editor import MAX_BYTES, SchemaProblem, parse_schema, summarize_schema


def problem(text: str) -> SchemaProblem:
    found = parse_schema(text)
    assert isinstance(found, SchemaProblem)
    return found


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"$ref": "#"}, {"enum": [1]}])
def test_a_schema_is_read(schema: dict[str, object]) -> None:
    assert parse_schema(json.dumps(schema)) == schema


def test_the_order_of_its_keys_is_kept() -> None:
    found = parse_schema('{"properties": {"b": {}, "a": {}}}')
    assert isinstance(found, dict)
    assert list(found["properties"]) == ["b", "a"]


def test_a_slip_is_shown_at_its_place() -> None:
    found = problem('{\n  "type": "object",\n}')
    assert found.place == "line 3, column 1"
    assert found.excerpt == '    2    "type": "object",\n    3  }\n       ^'


def test_the_place_in_a_long_line_is_shown_without_all_of_it() -> None:
    found = problem('{"enum": [' + "1, " * 400 + "x]}")
    *_, line, mark = found.excerpt.split("\n")
    assert len(line) < 150
    assert line[mark.index("^")] == "x"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "", "Write a JSON Schema here."),
        ("[]", "", "A schema is an object"),
        ('{"type": "strin"}', "/type", "A type is object, array, string"),
        ('{"properties": {"a": {"minimum": "x"}}}', "/properties/a/minimum", "not of type"),
        ('{"pattern": "("}', "/pattern", "regex"),
        ('{"a": 1, "a": 2}', "", 'the key "a" is there twice'),
        ('{"const": NaN}', "", "NaN is not JSON"),
        (r'{"const": "\udfff"}', "", "stands for no character"),
        ("[" * 100_000, "", "nested too deeply"),
        ('{"not":' * 900 + "{}" + "}" * 900, "", "Not a JSON Schema"),
        ('{"$ref": "#/$defs/none"}', "", "does not exist"),
        (f'{{"const": "{"x" * MAX_BYTES}"}}', "", "at most 256 KB"),
    ],
)
def test_what_is_no_schema_is_told_with_its_place(text: str, place: str, words: str) -> None:
    found = problem(text)
    assert found.place == place
    assert words in found.message
    assert len(found.message) < 400


def test_a_schema_is_described_by_its_fields() -> None:
    two: dict[str, object] = {"a": {}, "b": {}}
    assert summarize_schema({"properties": two, "required": ["a", "b"]}) == "2 fields, all required"
    assert summarize_schema({"properties": two, "required": ["a"]}) == "2 fields, 1 required"
    assert summarize_schema({"properties": {"a": {}}}) == "1 field, 0 required"
    assert summarize_schema({"type": "string"}) == summarize_schema({"properties": 1}) == ""
