"""Read the keywords of a schema that may be anything."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

Schema = dict[str, Any]

ITEM_KEYWORDS = ("prefixItems", "items", "additionalItems", "contains")
ARRAY_KEYWORDS = frozenset([*ITEM_KEYWORDS, "minItems", "maxItems", "uniqueItems"])
OBJECT_KEYWORDS = frozenset(
    [
        "additionalProperties",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "maxProperties",
        "minProperties",
        "patternProperties",
        "properties",
        "propertyNames",
        "required",
    ]
)


def property_schemas(schema: Schema, name: str) -> Iterator[Any]:
    """Yield the schemas that a schema itself has for a property."""
    is_listed = False
    if name in (properties := map_of(schema, "properties")):
        is_listed = True
        yield properties[name]
    for pattern, child in map_of(schema, "patternProperties").items():
        if _matches(pattern, name):
            is_listed = True
            yield child
    if not is_listed and isinstance(schema.get("additionalProperties"), bool | dict):
        yield schema["additionalProperties"]


def are_disjoint(options: list[Any]) -> bool:
    """Return True if no value is valid against two of the alternatives, as their types differ.

    Or a property that all require has different values in each.
    """
    if not all(isinstance(option, dict) for option in options):
        return False
    types = [option.get("type") for option in options]
    if all(isinstance(name, str) for name in types) and len(set(types)) == len(types):
        return not {"integer", "number"} <= set(types)
    shared = set.intersection(*(set(names_of(option.get("required"))) for option in options))
    return any(_have_different_values(options, name) for name in shared)


def _have_different_values(options: list[Schema], name: str) -> bool:
    values: list[str] = []
    for option in options:
        child = map_of(option, "properties").get(name)
        if not isinstance(child, dict) or not child.keys() & {"const", "enum"}:
            return False
        enum = [child["const"]] if "const" in child else child["enum"]
        values += [json.dumps(value, sort_keys=True) for value in enum]
    return len(set(values)) == len(values)


def dependent_names(schema: Schema, name: str) -> list[str]:
    names = []
    for keyword in ("dependentRequired", "dependencies"):
        names += names_of(map_of(schema, keyword).get(name))
    return names


def object_values(schema: Schema) -> list[dict[str, Any]]:
    values = schema.get("enum") if isinstance(schema.get("enum"), list) else [schema.get("const")]
    return dicts_of(values)


def value_names(schema: Schema) -> list[str]:
    """Return the names in the objects that an enum or const lists."""
    return [name for value in object_values(schema) for name in value]


def item_schemas(value: Any) -> list[Schema]:
    return dicts_of(value if isinstance(value, list) else [value])


def _matches(pattern: str, name: str) -> bool:
    if re.fullmatch(r"[\w^$-]*", pattern):  # most patterns are plain prefixes, or catch all
        return bool(re.search(pattern, name))
    return bool(jsonschema_rs.is_valid({"pattern": pattern}, name))


def map_of(schema: Schema, keyword: str) -> dict[str, Any]:
    value = schema.get(keyword)
    return value if isinstance(value, dict) else {}


def names_of(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def dicts_of(values: Any) -> list[dict[str, Any]]:
    return [value for value in values or () if isinstance(value, dict)]


def without(schema: Schema, keyword: str) -> Schema:
    return {key: value for key, value in schema.items() if key != keyword}
