"""The form that a model is shown says what is asked for, and is short."""

from typing import Any

import pytest

from backend.json_schema.narrow import narrow
from backend.json_schema.prompt import build_instruction, skeleton


def shown(schema: dict[str, Any]) -> str:
    return skeleton(narrow(schema, characters=1000).schema)


@pytest.mark.parametrize(
    ("schema", "form"),
    [
        ({"type": "string"}, '"<text>"'),
        ({"type": "array", "items": {"type": "string"}}, '["<text>", ...]'),
        (
            {"type": "array", "prefixItems": [{"const": 1}, {"type": "boolean"}]},
            "[1, <true or false>]",
        ),
        ({"enum": ["red", "green"]}, '"<red or green>"'),
        ({"enum": [f"v{number}" for number in range(20)]}, '"<text>"'),
        ({"enum": [3, 5]}, "<number>"),
        ({"enum": [1, True]}, "1"),
        ({"const": "only"}, '"only"'),
        ({"type": ["null", "string"]}, '"<text>"'),
        ({"type": "null"}, "null"),
    ],
    ids=str,
)
def test_each_kind_of_value_has_its_words(schema: dict[str, Any], form: str) -> None:
    assert shown(schema) == form


def test_a_form_has_the_names_in_their_order() -> None:
    inner = {"type": "object", "properties": {"zip_code": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"to": {"type": "string"}, "at": inner}}
    assert shown(schema) == '{"to": "<to>", "at": {"zip_code": <number>}}'


def test_the_model_is_shown_the_form_and_no_schema() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 9}}}
    told = build_instruction(narrow(schema, characters=1000).schema)
    assert '{"city": "<city>"}' in told
    assert "maxLength" not in told
    assert len(told) < 500
