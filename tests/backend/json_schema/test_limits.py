"""Untrusted schemas: which are rejected, how quickly, and that the engine survives the others."""

import json
import pickle
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.json_schema.errors import (
    SchemaError,
    SchemaInvalidError,
    SchemaTooLargeError,
    SchemaUnsatisfiableError,
    SchemaUnsupportedError,
)
from backend.json_schema.grammar_cost import check_grammar_cost
from backend.json_schema.limits import check_schema
from backend.json_schema.prepare import prepare_passthrough
from tests.support.engine_process import EngineProcess, running_engine

STRING = {"type": "string"}
HOST_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DRAFTS = [
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
]


def object_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/definitions/{name}"}


def nested(levels: int, keyword: str) -> dict[str, Any]:
    schema: dict[str, Any] = STRING
    for _ in range(levels):
        schema = {keyword: [schema]} if keyword == "anyOf" else {keyword: {"a": schema}}
    return schema


def exponential(levels: int, width: int, keyword: str = "anyOf") -> dict[str, Any]:
    """Refer to the next level `width` times, so that the expansion has width ** levels schemas."""
    definitions = {f"l{i}": {keyword: [ref(f"l{i + 1}")] * width} for i in range(levels)}
    return {"definitions": definitions | {f"l{levels}": STRING}, **ref("l0")}


def chain(length: int) -> dict[str, Any]:
    links = {str(i): ref(str(i + 1)) for i in range(length)}
    return {"definitions": links | {str(length): STRING}, **ref("0")}


def two_types(levels: int) -> dict[str, Any]:
    """The converter expands an allOf once for each type."""
    schema: dict[str, Any] = STRING
    for _ in range(levels):
        schema = {"type": ["object", "string"], "allOf": [object_of(a=schema)]}
    return schema


def optional(count: int, name_length: int = 1) -> dict[str, Any]:
    return object_of(**{"p" * name_length + str(i): STRING for i in range(count)})


# These crash llama.cpp's server: a recursive $ref inside an allOf, with no plain $ref in the cycle.
CRASHING = {
    "in a property": {
        "definitions": {"Node": object_of(next={"allOf": [ref("Node"), {"title": "next"}]})},
        **object_of(root=ref("Node")),
    },
    "in items": {
        "definitions": {
            "Row": object_of(rows={"type": "array", "items": {"allOf": [ref("Row")]}}, text=STRING)
        },
        **object_of(table={"type": "array", "items": {"allOf": [ref("Row")]}}),
    },
    "in mutual recursion": {
        "definitions": {
            "Day": object_of(night={"allOf": [ref("Night")]}, name={"allOf": [ref("Name"), {}]}),
            "Night": object_of(day={"allOf": [ref("Day"), {"title": "day"}]}),
            "Name": STRING,
        },
        **object_of(first=ref("Day")),
    },
    "in an alternative": {
        "definitions": {
            "Tree": object_of(left={"allOf": [{"anyOf": [ref("Tree"), {"type": "null"}]}]})
        },
        **ref("Tree"),
    },
    "of a reference to itself": {
        "definitions": {"Me": ref("Me")},
        **object_of(me={"allOf": [ref("Me")]}),
    },
}

