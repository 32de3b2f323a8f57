"""What is said of a value by several schemas, where it could not be said in a plain way."""

from typing import Any

Schema = dict[str, Any]

COMBINATORS = frozenset(
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
MANY_TYPES = 5  # a keyword without a type says nothing of so many other types, and means its own


def distribute_any_of(schema: Schema) -> tuple[Schema, list[Any] | None]:
    """Part what is said of every value from the alternatives of which it has to fit one."""
    rest = {word: one for word, one in schema.items() if word == "allOf" or word not in COMBINATORS}
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return rest, schema[word]
    parts = rest.pop("allOf", [])
    for number, part in enumerate(parts):
        if isinstance(part, dict) and part.keys() & {"anyOf", "oneOf"}:
            inner, several = distribute_any_of(part)
            others = [*parts[:number], *parts[number + 1 :], *([inner] if inner else [])]
            return rest | ({"allOf": others} if others else {}), several
    return _merge_keywords([*parts, rest]), None


def _merge_keywords(parts: list[Any]) -> Schema:
    """Say in one what several schemas do, as far as they do not speak of the same."""
    merged: Schema = {}
    for part in parts:
        merged |= part if isinstance(part, dict) else {}
    return {word: value for word, value in merged.items() if word not in COMBINATORS}


def drop_vacuous_types(schemas: list[Any]) -> list[Any]:
    """Leave out the types of which a keyword says nothing because it is meant for another."""
    return [one for one in schemas if not _is_vacuous(one)] or schemas


def _is_vacuous(schema: Any) -> bool:
    if not isinstance(schema, dict) or set(schema) != {"type"}:
        return False
    return isinstance(schema["type"], list) and len(schema["type"]) >= MANY_TYPES
