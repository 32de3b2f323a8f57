"""One gate for schemas: `/chat`, in each of its fields, and `/structured` reject the same ones."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings

from backend.json_schema.errors import SchemaError, SchemaTooLargeError
from backend.json_schema.prepare import prepare, prepare_passthrough
from tests.backend.json_schema.test_limits import (
    COMMON,
    CRASHING,
    HOSTILE,
    any_schema,
    json_values,
    object_of,
)
from tests.support.fake_model_server import FakeModelServer
from tests.support.requests import HELLO
from tests.support.structured_requests import structured_request

pytestmark = pytest.mark.anyio

INTEGER = {"type": "integer"}
NAMES = ["a/b", "a~b", "a%b", "a b", "ä", "日本", "List[int]", "Map<K,V>", "100%", 'a"b', "~1", "#"]

REJECTED: dict[str, tuple[Any, str]] = {
    "an unknown type": ({"type": "nonsense"}, "schema_invalid"),
    "an unknown type deep inside": (object_of(a={"items": {"type": "str"}}), "schema_invalid"),
    "a type that is a number": ({"type": 5}, "schema_invalid"),
    "no types": ({"type": []}, "schema_invalid"),
    "required as a boolean": (object_of(a={"required": True}), "schema_invalid"),
    "required as a string": ({"required": "a"}, "schema_invalid"),
    "properties as a list": ({"properties": []}, "schema_invalid"),
    "no alternatives": ({"anyOf": []}, "schema_invalid"),
    "a negative count": ({"minLength": -1}, "schema_invalid"),
    "a count as text": ({"maxItems": "3"}, "schema_invalid"),
    "a broken pattern": ({"pattern": "["}, "schema_invalid"),
    "a pattern that counts down": ({"pattern": "^a{5,3}$"}, "schema_invalid"),
    "a number": (5, "schema_invalid"),
    "text": ("object", "schema_invalid"),
    "a list": ([INTEGER], "schema_invalid"),
    "an unknown draft": ({"$schema": "http://nope.example"}, "schema_unsupported"),
    "another document": ({"$ref": "other.json"}, "schema_unsupported"),
    "a missing target": ({"$ref": "#/$defs/a"}, "schema_invalid"),
    "false": (False, "schema_unsatisfiable"),
    "not anything": ({"not": {}}, "schema_unsatisfiable"),
    "an empty enum": ({"enum": []}, "schema_unsatisfiable"),
    "a range without numbers": (
        {"type": "integer", "minimum": 5, "maximum": 1},
        "schema_unsatisfiable",
    ),
    "a range between integers": (
        {"type": "integer", "minimum": 0.1, "maximum": 0.2},
        "schema_unsatisfiable",
    ),
    "a length without texts": (
        {"type": "string", "minLength": 5, "maxLength": 3},
        "schema_unsatisfiable",
    ),
    "a count without arrays": (
        {"type": "array", "minItems": 5, "maxItems": 3},
        "schema_unsatisfiable",
    ),
    "two types at once": ({"allOf": [{"type": "string"}, INTEGER]}, "schema_unsatisfiable"),
    "one of two that are anything": ({"oneOf": [{}, True]}, "schema_unsatisfiable"),
    "endless recursion": (object_of(a={"$ref": "#"}) | {"required": ["a"]}, "schema_unsatisfiable"),
    "2,000 items at least": ({"type": "array", "minItems": 2000}, "schema_too_large"),
    "2,000 letters at least": ({"type": "string", "minLength": 2000}, "schema_too_large"),
    "a billion properties at least": (
        {"type": "object", "minProperties": 10**9},
        "schema_too_large",
    ),
    "2,000 repetitions": ({"pattern": "^a{2000}$"}, "schema_too_large"),
}

# What model servers cannot take as it is, or what other gates rejected, with what is sent.
REWRITTEN: dict[str, tuple[Any, Any]] = {
    "true": (True, {}),
    "2,000 items at most": (
        {"type": "array", "items": INTEGER, "maxItems": 2000},
        {"type": "array", "items": INTEGER, "maxItems": 1998},
    ),
    "a count as a decimal": (
        {"type": "array", "items": INTEGER, "maxItems": 3.0},
        {"type": "array", "items": INTEGER, "maxItems": 3},
    ),
    "a property that is true": (object_of(a=True), object_of(a={})),
    "64-bit integers": (
        {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        {"type": "integer"},
    ),
    "an anchor": (
        {"$defs": {"x": {"$anchor": "n", "type": "integer"}}, "items": {"$ref": "#n"}},
        {"$defs": {"x": {"$anchor": "n", "type": "integer"}}, "items": {"$ref": "#/$defs/x"}},
    ),
    "an absolute reference": (
        {
            "$id": "http://a.example/s",
            "$defs": {"x": INTEGER},
            "$ref": "http://a.example/s#/$defs/x",
        },
        {"$id": "http://a.example/s", "$defs": {"x": INTEGER}, "$ref": "#/$defs/x"},
    ),
    "the root": (
        object_of(a={"$ref": "#"}),
        object_of(a={"$ref": "#/$defs/root"})
        | {"$defs": {"root": object_of(a={"$ref": "#/$defs/root"})}},
    ),
    "a target outside of definitions": (
        {"$ref": "#/x/a~1b", "x": {"a/b": {"items": {"$ref": "#/x/a~1b"}}}},
        {
            "$ref": "#/$defs/a_b",
            "x": {"a/b": {"items": {"$ref": "#/x/a~1b"}}},
            "$defs": {"a_b": {"items": {"$ref": "#/$defs/a_b"}}},
        },
    ),
}

# Numbers that made the gate itself fail or take all memory, though it can accept them.
EXTREME: dict[str, Any] = {
    "a multiple beyond any number": {"type": "number", "multipleOf": 5, "minimum": 10**300},
    "a tiny multiple": {"type": "number", "multipleOf": 1e-300, "minimum": 1, "maximum": 1e300},
    "lengths beyond 32 bits": {"type": "string", "maxLength": 10**100},
    "items beyond 64 bits": {"type": "array", "prefixItems": [{}], "maxItems": 10**100},
    "properties beyond 64 bits": {"type": "object", "maxProperties": 10**100},
}

# Sent as they are, though they look odd.
UNCHANGED: dict[str, Any] = {
    "5,000 letters at most": {"type": "string", "maxLength": 5000},
    "1,000 items at most": {"type": "array", "items": INTEGER, "maxItems": 1000},
    "data like a reference": {"const": {"$ref": "#/$defs/a~1b"}},
    "data like a schema": {"enum": [True, {"maxItems": 2000}], "default": {"maxItems": 2000}},
    "no other properties": object_of(a=INTEGER) | {"additionalProperties": False},
    "a safe range of JavaScript": {
        "type": "integer",
        "minimum": -9007199254740991,
        "maximum": 9007199254740991,
    },
}


def escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1").replace("%", "%25")


def chat_bodies(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a chat request with the schema in each of its fields, and the field's name."""
    named = {"name": "x", "schema": schema}
    yield "response_format", {"response_format": {"type": "json_schema", "json_schema": named}}
    yield "response_format", {"response_format": {"type": "json_object", "schema": schema}}
    yield "json_schema", {"json_schema": schema}
    yield (
        "tools.0",
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]},
    )