# Each is rejected by both checks.
HOSTILE: dict[str, tuple[Any, type[SchemaError]]] = {
    "anyOf nested 20,000 deep": (nested(20_000, "anyOf"), SchemaTooLargeError),
    "object nested 2,000 deep": (nested(2000, "properties"), SchemaTooLargeError),
    "object nested 33 deep": (nested(33, "properties"), SchemaTooLargeError),
    "5,000 properties": (optional(5000), SchemaTooLargeError),
    "301 properties": (optional(301), SchemaTooLargeError),
    "1,200 properties": (object_of(**{c: optional(299) for c in "abcd"}), SchemaTooLargeError),
    "anyOf of 5,000": ({"anyOf": [{"const": i} for i in range(5000)]}, SchemaTooLargeError),
    "enum of 1,001": ({"enum": list(range(1001))}, SchemaTooLargeError),
    "enums of 6,000": (
        {"anyOf": [{"enum": list(range(i, i + 1000))} for i in range(6)]},
        SchemaTooLargeError,
    ),
    "pattern of 1 MB": ({"pattern": "a" * 10**6}, SchemaTooLargeError),
    "pattern of 1,001": ({"pattern": "a" * 1001}, SchemaTooLargeError),
    "property pattern of 1,001": ({"patternProperties": {"a" * 1001: {}}}, SchemaTooLargeError),
    "patterns with expensive lookahead": (
        object_of(**{f"p{i}": {"pattern": rf"^(?=(a+)+$)\w{{1,200}}{i}$"} for i in range(200)}),
        SchemaTooLargeError,
    ),
    "nested repetitions": ({"pattern": "^(((a{99}){99}){99}){99}$"}, SchemaTooLargeError),
    "257 KB": ({"description": "x" * 257 * 1024}, SchemaTooLargeError),
    "alternatives to the power of 30": (exponential(30, 2), SchemaTooLargeError),
    "alternatives to the power of 5": (exponential(5, 64), SchemaTooLargeError),
    "properties to the power of 30": (
        {
            "definitions": {
                f"l{i}": object_of(a=ref(f"l{i + 1}"), b=ref(f"l{i + 1}")) for i in range(30)
            }
            | {"l30": STRING},
            **ref("l0"),
        },
        SchemaTooLargeError,
    ),
    "2,400 references by name": (
        {
            "$defs": {f"a{i}": {"$anchor": f"n{i}"} for i in range(2400)},
            "allOf": [
                {"anyOf": [{"$ref": f"#n{i * 40 + j}"} for j in range(40)]} for i in range(60)
            ],
        },
        SchemaTooLargeError,
    ),
    "chain of 5,000 references": (chain(5000), SchemaTooLargeError),
    "too deep behind a reference": (
        {"$ref": "#/x", "x": nested(50, "properties")},
        SchemaTooLargeError,
    ),
    "reference to itself": ({"definitions": {"a": ref("a")}, **ref("a")}, SchemaUnsupportedError),
    "allOf of itself": (
        {"definitions": {"a": {"allOf": [ref("a")]}}, **ref("a")},
        SchemaUnsupportedError,
    ),
    "not itself": ({"not": {"$ref": "#"}}, SchemaUnsupportedError),
    "if itself": ({"if": {"anyOf": [{"$ref": "#"}]}}, SchemaUnsupportedError),
    "remote reference": ({"$ref": "http://127.0.0.1:9/s.json"}, SchemaUnsupportedError),
    "https reference": (
        object_of(a={"$ref": "https://127.0.0.1:9/s.json#/a"}),
        SchemaUnsupportedError,
    ),
    "file reference": ({"$ref": "file:///etc/passwd"}, SchemaUnsupportedError),
    "relative reference": ({"$ref": "other.json"}, SchemaUnsupportedError),
    "dynamic reference": ({"$dynamicRef": "#node"}, SchemaUnsupportedError),
    "reference under another $id": (
        object_of(a={"$id": "http://a.example/b", "items": {"$ref": "#/c"}, "c": {}}),
        SchemaUnsupportedError,
    ),
    "reference to nothing": (ref("nothing"), SchemaInvalidError),
    "reference to an unknown name": ({"$ref": "#name"}, SchemaInvalidError),
    "reference to a string": ({"title": "x", "$ref": "#/title"}, SchemaInvalidError),
    "a list": ([], SchemaInvalidError),
    "a number": (3, SchemaInvalidError),
    "null": (None, SchemaInvalidError),
    "a list as a subschema": ({"not": []}, SchemaInvalidError),
}

# Valid schemas that keep llama.cpp busy for seconds, or take gigabytes of its memory. They are
# narrowed until they do not, or rejected.
TOO_EXPENSIVE: dict[str, Any] = {
    "allOf to the power of 14": {
        "definitions": {
            f"l{i}": object_of(a={"allOf": [ref(f"l{i + 1}")]}, b={"allOf": [ref(f"l{i + 1}")]})
            for i in range(13)
        }
        | {"l13": object_of(z=STRING)},
        **ref("l0"),
    },
    "types to the power of 15": two_types(15),
    "long names": optional(300, 820),
    "a long name over many": object_of(**{"q" * 100_000: optional(100)}),
    "counts": object_of(
        **{f"p{i}": {"pattern": "^" + "a[ab]{0,999}" * 70 + "$"} for i in range(100)}
    ),
    "optional parts": {"pattern": "^" + "[ab]{0,9}" * 110 + "$"},
    "nested optional parts": {"pattern": "^(((.?){0,9}){0,9}){0,9}$"},
    "repeated optional part": {"pattern": "^(.?){0,400}$"},
}

