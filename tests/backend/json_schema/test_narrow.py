"""Every output that a narrowed schema allows is valid against the original."""

import json
import random
from typing import Any

import jsonschema_rs
import pytest
import xllamacpp  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.json_schema.combinators import COMBINATORS
from backend.json_schema.errors import SchemaError, SchemaTooLargeError, SchemaUnsatisfiableError
from backend.json_schema.limits import check_schema
from backend.json_schema.narrow import NarrowedSchema, narrow
from benchmarks.schema_instances import random_instance
from tests.support.paths import DATA

SCHEMAS = [json.loads(line) for line in (DATA / "schemas.jsonl").read_text().splitlines()]
COMBINING_KEYWORDS = COMBINATORS | {"contains"}
CHARACTERS = 320  # 160 tokens


def unreported_errors(
    schema: Any, narrowed: NarrowedSchema, *, count: int = 60, seed: int = 1
) -> list[tuple[str, str]]:
    """Return errors of random outputs by keywords that are not reported as unenforced."""
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    unenforced = {keyword for _, keyword in narrowed.unenforced}
    rng = random.Random(seed)
    errors = []
    for _ in range(count):
        value = random_instance(narrowed.schema, rng)
        errors += [
            (error.message, error.kind.name)
            for error in validator.iter_errors(value)
            if not unenforced & {str(step) for step in (error.kind.name, *error.schema_path)}
        ]
    return errors


@pytest.mark.parametrize("case", SCHEMAS, ids=[case["id"] for case in SCHEMAS])
@pytest.mark.parametrize("level", [0, 1, 3])
def test_outputs_of_a_narrowed_schema_are_valid_against_the_original(
    case: dict[str, Any], level: int
) -> None:
    schema = case["schema"]
    check_schema(schema)
    narrowed = narrow(schema, characters=CHARACTERS, level=level)
    assert unreported_errors(schema, narrowed) == []
    xllamacpp.json_schema_to_grammar(json.dumps(narrowed.schema))
    assert narrowed.max_characters <= CHARACTERS * 3


def fully_enforced(schema: dict[str, Any]) -> Any:
    """Return the narrowed schema, which must enforce everything."""
    narrowed = narrow(schema, characters=CHARACTERS)
    assert narrowed.unenforced == ()
    assert unreported_errors(schema, narrowed) == []
    return narrowed.schema


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 3, "exclusiveMaximum": 8},
        {"type": "integer", "multipleOf": 7, "minimum": 10},
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "number", "minimum": 0.5, "maximum": 1.5, "multipleOf": 0.25},
        {"type": "string", "pattern": "^[A-Z]{3}-\\d{4}$"},
        {"type": "string", "pattern": "^\\w+$", "minLength": 3, "maxLength": 6},
        {"type": "string", "pattern": "fo+"},
        {"type": "string", "maxLength": 0},
        *({"type": "string", "format": name} for name in ("date", "time", "date-time", "email")),
        *({"type": "string", "format": name} for name in ("uuid", "ipv4", "ipv6", "uri")),
        *({"type": "string", "format": name} for name in ("hostname", "duration", "json-pointer")),
        {"enum": [1, "a", None, 2.5], "type": ["integer", "null"]},
        {"enum": ["a", "b"], "not": {"const": "a"}},
        {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 2},
        {"type": "array", "contains": {"const": 5}, "maxItems": 3},
        {"type": "array", "prefixItems": [{"type": "integer"}, {"const": "x"}], "items": False},
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "array",
            "items": [{"type": "boolean"}],
            "additionalItems": False,
        },
        {"type": "array", "items": False},
        {"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "maxProperties": 1},
        {"type": "object", "properties": {"a": {}}, "dependentRequired": {"a": ["b"]}},
        {"type": "object", "properties": {"a": {}}, "dependencies": {"a": {"required": ["c"]}}},
        {"type": "object", "propertyNames": {"enum": ["x", "y"]}, "minProperties": 1},
        {"type": "object", "patternProperties": {"^n": {"type": "integer"}}, "required": ["n1"]},
        {"type": "object", "properties": {"a": {}, "b": {}}, "not": {"required": ["b"]}},
        {
            "type": "object",
            "properties": {"kind": {"enum": ["a", "b"]}},
            "required": ["kind"],
            "if": {"properties": {"kind": {"const": "a"}}},
            "then": {"required": ["x"]},
            "else": {"required": ["y"], "properties": {"x": False}},
        },
        {
            "properties": {"user": {"type": "string"}, "sub": {"type": "string"}},
            "type": "object",
            "oneOf": [{"required": ["user"]}, {"required": ["sub"]}],
        },
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {
            "type": "object",
            "allOf": [
                {"properties": {"n": {"minimum": 2}}, "required": ["n"]},
                {"properties": {"n": {"type": "integer", "maximum": 4}}},
            ],
        },
        {
            "$ref": "#/$defs/node",
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    },
                    "required": ["name", "children"],
                    "additionalProperties": False,
                }
            },
        },
        {
            "$schema": "http://json-schema.org/draft-04/schema#",
            "type": "integer",
            "minimum": 3,
            "exclusiveMinimum": True,
            "maximum": 5,
        },
        True,
        {},
    ],
    ids=str,
)
def test_unsupported_keywords_are_rewritten_for_the_grammar(schema: Any) -> None:
    fully_enforced(schema)


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"type": "number", "minimum": 0}, "minimum"),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, "uniqueItems"),
    ],
)
def test_keyword_that_excludes_valid_values_is_enforced_from_level_1(
    schema: dict[str, Any], keyword: str
) -> None:
    assert narrow(schema, characters=CHARACTERS).unenforced == (("", keyword),)
    narrowed = narrow(schema, characters=CHARACTERS, level=1)
    assert narrowed.unenforced == ()
    assert unreported_errors(schema, narrowed) == []


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_fine_range_without_integers_stays_a_number(level: int) -> None:
    schema = {"type": "number", "minimum": 0.01, "maximum": 0.99, "multipleOf": 0.001}
    narrowed = narrow(schema, characters=CHARACTERS, level=level)
    assert narrowed.schema == {"type": "number"}
    assert {keyword for _, keyword in narrowed.unenforced} == {"minimum", "maximum", "multipleOf"}


