"""Schemas that somebody else wrote: what is refused, how soon, and what a model server survives."""

import json
import pickle
import time
from collections.abc import Iterator
from typing import Any

import httpx
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
from backend.json_schema.limits import check_passthrough_schema, check_schema
from tests.support.engine_process import EngineProcess, running_engine

STRING = {"type": "string"}
LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DRAFTS = [
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
]


def form(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def to(name: str) -> dict[str, Any]:
    return {"$ref": f"#/definitions/{name}"}


def nested(levels: int, keyword: str) -> dict[str, Any]:
    schema: dict[str, Any] = STRING
    for _ in range(levels):
        schema = {keyword: [schema]} if keyword == "anyOf" else {keyword: {"a": schema}}
    return schema


def fan(levels: int, width: int, keyword: str = "anyOf") -> dict[str, Any]:
    """Refer to the next level `width` times: the references grow with its power."""
    levels_below = {f"l{i}": {keyword: [to(f"l{i + 1}")] * width} for i in range(levels)}
    return {"definitions": levels_below | {f"l{levels}": STRING}, **to("l0")}


def chain(length: int) -> dict[str, Any]:
    links = {str(i): to(str(i + 1)) for i in range(length)}
    return {"definitions": links | {str(length): STRING}, **to("0")}


def typed_twice(levels: int) -> dict[str, Any]:
    """The converter goes into an allOf once for each type."""
    schema: dict[str, Any] = STRING
    for _ in range(levels):
        schema = {"type": ["object", "string"], "allOf": [form(a=schema)]}
    return schema


def optional(count: int, length: int = 1) -> dict[str, Any]:
    return form(**{"p" * length + str(i): STRING for i in range(count)})


# What ends llama.cpp's server: an allOf that comes back to itself with no plain $ref on its way.
KILLERS = {
    "in a property": {
        "definitions": {"Node": form(next={"allOf": [to("Node"), {"title": "next"}]})},
        **form(root=to("Node")),
    },
    "in items": {
        "definitions": {
            "Row": form(rows={"type": "array", "items": {"allOf": [to("Row")]}}, text=STRING)
        },
        **form(table={"type": "array", "items": {"allOf": [to("Row")]}}),
    },
    "in turns": {
        "definitions": {
            "Day": form(night={"allOf": [to("Night")]}, name={"allOf": [to("Name"), {}]}),
            "Night": form(day={"allOf": [to("Day"), {"title": "day"}]}),
            "Name": STRING,
        },
        **form(first=to("Day")),
    },
    "in an alternative": {
        "definitions": {"Tree": form(left={"allOf": [{"anyOf": [to("Tree"), {"type": "null"}]}]})},
        **to("Tree"),
    },
    "of a reference to itself": {
        "definitions": {"Me": to("Me")},
        **form(me={"allOf": [to("Me")]}),
    },
}

# Each is refused by both, whoever is to use it.
HOSTILE: dict[str, tuple[Any, type[SchemaError]]] = {
    "anyOf nested 20,000 deep": (nested(20_000, "anyOf"), SchemaTooLargeError),
    "object nested 2,000 deep": (nested(2000, "properties"), SchemaTooLargeError),
    "object nested 33 deep": (nested(33, "properties"), SchemaTooLargeError),
    "5,000 properties": (optional(5000), SchemaTooLargeError),
    "301 properties": (optional(301), SchemaTooLargeError),
    "1,200 properties": (form(**{c: optional(299) for c in "abcd"}), SchemaTooLargeError),
    "anyOf of 5,000": ({"anyOf": [{"const": i} for i in range(5000)]}, SchemaTooLargeError),
    "enum of 1,001": ({"enum": list(range(1001))}, SchemaTooLargeError),
    "enums of 6,000": (
        {"anyOf": [{"enum": list(range(i, i + 1000))} for i in range(6)]},
        SchemaTooLargeError,
    ),
    "pattern of 1 MB": ({"pattern": "a" * 10**6}, SchemaTooLargeError),
    "pattern of 1,001": ({"pattern": "a" * 1001}, SchemaTooLargeError),
    "property pattern of 1,001": ({"patternProperties": {"a" * 1001: {}}}, SchemaTooLargeError),
    "patterns with much lookahead": (
        form(**{f"p{i}": {"pattern": rf"^(?=(a+)+$)\w{{1,200}}{i}$"} for i in range(200)}),
        SchemaTooLargeError,
    ),
    "pattern that multiplies": ({"pattern": "^(((a{99}){99}){99}){99}$"}, SchemaTooLargeError),
    "257 KB": ({"description": "x" * 257 * 1024}, SchemaTooLargeError),
    "alternatives to the power of 30": (fan(30, 2), SchemaTooLargeError),
    "alternatives to the power of 5": (fan(5, 64), SchemaTooLargeError),
    "properties to the power of 30": (
        {
            "definitions": {f"l{i}": form(a=to(f"l{i + 1}"), b=to(f"l{i + 1}")) for i in range(30)}
            | {"l30": STRING},
            **to("l0"),
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
    "5,000 references in a row": (chain(5000), SchemaTooLargeError),
    "what is too deep behind a reference": (
        {"$ref": "#/x", "x": nested(50, "properties")},
        SchemaTooLargeError,
    ),
    "reference to itself": ({"definitions": {"a": to("a")}, **to("a")}, SchemaUnsupportedError),
    "allOf of itself": (
        {"definitions": {"a": {"allOf": [to("a")]}}, **to("a")},
        SchemaUnsupportedError,
    ),
    "not itself": ({"not": {"$ref": "#"}}, SchemaUnsupportedError),
    "if itself": ({"if": {"anyOf": [{"$ref": "#"}]}}, SchemaUnsupportedError),
    "remote reference": ({"$ref": "http://127.0.0.1:9/s.json"}, SchemaUnsupportedError),
    "https reference": (form(a={"$ref": "https://127.0.0.1:9/s.json#/a"}), SchemaUnsupportedError),
    "file reference": ({"$ref": "file:///etc/passwd"}, SchemaUnsupportedError),
    "relative reference": ({"$ref": "other.json"}, SchemaUnsupportedError),
    "dynamic reference": ({"$dynamicRef": "#node"}, SchemaUnsupportedError),
    "reference under another $id": (
        form(a={"$id": "http://a.example/b", "items": {"$ref": "#/c"}, "c": {}}),
        SchemaUnsupportedError,
    ),
    "reference to nothing": (to("nothing"), SchemaInvalidError),
    "reference to an unknown name": ({"$ref": "#name"}, SchemaInvalidError),
    "reference to a text": ({"title": "x", "$ref": "#/title"}, SchemaInvalidError),
    "a list": ([], SchemaInvalidError),
    "a number": (3, SchemaInvalidError),
    "null": (None, SchemaInvalidError),
    "a list for a schema": ({"not": []}, SchemaInvalidError),
}

# What means something, but keeps llama.cpp busy for seconds, or takes gigabytes of it.
TOO_MUCH_FOR_THE_CONVERTER: dict[str, Any] = {
    "allOf to the power of 14": {
        "definitions": {
            f"l{i}": form(a={"allOf": [to(f"l{i + 1}")]}, b={"allOf": [to(f"l{i + 1}")]})
            for i in range(13)
        }
        | {"l13": form(z=STRING)},
        **to("l0"),
    },
    "types to the power of 15": typed_twice(15),
    "long names": optional(300, 820),
    "a long name over many": form(**{"q" * 100_000: optional(100)}),
    "counts": form(**{f"p{i}": {"pattern": "^" + "a[ab]{0,999}" * 70 + "$"} for i in range(100)}),
    "parts left out": {"pattern": "^" + "[ab]{0,9}" * 110 + "$"},
    "parts left out in turns": {"pattern": "^(((.?){0,9}){0,9}){0,9}$"},
    "one part left out often": {"pattern": "^(.?){0,400}$"},
}

# What people use, and has to pass.
GOOD: dict[str, Any] = {
    "true": True,
    "empty": {},
    "recursion": {"definitions": {"Node": form(next=to("Node"))}, **to("Node")},
    "recursion from the root": form(children={"type": "array", "items": {"$ref": "#"}}),
    "a reference between two allOfs": {
        "definitions": {"A": form(b={"allOf": [to("B")]}), "B": form(a=to("A"))},
        **to("A"),
    },
    "allOf": {"definitions": {"Base": form(id={"type": "integer"})}, "allOf": [to("Base")]},
    "names with signs": {
        "definitions": {"a/b~c d%": STRING},
        "$ref": "#/definitions/a~1b~0c%20d%25",
    },
    "an anchor": {"$defs": {"a": {"$anchor": "name", "type": "string"}}, "$ref": "#name"},
    "its own address": {
        "$id": "https://a.example/s.json",
        "$defs": {"a": STRING},
        "$ref": "https://a.example/s.json#/$defs/a",
    },
    "properties named like keywords": form(properties=STRING, enum=STRING, items=STRING),
    "a $ref in data": {"const": {"$ref": "http://a.example"}, "default": {"$ref": 5}},
    "300 optional properties": optional(300),
    "300 long texts": form(**{f"p{i}": {"type": "string", "maxLength": 1000} for i in range(300)}),
    "an enum of 1,000": form(a={"enum": list(range(1000))}),
    "a host name": {"pattern": rf"^{LABEL}(\.{LABEL}){{0,9}}$"},
    "a password": {"pattern": r"^(?=.*[a-z])(?=.*\d).{8,64}$"},
    "an amount": {"pattern": r"^-?\d{1,9}([.,]\d{1,2})?( (EUR|USD))?$"},
    "powers": {"type": "string", "pattern": "^(a+)+$"},
}


@pytest.mark.parametrize("check", [check_schema, check_passthrough_schema])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_schema_is_refused_at_once(name: str, check: Any) -> None:
    schema, error = HOSTILE[name]
    began = time.monotonic()
    with pytest.raises(error) as caught:
        check(schema)
    assert time.monotonic() - began < 2
    assert caught.value.message.endswith(".")
    assert len(caught.value.message) < 500


@pytest.mark.parametrize("name", TOO_MUCH_FOR_THE_CONVERTER)
def test_what_would_hold_the_model_server_up_is_not_for_it(name: str) -> None:
    began = time.monotonic()
    with pytest.raises(SchemaTooLargeError):
        check_passthrough_schema(TOO_MUCH_FOR_THE_CONVERTER[name])
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("name", KILLERS)
def test_what_kills_the_model_server_is_not_for_it(name: str) -> None:
    with pytest.raises(SchemaUnsupportedError) as caught:
        check_passthrough_schema(KILLERS[name])
    assert caught.value.pointer.startswith("/definitions/")


@pytest.mark.parametrize("name", [name for name in KILLERS if name != "of a reference to itself"])
def test_what_kills_the_model_server_may_still_be_narrowed(name: str) -> None:
    check_schema(KILLERS[name])


@pytest.mark.parametrize("check", [check_schema, check_passthrough_schema])
@pytest.mark.parametrize("name", GOOD)
def test_what_people_use_passes(name: str, check: Any) -> None:
    check(GOOD[name])


@pytest.mark.parametrize("draft", DRAFTS)
def test_each_draft_is_held_to_its_own_rules(draft: str) -> None:
    check_schema({"$schema": draft, "type": "object", "required": ["a"]})
    with pytest.raises(SchemaInvalidError) as caught:
        check_schema({"$schema": draft, "properties": {"a": {"minimum": "1"}}})
    assert caught.value.pointer == "/properties/a/minimum"
    is_draft_4 = draft == DRAFTS[0]
    schema = {"$schema": draft, "minimum": 1, "exclusiveMinimum": is_draft_4 or 1}
    check_schema(schema)


def test_without_a_draft_it_is_the_newest() -> None:
    check_schema({"prefixItems": [{}], "dependentRequired": {"a": ["b"]}})
    with pytest.raises(SchemaInvalidError):
        check_schema({"minimum": 1, "exclusiveMinimum": True})


def test_an_unknown_draft_is_named() -> None:
    with pytest.raises(SchemaUnsupportedError, match="2020-12") as caught:
        check_schema({"$schema": "http://127.0.0.1:9/my-schema"})
    assert caught.value.pointer == "/$schema"


@pytest.mark.parametrize("pattern", ["[", "(", "a**", "(?<=a", "\\"])
def test_a_pattern_has_to_be_one(pattern: str) -> None:
    with pytest.raises(SchemaInvalidError) as caught:
        check_schema(form(a={"pattern": pattern}))
    assert caught.value.pointer == "/properties/a/pattern"


def test_a_message_says_where() -> None:
    with pytest.raises(SchemaTooLargeError) as caught:
        check_schema(form(**{"a/b": {"items": {"enum": list(range(2000))}}}))
    assert caught.value.pointer == "/properties/a~1b/items"


def test_what_means_nothing_is_left_to_the_model_server() -> None:
    check_passthrough_schema(
        {"type": "any", "properties": {"a": {"required": True}}, "minimum": "1"}
    )


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (SchemaInvalidError, "schema_invalid"),
        (SchemaUnsupportedError, "schema_unsupported"),
        (SchemaTooLargeError, "schema_too_large"),
        (SchemaUnsatisfiableError, "schema_unsatisfiable"),
    ],
)
def test_errors_survive_the_way_between_processes(kind: type[SchemaError], code: str) -> None:
    error = pickle.loads(pickle.dumps(kind("Too bad.", "/a")))  # noqa: S301
    assert type(error) is kind
    assert (error.code, error.message, error.pointer) == (code, "Too bad.", "/a")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 3000) | st.text("ab{}()?*+^$#/", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
references = st.sampled_from(["#", "#/$defs/a", "#/$defs/b", "#/properties/a", "#/nowhere", "#b"])


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    kinds = st.sampled_from(["object", "array", "string", "integer", "null"])
    return st.fixed_dictionaries(
        {},
        optional={
            "type": kinds | st.lists(kinds, min_size=1, max_size=3, unique=True),
            "properties": named,
            "additionalProperties": inner | st.booleans(),
            "required": st.lists(st.sampled_from("abcd"), unique=True, min_size=1),
            "items": inner,
            "allOf": lists,
            "anyOf": lists,
            "oneOf": lists,
            "not": inner,
            "$defs": named,
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


any_schema = st.recursive(st.just({}) | references.map(lambda to: {"$ref": to}), schemas)


@given(any_schema | json_values)
@settings(max_examples=100, deadline=2000)
def test_every_value_passes_or_is_refused_for_a_reason(schema: Any) -> None:
    for check in (check_schema, check_passthrough_schema):
        try:
            check(schema)
        except SchemaError as error:
            assert error.message  # noqa: PT017  # it may also pass


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with running_engine("--parallel", "1", "--context", "1024") as engine:
        yield engine


def is_let_through(schema: Any) -> bool:
    try:
        check_passthrough_schema(schema)
    except SchemaError:
        return False
    return True


def compiled(engine: EngineProcess, schema: Any) -> float:
    """Have the real model server compile a schema; give the seconds it took."""
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    began = time.monotonic()
    response = httpx.post(
        f"{engine.base_url}/chat/completions",
        content=json.dumps(body | {"response_format": wanted}),
        timeout=30,
    )
    assert response.status_code in (200, 400, 500), response.text
    return time.monotonic() - began


@pytest.mark.parametrize("name", GOOD)
def test_the_engine_compiles_what_people_use(engine: EngineProcess, name: str) -> None:
    assert compiled(engine, GOOD[name]) < 10
    assert engine.is_answering()


def test_the_engine_survives_what_is_hostile(engine: EngineProcess) -> None:
    process = engine.model_process
    hostile = [schema for schema, _ in HOSTILE.values()]
    for schema in (*KILLERS.values(), *TOO_MUCH_FOR_THE_CONVERTER.values(), *hostile):
        if is_let_through(schema):
            compiled(engine, schema)
    assert engine.model_process == process
    assert engine.is_answering()


@given(schema=any_schema)
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_engine_survives_whatever_is_let_through(engine: EngineProcess, schema: Any) -> None:
    process = engine.model_process
    if is_let_through(schema):
        assert compiled(engine, schema) < 10
    assert engine.model_process == process
