"""What is said of a value by several schemas, where it could not be said in a plain way."""

from typing import Any

Schema = dict[str, Any]

NOT_PLAIN = frozenset(
    [
        "allOf",
        "anyOf",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "if",
        "not",
        "oneOf",
        "unevaluatedItems",
        "unevaluatedProperties",
    ]
)
ALL_TYPES = 5  # a keyword without a type says nothing of so many other types, and means its own


def distributed(schema: Schema) -> tuple[Schema, list[Any] | None]:
    """Part what is said of every value from the alternatives of which it has to fit one."""
    rest = {word: one for word, one in schema.items() if word == "allOf" or word not in NOT_PLAIN}
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return rest, schema[word]
    parts = rest.pop("allOf", [])
    for number, part in enumerate(parts):
        if isinstance(part, dict) and part.keys() & {"anyOf", "oneOf"}:
            inner, several = distributed(part)
            others = [*parts[:number], *parts[number + 1 :], *([inner] if inner else [])]
            return rest | ({"allOf": others} if others else {}), several
    return _shallow([*parts, rest]), None


def _shallow(parts: list[Any]) -> Schema:
    """Say in one what several schemas do, as far as they do not speak of the same."""
    merged: Schema = {}
    for part in parts:
        merged |= part if isinstance(part, dict) else {}
    return {word: value for word, value in merged.items() if word not in NOT_PLAIN}


def meant(schemas: list[Any]) -> list[Any]:
    """Leave out the types of which a keyword says nothing because it is meant for another."""
    return [one for one in schemas if not _is_aside(one)] or schemas


def _is_aside(schema: Any) -> bool:
    if not isinstance(schema, dict) or set(schema) != {"type"}:
        return False
    return isinstance(schema["type"], list) and len(schema["type"]) >= ALL_TYPES