NO_TEXT = {"type": "string", "minLength": 5, "maxLength": 3}
# Valid schemas that llama.cpp refuses, or of which the first six take all memory, as they are.
UNUSABLE: dict[str, Any] = {
    "an alternative without texts": {"anyOf": [NO_TEXT, {"type": "integer"}]},
    "an optional property without texts": object_of(a=NO_TEXT, b=STRING),
    "a definition without texts": {"$defs": {"a": NO_TEXT}, "anyOf": [ref("b"), STRING]}
    | {"definitions": {"b": {"$ref": "#/$defs/a"}}},
    "a maximum beyond 64 bits": {"type": "integer", "maximum": 10**19},
    "the last 64-bit integer": {"type": "integer", "minimum": 2**63 - 1},
    "a minimum of 16 digits": {"type": ["null", "integer"], "minimum": 9999999999999998},
    "all 64-bit integers": {"type": "integer", "minimum": 1 - 2**63, "maximum": 2**63 - 1},
    "an optional property without integers": object_of(
        a={"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 6}
    ),
    "an empty enum as an alternative": {"anyOf": [{"enum": []}, STRING]},
    "items that are true": {"type": "array", "items": True},
    "items that are false": {"type": "array", "prefixItems": [STRING], "items": False},
    "a property that is false": object_of(a=False, b=STRING),
    "a definition that is true": {"$defs": {"a": True}, "$ref": "#/$defs/a"},
    "2,000 items": {"type": "array", "items": {"type": "integer"}, "maxItems": 2000},
    "2,001 items": {"type": "array", "items": object_of(a=STRING), "maxItems": 2001},
    "a null character": {"type": "string", "pattern": "^[^\0]+$"},
    "nothing to repeat": {"type": "string", "pattern": "^*a$"},
    "an escaped end": {"type": "string", "pattern": r"^a\$"},
    "a repeated letter outside ASCII": {"type": "string", "pattern": "^a\u00e9?b$"},
    "references to the root": object_of(a={"$ref": "#"}, b={"items": {"$ref": "#"}}),
}

# Schemas that people use, which must pass.
COMMON: dict[str, Any] = {
    "true": True,
    "empty": {},
    "recursion": {"definitions": {"Node": object_of(next=ref("Node"))}, **ref("Node")},
    "recursion from the root": object_of(children={"type": "array", "items": {"$ref": "#"}}),
    "a reference between two allOf": {
        "definitions": {"A": object_of(b={"allOf": [ref("B")]}), "B": object_of(a=ref("A"))},
        **ref("A"),
    },
    "allOf": {"definitions": {"Base": object_of(id={"type": "integer"})}, "allOf": [ref("Base")]},
    "names with special characters": {
        "definitions": {"a/b~c d%": STRING},
        "$ref": "#/definitions/a~1b~0c%20d%25",
    },
    "an anchor": {"$defs": {"a": {"$anchor": "name", "type": "string"}}, "$ref": "#name"},
    "an absolute reference to itself": {
        "$id": "https://a.example/s.json",
        "$defs": {"a": STRING},
        "$ref": "https://a.example/s.json#/$defs/a",
    },
    "properties named like keywords": object_of(properties=STRING, enum=STRING, items=STRING),
    "a $ref in data": {"const": {"$ref": "http://a.example"}, "default": {"$ref": 5}},
    "300 optional properties": optional(300),
    "300 long strings": object_of(
        **{f"p{i}": {"type": "string", "maxLength": 1000} for i in range(300)}
    ),
    "an enum of 1,000": object_of(a={"enum": list(range(1000))}),
    "a host name": {"pattern": rf"^{HOST_LABEL}(\.{HOST_LABEL}){{0,9}}$"},
    "a password": {"pattern": r"^(?=.*[a-z])(?=.*\d).{8,64}$"},
    "an amount": {"pattern": r"^-?\d{1,9}([.,]\d{1,2})?( (EUR|USD))?$"},
    "powers": {"type": "string", "pattern": "^(a+)+$"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_schema_is_rejected_or_pruned_quickly(name: str) -> None:
    started_at = time.process_time()
    try:
        sent = prepare_passthrough(HOSTILE[name][0])
    except SchemaError as error:
        sent = error.message
    if not isinstance(sent, str):
        check_schema(sent)
    assert time.process_time() - started_at < 2


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_schema_is_rejected_quickly(name: str) -> None:
    schema, error = HOSTILE[name]
    started_at = time.process_time()
    with pytest.raises(error) as caught:
        check_schema(schema)
    assert time.process_time() - started_at < 2
    assert caught.value.message.endswith(".")
    assert len(caught.value.message) < 500


@pytest.mark.parametrize("name", TOO_EXPENSIVE)
def test_expensive_schema_is_not_passed_through(name: str) -> None:
    started_at = time.process_time()
    try:
        sent = prepare_passthrough(TOO_EXPENSIVE[name])
    except SchemaTooLargeError:
        sent = None
    assert sent != TOO_EXPENSIVE[name]
    assert time.process_time() - started_at < 2


@pytest.mark.parametrize("name", [name for name in CRASHING if name != "of a reference to itself"])
def test_crashing_schema_is_narrowed_before_it_is_passed_through(name: str) -> None:
    sent = prepare_passthrough(CRASHING[name])
    assert "$ref" not in json.dumps(sent)
    check_grammar_cost(sent)


@pytest.mark.parametrize("name", [name for name in CRASHING if name != "of a reference to itself"])
def test_crashing_schema_may_still_be_narrowed(name: str) -> None:
    check_schema(CRASHING[name])


@pytest.mark.parametrize("check", [check_schema, prepare_passthrough])
@pytest.mark.parametrize("name", COMMON)
def test_common_schema_passes(name: str, check: Any) -> None:
    check(COMMON[name])


@pytest.mark.parametrize("draft", DRAFTS)
def test_schema_is_checked_against_its_own_draft(draft: str) -> None:
    check_schema({"$schema": draft, "type": "object", "required": ["a"]})
    with pytest.raises(SchemaInvalidError) as caught:
        check_schema({"$schema": draft, "properties": {"a": {"minimum": "1"}}})
    assert caught.value.pointer == "/properties/a/minimum"
    is_draft_4 = draft == DRAFTS[0]
    schema = {"$schema": draft, "minimum": 1, "exclusiveMinimum": is_draft_4 or 1}
    check_schema(schema)


def test_schema_without_a_draft_is_checked_against_the_newest() -> None:
    check_schema({"prefixItems": [{}], "dependentRequired": {"a": ["b"]}})
    with pytest.raises(SchemaInvalidError):
        check_schema({"minimum": 1, "exclusiveMinimum": True})


def test_unknown_draft_is_rejected_with_the_supported_ones() -> None:
    with pytest.raises(SchemaUnsupportedError, match="2020-12") as caught:
        check_schema({"$schema": "http://127.0.0.1:9/my-schema"})
    assert caught.value.pointer == "/$schema"


@pytest.mark.parametrize("pattern", ["[", "(", "a**", "(?<=a", "\\"])
def test_invalid_pattern_is_rejected(pattern: str) -> None:
    with pytest.raises(SchemaInvalidError) as caught:
        check_schema(object_of(a={"pattern": pattern}))
    assert caught.value.pointer == "/properties/a/pattern"


def test_error_has_a_json_pointer() -> None:
    with pytest.raises(SchemaTooLargeError) as caught:
        check_schema(object_of(**{"a/b": {"items": {"enum": list(range(2000))}}}))
    assert caught.value.pointer == "/properties/a~1b/items"


@pytest.mark.parametrize(
    ("error_class", "code"),
    [
        (SchemaInvalidError, "schema_invalid"),
        (SchemaUnsupportedError, "schema_unsupported"),
        (SchemaTooLargeError, "schema_too_large"),
        (SchemaUnsatisfiableError, "schema_unsatisfiable"),
    ],
)
def test_errors_can_be_pickled(error_class: type[SchemaError], code: str) -> None:
    error = pickle.loads(pickle.dumps(error_class("Too bad.", "/a")))  # noqa: S301
    assert type(error) is error_class
    assert (error.code, error.message, error.pointer) == (code, "Too bad.", "/a")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 3000) | st.text("ab{}()?*+^$#/", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
references = st.sampled_from(["#", "#/$defs/a", "#/$defs/b", "#/properties/a", "#/nowhere", "#b"])


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=1, max_size=3)
    schema_maps = st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    types = st.sampled_from(["object", "array", "string", "integer", "null"])
    return st.fixed_dictionaries(
        {},
        optional={
            "type": types | st.lists(types, min_size=1, max_size=3, unique=True),
            "properties": schema_maps,
            "additionalProperties": inner | st.booleans(),
            "required": st.lists(st.sampled_from("abcd"), unique=True, min_size=1),
            "items": inner,
            "allOf": lists,
            "anyOf": lists,
            "oneOf": lists,
            "not": inner,
            "$defs": schema_maps,
            "$ref": references,
            "enum": st.lists(json_values, min_size=1, max_size=3),
            "pattern": st.text("ab{}()?*+^$[]0,9|.", max_size=12).map(lambda body: f"^{body}$"),
            "minLength": st.integers(0, 9),
            "maxLength": st.integers(0, 4000),
            "minItems": st.integers(0, 3),
            "maxItems": st.integers(0, 4000),
            "minimum": st.integers(-(10**19), 10**19),
            "maximum": st.integers(-(10**19), 10**19),
        },
    )


any_schema = st.recursive(st.just({}) | references.map(lambda target: {"$ref": target}), schemas)


@given(any_schema | json_values)
@settings(deadline=2000)
def test_any_value_passes_or_is_rejected_with_a_message(schema: Any) -> None:
    for check in (check_schema, prepare_passthrough):
        try:
            check(schema)
        except SchemaError as error:
            assert error.message  # noqa: PT017  # it may also pass


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with running_engine("--parallel", "1", "--context", "1024") as engine:
        yield engine


def passed_through(schema: Any) -> Any:
    """Return the schema that is sent, or None if it is rejected."""
    try:
        return prepare_passthrough(schema)
    except SchemaError:
        return None


def compile_seconds(engine: EngineProcess, schema: Any) -> float:
    """Make the real model server compile a schema; return the seconds it took."""
    response_format = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    started_at = time.process_time()
    response = httpx.post(
        f"{engine.base_url}/chat/completions",
        content=json.dumps(body | {"response_format": response_format}),
        timeout=30,
    )
    assert response.status_code == 200, response.text
    return time.process_time() - started_at


@pytest.mark.parametrize("name", COMMON)
def test_engine_compiles_common_schemas(engine: EngineProcess, name: str) -> None:
    assert compile_seconds(engine, prepare_passthrough(COMMON[name])) < 10
    assert engine.is_answering()


@pytest.mark.parametrize("name", UNUSABLE)
def test_engine_compiles_what_is_sent_for_unusable_schemas(
    engine: EngineProcess, name: str
) -> None:
    assert compile_seconds(engine, prepare_passthrough(UNUSABLE[name])) < 10
    assert engine.is_answering()


# No grammar can enforce some of the patterns.
@pytest.mark.parametrize("name", [n for n in UNUSABLE if "pattern" not in UNUSABLE[n]])
def test_what_is_sent_is_narrower_than_the_unusable_schema(name: str) -> None:
    schema = UNUSABLE[name]
    sent = prepare_passthrough(schema)
    assert json.dumps(sent) != json.dumps(schema)
    values: list[Any] = [1, "aéb", "x", None, [], [1], ["a"], {}, {"b": "x"}, {"a": {}}, {"a": []}]
    for value in values:
        assert jsonschema_rs.is_valid(schema, value) or not jsonschema_rs.is_valid(sent, value)


def test_engine_survives_hostile_schemas_that_are_passed_through(engine: EngineProcess) -> None:
    process = engine.model_process
    hostile_schemas = [schema for schema, _ in HOSTILE.values()]
    for schema in (*CRASHING.values(), *TOO_EXPENSIVE.values(), *hostile_schemas):
        if (sent := passed_through(schema)) is not None:
            compile_seconds(engine, sent)
    assert engine.model_process == process
    assert engine.is_answering()


@given(schema=any_schema)
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_engine_survives_any_schema_that_is_passed_through(
    engine: EngineProcess, schema: Any
) -> None:
    process = engine.model_process
    if (sent := passed_through(schema)) is not None:
        assert compile_seconds(engine, sent) < 10
    assert engine.model_process == process