def test_properties_keep_their_order() -> None:
    schema = {"type": "object", "properties": {"z": {}, "a": {}, "m": {}}, "required": ["m", "z"]}
    assert list(fully_enforced(schema)["properties"]) == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"type": "string", "pattern": "^(?=a)b"}, "pattern"),
        ({"type": "string", "not": {"pattern": "a"}}, "not"),
        ({"type": "array", "items": {}, "uniqueItems": True, "minItems": 3}, "uniqueItems"),
    ],
)
def test_unenforced_keyword_is_reported(schema: dict[str, Any], keyword: str) -> None:
    assert narrow(schema, characters=CHARACTERS).unenforced == (("", keyword),)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"enum": [1], "type": "string"},
        {"type": "object", "required": ["a"], "properties": {"a": False}},
        {"type": "array", "minItems": 1, "items": False},
        {
            "$ref": "#/$defs/a",
            "$defs": {
                "a": {
                    "type": "object",
                    "required": ["a"],
                    "properties": {"a": {"$ref": "#/$defs/a"}},
                }
            },
        },
    ],
    ids=str,
)
def test_unsatisfiable_schema_raises(schema: Any) -> None:
    with pytest.raises(SchemaUnsatisfiableError):
        narrow(schema, characters=CHARACTERS)


def test_levels_tighten_and_too_long_outputs_raise() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    lengths = [narrow(schema, characters=1000, level=level).max_characters for level in range(4)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[-1]
    with pytest.raises(SchemaTooLargeError):
        narrow({"type": "string", "minLength": 900}, characters=100)


scalars = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text("ab1", max_size=3))
bounds = st.integers(-5, 5)
leaves = st.one_of(
    st.just({}),
    st.builds(lambda values: {"enum": values}, st.lists(scalars, min_size=1, max_size=4)),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": bounds,
            "maximum": bounds,
            "exclusiveMinimum": bounds,
            "multipleOf": st.integers(1, 4),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "minLength": st.integers(0, 4),
            "maxLength": st.integers(0, 9),
            "pattern": st.sampled_from(["^a+$", "b", "^[ab]{2,3}$", "^(a|bb)*$", "\\d"]),
            "format": st.sampled_from(["date", "email", "uuid"]),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.lists(st.sampled_from(["null", "boolean", "string"]), min_size=1, unique=True)}
    ),
)
names = st.sampled_from(["a", "b", "c"])


def combined_schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    schema_lists = st.lists(inner, min_size=1, max_size=3)
    objects = st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(names, inner, max_size=3),
            "required": st.lists(names, unique=True, max_size=3),
            "additionalProperties": st.one_of(st.booleans(), inner),
            "minProperties": st.integers(0, 3),
            "maxProperties": st.integers(0, 3),
            "patternProperties": st.dictionaries(st.sampled_from(["a", "^b"]), inner, max_size=1),
            "dependentRequired": st.dictionaries(names, st.lists(names, unique=True), max_size=1),
            "propertyNames": st.sampled_from([{"enum": ["a", "b"]}, {"maxLength": 3}]),
            "not": st.builds(lambda name: {"required": [name]}, names),
        },
    )
    arrays = st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={
            "items": inner,
            "prefixItems": schema_lists,
            "minItems": st.integers(0, 3),
            "maxItems": st.integers(0, 4),
            "uniqueItems": st.booleans(),
            "contains": inner,
            "maxContains": st.integers(1, 3),
        },
    )
    combinations = st.one_of(
        *(
            st.builds(lambda schemas, keyword=keyword: {keyword: schemas}, schema_lists)
            for keyword in ("anyOf", "allOf", "oneOf")
        ),
        st.fixed_dictionaries({"if": inner, "then": inner}, optional={"else": inner}),
        st.builds(lambda schema, negated: {**schema, "not": negated}, inner, inner),
        st.builds(lambda schema, options: {**schema, "anyOf": options}, objects, schema_lists),
        st.builds(lambda schema, options: {**schema, "oneOf": options}, objects, schema_lists),
    )
    return st.one_of(objects, arrays, combinations)


@settings(derandomize=True)
@given(st.recursive(leaves, combined_schemas, max_leaves=6), st.integers(0, 3))
def test_outputs_of_any_narrowed_schema_are_valid_against_the_original(
    schema: dict[str, Any], level: int
) -> None:
    try:
        check_schema(schema)
        narrowed = narrow(schema, characters=CHARACTERS, level=level)
    except SchemaError:
        return
    # Normalization rewrites combining keywords, so another keyword may be reported for them.
    if not narrowed.unenforced or not any(
        f'"{keyword}"' in json.dumps(schema) for keyword in COMBINING_KEYWORDS
    ):
        assert unreported_errors(schema, narrowed, count=10) == []
