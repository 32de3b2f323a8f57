"""Pruned schemas: exact, short, and with what the prompt mentions."""

import json
import random
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.json_schema.errors import SchemaError, SchemaUnsatisfiableError
from backend.json_schema.prepare import prepare, prepare_passthrough
from backend.json_schema.pruning.mentions import Mentions
from backend.json_schema.pruning.prune import Pruner
from backend.json_schema.pruning.rules import PRUNE_BUDGETS, CannotPruneError
from benchmarks.schema_instances import random_instance

STRING = {"type": "string"}
NAMES = ["a", "b", "c", "d"]


def is_valid(schema: Any, value: Any) -> bool:
    return bool(jsonschema_rs.is_valid(schema, value, validate_formats=True))


def pruned(schema: Any, prompt: str = "", characters: int = 800, budget: int = 0) -> Any:
    return Pruner(schema, Mentions(prompt), characters).prune(PRUNE_BUDGETS[budget])


_LEAVES = st.sampled_from(
    [STRING, {"type": "integer"}, {"type": "boolean"}, {"const": 1}, {"enum": ["x", "y"]}, True]
)


def _objects(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(NAMES)
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(names, children, max_size=4)},
        optional={
            "required": st.lists(names, unique=True, max_size=2),
            "additionalProperties": st.one_of(st.booleans(), children),
            "dependentRequired": st.dictionaries(names, st.lists(names, max_size=1), max_size=1),
            "minProperties": st.integers(0, 2),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), children),
        },
    )


