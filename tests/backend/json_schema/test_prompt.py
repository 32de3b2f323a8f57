"""The form in the prompt names what to fill in, and is short."""

from typing import Any

import pytest

from backend.json_schema.narrow import narrow
from backend.json_schema.prompt import build_instruction, skeleton


def narrowed_skeleton(schema: dict[str, Any]) -> str:
    return skeleton(narrow(schema, characters=1000).schema)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, '"<text>"'),
        ({"type": "array", "items": {"type": "string"}}, '["<text>", ...]'),
        (
            {"type": "array", "prefixItems": [{"const": 1}, {"type": "boolean"}]},
            "[1, <true or false>]",
        ),
        ({"enum": ["red", "green"]}, '"<red or green>"'),
        ({"enum": [f"v{index}" for index in range(20)]}, '"<text>"'),
        ({"enum": [3, 5]}, "<number>"),
        ({"enum": [1, True]}, "1"),
        ({"const": "only"}, '"only"'),
        ({"type": ["null", "string"]}, '"<text>"'),
        ({"type": "null"}, "null"),
    ],
    ids=str,
)
def test_skeleton_has_a_placeholder_for_each_type(schema: dict[str, Any], expected: str) -> None:
    assert narrowed_skeleton(schema) == expected


def test_skeleton_keeps_the_property_order() -> None:
    inner = {"type": "object", "properties": {"zip_code": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"to": {"type": "string"}, "at": inner}}
    assert narrowed_skeleton(schema) == '{"to": "<to>", "at": {"zip_code": <number>}}'


def test_instruction_has_the_skeleton_but_not_the_schema() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 9}}}
    instruction = build_instruction(narrow(schema, characters=1000).schema)
    assert '{"city": "<city>"}' in instruction
    assert "maxLength" not in instruction
    assert len(instruction) < 500