async def error_codes(api: httpx.AsyncClient, schema: Any) -> list[str | None]:
    """Return the codes of all fields of /chat and of /structured, None where a schema is sent."""
    bodies = [("/chat", param, HELLO | fields) for param, fields in chat_bodies(schema)]
    bodies.append(("/structured", "response_format", structured_request(schema)))
    codes: list[str | None] = []
    for path, param, body in bodies:
        response = await api.post(path, json=body)
        codes.append(None)
        if response.status_code == 422:
            error = response.json()["error"]
            assert error["param"] == param
            assert error["message"]
            codes[-1] = error["code"]
    return codes


@pytest.mark.parametrize("name", REJECTED)
async def test_same_error_wherever_a_schema_is_sent(
    name: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    schema, code = REJECTED[name]
    assert await error_codes(api_client, schema) == [code] * 5
    assert not model_server.chat_requests


# JSON nested too deeply is rejected before, and null is as good as nothing.
@pytest.mark.parametrize("name", [n for n in HOSTILE if "deep" not in n and n != "null"])
async def test_hostile_schema_is_accepted_everywhere_or_nowhere(
    name: str, api_client: httpx.AsyncClient
) -> None:
    assert len(set(await error_codes(api_client, HOSTILE[name][0]))) == 1


async def sent_schemas(
    api: httpx.AsyncClient, model_server: FakeModelServer, schema: Any
) -> list[Any]:
    """Return the schema that the model server gets for each field of /chat."""
    sent = []
    for _, fields in chat_bodies(schema):
        response = await api.post("/chat", json=HELLO | fields)
        assert response.status_code == 200, response.text
        body = model_server.chat_requests[-1].body
        response_format = body.get("response_format", {})
        sent.append(
            body["json_schema"]
            if "json_schema" in fields
            else body["tools"][0]["function"]["parameters"]
            if "tools" in fields
            else response_format["schema"]
            if "schema" in response_format
            else response_format["json_schema"]["schema"]
        )
    return sent


@pytest.mark.parametrize("name", REWRITTEN)
async def test_schema_is_sent_in_forms_that_a_model_server_takes(
    name: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    schema, sent = REWRITTEN[name]
    assert await sent_schemas(api_client, model_server, schema) == [sent] * 4
    assert prepare(schema, 4000, 0).schema


@pytest.mark.parametrize("name", EXTREME)
async def test_extreme_numbers_do_not_fail_the_gate(
    name: str, api_client: httpx.AsyncClient
) -> None:
    for path in ("/chat", "/structured"):
        response = await api_client.post(path, json=structured_request(EXTREME[name]))
        # The scripted answer of the model server does not match.
        assert response.status_code == 200 or response.json()["error"]["code"] in (
            "schema_too_large",
            "validation_failed",
            "output_truncated",
        )


@pytest.mark.parametrize("name", UNCHANGED)
async def test_plain_schema_is_sent_as_it_is(
    name: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    sent = await sent_schemas(api_client, model_server, UNCHANGED[name])
    assert [json.dumps(schema) for schema in sent] == [json.dumps(UNCHANGED[name])] * 4


@pytest.mark.parametrize("keyword", ["$defs", "definitions", "properties"])
@pytest.mark.parametrize("name", NAMES)
def test_reference_to_any_name_is_followed(name: str, keyword: str) -> None:
    """Some generators encode the name for a URI, some only for a pointer."""
    plain_pointer = name.replace("~", "~0").replace("/", "~1")
    for pointer in {plain_pointer, escaped(name)}:
        if pointer.endswith(("%", "#")):
            continue  # only encoded ones are references
        schema = {keyword: {name: INTEGER}, "items": {"$ref": f"#/{keyword}/{pointer}"}}
        sent = prepare_passthrough(schema | {"type": "array"})
        reference = sent["items"]["$ref"].split("/")
        assert sent[reference[1]][reference[2]] == INTEGER
        narrowed = prepare(schema | {"type": "array"}, 4000, 0).schema
        assert narrowed["items"]["type"] == "integer"


def code(function: Callable[[], Any]) -> str | None:
    try:
        function()
    except SchemaError as error:
        return f"{error.code} {error.pointer} {error.message}"
    return None


@given(any_schema | json_values)
@settings(deadline=2000)
def test_both_gates_reject_the_same_schemas(schema: Any) -> None:
    structured = code(lambda: prepare(schema, 1_000_000, 0))
    chat = code(lambda: prepare_passthrough(schema))
    # A schema that is too large to be narrowed may still be sent as it is.
    assert chat == structured or (chat is None and "schema_too_large" in str(structured))


@pytest.mark.parametrize("name", CRASHING)
def test_both_gates_agree_on_schemas_that_crash_model_servers(name: str) -> None:
    structured = code(lambda: prepare(CRASHING[name], 4000, 0))
    assert code(lambda: prepare_passthrough(CRASHING[name])) == structured


@pytest.mark.parametrize("name", COMMON)
def test_both_gates_accept_common_schemas(name: str) -> None:
    assert code(lambda: prepare_passthrough(COMMON[name])) is None


NONSENSE: dict[str, Any] = {
    "no type": {"json_schema": {"schema": INTEGER}},
    "an unknown type": {"type": "xml"},
    "no json_schema": {"type": "json_schema"},
    "json_schema without schema": {"type": "json_schema", "json_schema": {"name": "x"}},
    "json_schema as null": {"type": "json_schema", "json_schema": None},
    "json_schema as text": {"type": "json_schema", "json_schema": "x"},
    "json_schema as a list": {"type": "json_schema", "json_schema": [INTEGER]},
    "text": "json_object",
    "a list": [],
    "a number": 1,
}


@pytest.mark.parametrize("path", ["/chat", "/structured"])
@pytest.mark.parametrize("name", NONSENSE)
async def test_nonsense_as_response_format_is_named(
    name: str, path: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    response = await api_client.post(path, json=HELLO | {"response_format": NONSENSE[name]})
    error = response.json()["error"]
    assert (response.status_code, error["type"]) in (
        (400, "invalid_request_error"),
        (422, "invalid_request_error"),
    )
    assert "response_format" in error["message"]
    assert not model_server.chat_requests


@pytest.mark.parametrize("value", [None, 5, "x", [INTEGER]])
async def test_schema_of_another_type_gets_the_same_error_everywhere(
    value: Any, api_client: httpx.AsyncClient
) -> None:
    named = {"type": "json_schema", "json_schema": {"schema": value}}
    found = []
    for path in ("/chat", "/structured"):
        response = await api_client.post(path, json=HELLO | {"response_format": named})
        found.append((response.status_code, response.json()["error"]))
    assert found[0] == found[1]
    assert found[0][1]["code"] == "schema_invalid"


def test_minimum_counts_are_refused_before_a_grammar_is_made() -> None:
    array = {"type": "array", "minItems": 10**9, "prefixItems": [{}]}
    for gate in (prepare_passthrough, lambda schema: prepare(schema, 10**6, 0)):
        with pytest.raises(SchemaTooLargeError):
            gate(object_of(a=array) | {"required": ["a"]})