def _combined(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(children, min_size=1, max_size=3)
    return st.one_of(
        _objects(children),
        st.fixed_dictionaries({"type": st.just("array"), "items": children}),
        *(st.fixed_dictionaries({key: several}) for key in ("allOf", "anyOf", "oneOf")),
        st.fixed_dictionaries({"not": children}),
        st.fixed_dictionaries({"if": children, "then": children}, optional={"else": children}),
    )


SCHEMAS = st.recursive(_LEAVES, _combined, max_leaves=8).filter(lambda each: each is not True)
VALUES = st.recursive(
    st.sampled_from([None, True, 1, "x", ""]),
    lambda values: st.one_of(
        st.lists(values, max_size=2), st.dictionaries(st.sampled_from(NAMES), values, max_size=3)
    ),
    max_leaves=6,
)


@given(SCHEMAS, st.lists(VALUES, min_size=5, max_size=10), st.sampled_from([0, 1]))
def test_what_is_valid_for_the_pruned_schema_is_valid_for_the_original(
    schema: Any, values: list[Any], budget: int
) -> None:
    try:
        result = pruned(schema, budget=budget)
    except (SchemaError, CannotPruneError):
        return
    if result.unenforced:
        return
    for value in values:
        assert not is_valid(result.schema, value) or is_valid(schema, value), (schema, value)


@given(SCHEMAS, st.integers(0, 5))
def test_instances_of_a_prepared_schema_are_valid_for_the_original(schema: Any, seed: int) -> None:
    try:
        prepared = prepare(schema, 300, 0)
    except SchemaError:
        return
    if not prepared.unenforced:
        value = random_instance(prepared.schema, random.Random(seed))
        assert is_valid(schema, value), (schema, value)


def wide(count: int, **fields: Any) -> dict[str, Any]:
    """Return an object with many properties."""
    properties = {f"property{number}": STRING for number in range(count)}
    return {"type": "object", "properties": properties, "additionalProperties": False} | fields


CURED: dict[str, Any] = {
    "5,000 properties": wide(5000),
    "an enum of 20,000": {"enum": [f"v{number}" for number in range(20_000)]},
    "an anyOf of 1,000": {"anyOf": [wide(1, title=str(number)) for number in range(1000)]},
    "half a megabyte": wide(5000, description="x" * 300_000),
    "references that double 25 times": {
        "$defs": {
            f"d{number}": {
                "type": "object",
                "properties": {name: {"$ref": f"#/$defs/d{number + 1}"} for name in "ab"},
            }
            for number in range(25)
        }
        | {"d25": STRING},
        "$ref": "#/$defs/d0",
    },
    "a reference under another $id": {
        "$id": "http://e.example/root.json",
        "type": "object",
        "properties": {"a": {"$ref": "other.json"}},
        "required": ["a"],
        "$defs": {
            "o": {
                "$id": "other.json",
                "type": "object",
                "properties": {"b": {"$ref": "#/$defs/b"}},
                "required": ["b"],
                "$defs": {"b": {"type": "integer"}},
            }
        },
    },
    "an optional part without end": {
        "type": "object",
        "properties": {"id": STRING, "left": {"$ref": "#"}, "right": {"$ref": "#"}},
        "required": ["id"],
    },
    "an optional pattern that is too long": {
        "type": "object",
        "properties": {"a": STRING, "b": {"type": "string", "minLength": 5000}},
    },
}


@pytest.mark.parametrize("name", CURED)
def test_large_schema_is_prepared(name: str) -> None:
    schema = CURED[name]
    prepared = prepare(schema, 800, 0)
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    for seed in range(30):
        assert validator.is_valid(random_instance(prepared.schema, random.Random(seed)))
    assert prepare_passthrough(schema)


def test_mentioned_properties_come_first_and_are_required() -> None:
    schema = wide(500) | {"required": ["property3"]}
    schema["properties"]["ownerName"] = STRING
    prepared = prepare(schema, 400, 0, "The name of the owner is Ann.")
    assert prepared.mentioned == ["ownerName"]
    assert prepared.schema["required"] == ["property3", "ownerName"]
    assert next(iter(prepared.schema["properties"])) == "property0"  # in the original's order
    assert "ownerName" not in prepare(schema, 400, 0).schema["required"]


def test_property_that_is_not_mentioned_is_not_required() -> None:
    prepared = prepare(wide(3), 400, 0, "Ann likes tea.")
    assert prepared.schema["required"] == []
    assert prepared.mentioned == []


def test_mentioned_property_is_not_required_where_that_is_invalid() -> None:
    schema = {
        "type": "object",
        "properties": {"color": STRING, "size": STRING},
        "oneOf": [{"required": ["color"]}, {"required": ["size"]}],
    }
    prepared = prepare(schema, 400, 0, "The color is red and the size is large.")
    for seed in range(20):
        assert is_valid(schema, random_instance(prepared.schema, random.Random(seed)))


def test_alternative_with_words_of_the_prompt_is_kept_of_many() -> None:
    options = [
        {
            "type": "object",
            "properties": {f"kind{n}": {"const": f"kind{n}"}},
            "required": [f"kind{n}"],
        }
        for n in range(100)
    ]
    prepared = prepare({"anyOf": options}, 400, 0, "I want kind77.")
    assert "kind77" in json.dumps(prepared.schema)


def test_schema_that_only_infinite_values_fit_is_unsatisfiable() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    with pytest.raises(SchemaUnsatisfiableError):
        Pruner(schema, Mentions(""), 800)


def test_too_long_schema_names_the_tokens_that_it_needs() -> None:
    schema = wide(200, required=[f"property{number}" for number in range(200)])
    with pytest.raises(SchemaError) as caught:
        prepare(schema, 800, 0)
    tokens = caught.value.tokens
    assert tokens
    assert f"{tokens:,} tokens; max_tokens is 400" in caught.value.message
    assert prepare(schema, 2 * tokens, 0).schema


def test_string_of_a_pattern_with_lookaround_is_one_of_verified_examples() -> None:
    schema = {"type": "string", "pattern": r"^(?!ab)[a-z]{2,6}$"}
    prepared = prepare(schema, 400, 0)
    assert not prepared.unenforced
    assert all(is_valid(schema, value) for value in prepared.schema["enum"])


def test_unevaluated_properties_are_not_pruned() -> None:
    schema = {"allOf": [wide(2)], "unevaluatedProperties": False}
    with pytest.raises(CannotPruneError):
        pruned(schema)
    assert prepare(schema, 400, 0).schema
