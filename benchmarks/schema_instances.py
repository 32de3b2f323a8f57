"""Generate random instances of narrowed schemas, as a model could under their grammar."""

import random
from collections.abc import Callable
from importlib import import_module
from typing import Any

op: Any = import_module("re._constants")
parser: Any = import_module("re._parser")


_NUMBERS = (0, 1.5, -3.25, 1e6, 0.001)


def random_instance(schema: dict[str, Any], rng: random.Random) -> Any:
    """Return an output that the grammar of a narrowed schema allows; often one at its bounds."""
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if "anyOf" in schema:
        return random_instance(rng.choice(schema["anyOf"]), rng)
    return _GENERATORS[schema["type"]](schema, rng)


def _object(schema: dict[str, Any], rng: random.Random) -> Any:
    if "properties" not in schema:
        values = schema["additionalProperties"]
        return {f"k{index}": random_instance(values, rng) for index in range(rng.randint(0, 3))}
    required = schema["required"]
    names = [name for name in schema["properties"] if name in required or rng.random() < 0.5]
    return {name: random_instance(schema["properties"][name], rng) for name in names}


def _array(schema: dict[str, Any], rng: random.Random) -> Any:
    if "prefixItems" in schema:
        return [random_instance(item, rng) for item in schema["prefixItems"]]
    count = rng.randint(schema["minItems"], schema["maxItems"])
    return [random_instance(schema["items"], rng) for _ in range(count)]


def _integer(schema: dict[str, Any], rng: random.Random) -> Any:
    low, high = schema["minimum"], schema["maximum"]
    return rng.choice([low, high, rng.randint(low, high)])


def _string(schema: dict[str, Any], rng: random.Random) -> Any:
    if "pattern" in schema:
        return _match(parser.parse(schema["pattern"]), rng)
    count = rng.randint(schema["minLength"], schema["maxLength"])
    return "".join(rng.choice('ab 1é"\\\n😀') for _ in range(count))


def _match(parsed: Any, rng: random.Random) -> str:
    return "".join(_match_node(kind, value, rng) for kind, value in parsed)


def _match_node(kind: Any, value: Any, rng: random.Random) -> str:
    if kind == op.AT:
        return ""
    if kind == op.LITERAL:
        return chr(value)
    if kind == op.IN:
        ranges = [(code, code) if item == op.LITERAL else code for item, code in value]
        return chr(rng.randint(*rng.choice(ranges)))
    if kind == op.SUBPATTERN:
        return _match(value[3], rng)
    if kind == op.BRANCH:
        return _match(rng.choice(value[1]), rng)
    if kind != op.MAX_REPEAT:
        raise ValueError(f"a grammar may not support {kind}")
    low, high, repeated = value
    count = rng.choice([low, high, rng.randint(low, high)])
    return "".join(_match(repeated, rng) for _ in range(count))


_GENERATORS: dict[str, Callable[[dict[str, Any], random.Random], Any]] = {
    "object": _object,
    "array": _array,
    "integer": _integer,
    "number": lambda schema, rng: rng.choice(
        [number for number in _NUMBERS if number >= schema.get("minimum", number)]
    ),
    "string": _string,
    "boolean": lambda _schema, rng: rng.random() < 0.5,
    "null": lambda _schema, _rng: None,
}
