"""A grammar allows the instances of a narrowed schema on one line, and nothing else."""

import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.json_schema.gbnf import MAX_REPETITIONS, write_grammar
from backend.json_schema.narrow import narrow
from benchmarks.schema_instances import random_instance
from tests.support.engine_process import EngineProcess, running_engine
from tests.support.gbnf import is_accepted, random_text
from tests.support.paths import DATA

SCHEMAS = [json.loads(line) for line in (DATA / "schemas.jsonl").read_text().splitlines()]
NAMES = ('"', "\\", "\n", "a\tb", "é😀", "\x7f\x85\u2028", "::=", "](){}|*+?-^", "\ud800", "'#", "")


def grammar_of(schema: Any) -> str:
    grammar = write_grammar(schema)
    assert grammar
    return grammar


def object_of(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return schema | {"additionalProperties": False}


def array_of(items: Any, low: int, high: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": low, "maxItems": high}


def string_of(low: int, high: int) -> dict[str, Any]:
    return {"type": "string", "minLength": low, "maxLength": high}


ONE, TWO = {"enum": [1]}, {"enum": [2]}
AB = {"a": ONE, "b": TWO, "c": ONE}
FORMS: dict[str, tuple[Any, list[str], list[str]]] = {
    "null": ({"type": "null"}, ["null"], ["", " null", "null "]),
    "boolean": ({"type": "boolean"}, ["true", "false"], ["1", "True"]),
    "number": (
        {"type": "number"},
        ["0", "-0", "12", "-3.25", "0.001", "1e5", "1.5E-10"],
        ["01", ".5", "5.", "+1", "1e", "1e999", "NaN"],
    ),
    "enum": ({"enum": ["a", 1, None]}, ['"a"', "1", "null"], ["a", '"b"', "2"]),
    "nested enum": (
        {"enum": [[1, {"a": "b"}]]},
        ['[1, {"a": "b"}]'],
        ['[1,{"a":"b"}]', '[1,\n{"a": "b"}]'],
    ),
    "union": ({"anyOf": [{"type": "null"}, {"enum": ["a"]}]}, ["null", '"a"'], ["true"]),
    "string": (string_of(1, 3), ['"a"', '"é😀\\n"', '"\\u00e9"'], ['""', '"abcd"', '"\n"']),
    "empty string": (string_of(0, 0), ['""'], ['"a"']),
    "surrogate": (string_of(1, 2), ['"\\ud7ff"', '"\\uE000"'], ['"\\ud800"', '"\\uDFFF"']),
    "line separators": (string_of(1, 2), ['"\u2027"'], ['"\u2028"', '"\u2029"', '"\x85"']),
    "pattern": (
        {"type": "string", "pattern": "^(a|b[x-z^-]){1,2}\\.(é{0,1})$"},
        ['"a."', '"b-b^.é"'],
        ['"."', '"aaa."', '"bw."', '"a"'],
    ),
    "empty pattern": ({"type": "string", "pattern": "^$"}, ['""'], ['"a"']),
    "array": (array_of(ONE, 1, 3), ["[1]", "[1, 1, 1]"], ["[]", "[1,1]", "[1, 1, 1, 1]", "[ 1]"]),
    "optional array": (array_of(ONE, 0, 2), ["[]", "[1]", "[1, 1]"], ["[ ]", "[1, 1, 1]"]),
    "single item": (array_of(ONE, 0, 1), ["[]", "[1]"], ["[1, 1]"]),
    "empty array": (array_of(ONE, 0, 0), ["[]"], ["[1]"]),
    "fixed array": (array_of(ONE, 2, 2), ["[1, 1]"], ["[1]", "[1, 1, 1]"]),
    "tuple": (
        {"type": "array", "prefixItems": [ONE, TWO], "minItems": 2, "maxItems": 2},
        ["[1, 2]"],
        ["[1]", "[2, 1]"],
    ),
    "empty object": (object_of({}), ["{}"], ["{ }"]),
    "required": (
        object_of(AB, "a", "b", "c"),
        ['{"a": 1, "b": 2, "c": 1}'],
        ['{"a": 1, "c": 1, "b": 2}', '{"a":1,"b":2,"c":1}', '{"a": 1, "b": 2}'],
    ),
    "optional": (
        object_of(AB),
        ["{}", '{"a": 1}', '{"b": 2}', '{"c": 1}', '{"a": 1, "c": 1}', '{"b": 2, "c": 1}'],
        ['{"a": 1,}', '{, "b": 2}', '{"c": 1, "a": 1}', '{"a": 1, "a": 1}'],
    ),
    "first required": (
        object_of(AB, "a"),
        ['{"a": 1}', '{"a": 1, "c": 1}', '{"a": 1, "b": 2, "c": 1}'],
        ["{}", '{"b": 2}'],
    ),
    "middle required": (
        object_of(AB, "b"),
        ['{"b": 2}', '{"a": 1, "b": 2}', '{"b": 2, "c": 1}', '{"a": 1, "b": 2, "c": 1}'],
        ["{}", '{"a": 1}', '{"a": 1, "c": 1}', '{"c": 1}'],
    ),
    "last required": (object_of(AB, "c"), ['{"c": 1}', '{"b": 2, "c": 1}'], ['{"a": 1, "b": 2}']),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_each_form_of_a_narrowed_schema_has_a_grammar(name: str) -> None:
    schema, accepted, rejected = FORMS[name]
    grammar = grammar_of(schema)
    assert [text for text in accepted if not is_accepted(grammar, text)] == []
    assert [text for text in rejected if is_accepted(grammar, text)] == []


@pytest.mark.parametrize("name", NAMES)
def test_names_and_values_cannot_break_out_of_the_grammar(name: str) -> None:
    value = {"enum": [name, {name: [name]}]}
    grammar = grammar_of(object_of({name: value, "z": value}, name))
    for text in (json.dumps(name), json.dumps({name: [name]})):
        whole = json.loads(f"{{{json.dumps(name)}: {text}}}")
        texts = [json.dumps(whole, ensure_ascii=is_ascii) for is_ascii in (False, True)]
        assert any(is_accepted(grammar, text) for text in texts)
    assert len(grammar.encode().decode().splitlines()) == grammar.count("\n")
    assert "\n" not in random_text(grammar, random.Random(1))


@given(st.integers(-(2**53), 2**53), st.integers(-(2**53), 2**53), st.data())
def test_integers_are_exactly_those_in_the_range(one: int, other: int, data: st.DataObject) -> None:
    low, high = sorted((one, other))
    grammar = grammar_of({"type": "integer", "minimum": low, "maximum": high})
    for value in (low, high, data.draw(st.integers(low, high))):
        assert is_accepted(grammar, str(value))
    for value in (low - 1, high + 1, low - 10**15, high * 10 + 10**6):
        assert is_accepted(grammar, str(value)) == (low <= value <= high)
    assert low <= int(random_text(grammar, random.Random(high))) <= high
    assert not is_accepted(grammar, f"0{high}")


@pytest.mark.parametrize("minimum", [0, None])
def test_decimals_are_negative_unless_their_minimum_is_zero(minimum: int | None) -> None:
    bounds = {} if minimum is None else {"minimum": minimum}
    narrowed = narrow({"type": "number"} | bounds, characters=400)
    grammar = write_grammar(narrowed.schema)
    assert grammar is not None
    assert [is_accepted(grammar, text) for text in ("0", "2.75", "1e3", "-2.75")] == [
        True,
        True,
        True,
        minimum is None,
    ]
    assert narrowed.unenforced == (() if minimum is None else (("", "minimum"),))


@given(st.integers(-120, 120), st.integers(0, 130))
def test_integers_of_a_small_range_are_complete(low: int, count: int) -> None:
    grammar = grammar_of({"type": "integer", "minimum": low, "maximum": low + count})
    accepted = [value for value in range(-260, 260) if is_accepted(grammar, str(value))]
    assert accepted == list(range(low, low + count + 1))


def narrowed_schemas() -> Iterator[Any]:
    for case in SCHEMAS:
        for level, characters in ((0, 2000), (0, 320), (2, 320)):
            yield narrow(case["schema"], characters=characters, level=level).schema


def test_instances_of_narrowed_schemas_are_accepted_on_one_line() -> None:
    rng = random.Random(1)
    for schema in narrowed_schemas():
        grammar = grammar_of(schema)
        for _ in range(5):
            text = json.dumps(random_instance(schema, rng), ensure_ascii=False)
            assert is_accepted(grammar, text), (text, grammar)


def test_texts_of_a_grammar_are_instances_of_its_schema() -> None:
    rng = random.Random(2)
    for schema in narrowed_schemas():
        validator, grammar = jsonschema_rs.validator_for(schema), grammar_of(schema)
        for _ in range(5):
            text = random_text(grammar, rng)
            assert validator.is_valid(json.loads(text)), (text, grammar)
            assert len(text.splitlines()) == 1


def test_schemas_that_are_alike_share_their_rules() -> None:
    item = object_of({"name": string_of(1, 20), "title": string_of(1, 20)}, "name")
    grammar = grammar_of(object_of({f"p{number}": item for number in range(30)}))
    assert grammar.count("title") == 1
    assert write_grammar(object_of({f"p{number}": string_of(1, 500) for number in range(200)}))


@pytest.mark.parametrize(
    "schema",
    [
        string_of(1, MAX_REPETITIONS + 1),
        array_of(ONE, 0, MAX_REPETITIONS + 2),
        {"type": "string", "pattern": f"^[ab]{{1,{MAX_REPETITIONS + 1}}}$"},
        object_of({f"p{number}": string_of(1, 500 + number) for number in range(50)}),
        {"enum": ["a" * 1000 + str(number) for number in range(300)]},
    ],
    ids=["string", "array", "pattern", "sum", "characters"],
)
def test_schema_whose_grammar_is_too_large_has_none(schema: Any) -> None:
    assert write_grammar(schema) is None


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with running_engine("--parallel", "1", "--context", "1024") as engine:
        yield engine


LARGEST: list[Any] = [
    # Half a surrogate pair is no JSON string to the validator, though a grammar can write it.
    object_of({name: {"enum": [name]} for name in NAMES if name != "\ud800"}),
    string_of(1, MAX_REPETITIONS),
    array_of(string_of(1, 5), 0, MAX_REPETITIONS),
    object_of({f"p{number}": string_of(0, 300 + number) for number in range(60)}),
    {"type": "string", "pattern": "^(([a-c]{1,19}x){0,9}|y{3,90}){1,20}$"},
    *(schema for schema, _, _ in FORMS.values()),
]


@pytest.mark.parametrize("schema", LARGEST, ids=range(len(LARGEST)))
def test_engine_takes_grammars_up_to_the_limits(schema: Any, engine: EngineProcess) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    body = {"messages": messages, "max_tokens": 6, "grammar": grammar_of(schema)}
    response = httpx.post(f"{engine.base_url}/chat/completions", json=body, timeout=30)
    assert response.status_code == 200, response.text
    choice = response.json()["choices"][0]
    if choice["finish_reason"] == "stop":
        assert jsonschema_rs.is_valid(schema, json.loads(choice["message"]["content"]))
