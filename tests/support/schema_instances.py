"""Random instances of narrowed schemas: what a model could write under their grammar."""

import random
from collections.abc import Callable
from importlib import import_module
from typing import Any

op: Any = import_module("re._constants")
parser: Any = import_module("re._parser")


def instance(schema: dict[str, Any], chance: random.Random) -> Any:
    """Draw an answer that the grammar of a narrowed schema allows; bounds come up often."""
    if "enum" in schema:
        return chance.choice(schema["enum"])
    if "anyOf" in schema:
        return instance(chance.choice(schema["anyOf"]), chance)
    return _DRAWN[schema["type"]](schema, chance)


def _object(schema: dict[str, Any], chance: random.Random) -> Any:
    if "properties" not in schema:
        values = schema["additionalProperties"]
        return {f"k{n}": instance(values, chance) for n in range(chance.randint(0, 3))}
    required = schema["required"]
    kept = [name for name in schema["properties"] if name in required or chance.random() < 0.5]
    return {name: instance(schema["properties"][name], chance) for name in kept}


def _array(schema: dict[str, Any], chance: random.Random) -> Any:
    if "prefixItems" in schema:
        return [instance(item, chance) for item in schema["prefixItems"]]
    count = chance.randint(schema["minItems"], schema["maxItems"])
    return [instance(schema["items"], chance) for _ in range(count)]


def _integer(schema: dict[str, Any], chance: random.Random) -> Any:
    low, high = schema["minimum"], schema["maximum"]
    return chance.choice([low, high, chance.randint(low, high)])


def _string(schema: dict[str, Any], chance: random.Random) -> Any:
    if "pattern" in schema:
        return _match(parser.parse(schema["pattern"]), chance)
    count = chance.randint(schema["minLength"], schema["maxLength"])
    return "".join(chance.choice('ab 1é"\\\n😀') for _ in range(count))


def _match(parsed: Any, chance: random.Random) -> str:
    return "".join(_matched(kind, value, chance) for kind, value in parsed)


def _matched(kind: Any, value: Any, chance: random.Random) -> str:
    if kind == op.AT:
        return ""
    if kind == op.LITERAL:
        return chr(value)
    if kind == op.IN:
        ranges = [(v, v) if what == op.LITERAL else v for what, v in value]
        return chr(chance.randint(*chance.choice(ranges)))
    if kind == op.SUBPATTERN:
        return _match(value[3], chance)
    if kind == op.BRANCH:
        return _match(chance.choice(value[1]), chance)
    assert kind == op.MAX_REPEAT, f"a grammar may not know {kind}"
    low, high, inner = value
    count = chance.choice([low, high, chance.randint(low, high)])
    return "".join(_match(inner, chance) for _ in range(count))


_DRAWN: dict[str, Callable[[dict[str, Any], random.Random], Any]] = {
    "object": _object,
    "array": _array,
    "integer": _integer,
    "number": lambda _schema, chance: chance.choice([0, 1.5, -3.25, 1e6, 0.001]),
    "string": _string,
    "boolean": lambda _schema, chance: chance.random() < 0.5,
    "null": lambda _schema, _chance: None,
}
