"""Read the keywords of a schema that may be anything."""

import json
from collections.abc import Iterator
from typing import Any

from backend.json_schema.objects import matches_pattern
from backend.json_values import as_dict, as_dict_list

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
    if name in (properties := as_dict(schema.get("properties"))):
        is_listed = True
        yield properties[name]
    for pattern, child in as_dict(schema.get("patternProperties")).items():
        if matches_pattern(pattern, name):
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
        child = as_dict(option.get("properties")).get(name)
        if not isinstance(child, dict) or not child.keys() & {"const", "enum"}:
            return False
        enum = [child["const"]] if "const" in child else child["enum"]
        values += [json.dumps(value, sort_keys=True) for value in enum]
    return len(set(values)) == len(values)


def dependent_names(schema: Schema, name: str) -> list[str]:
    names = []
    for keyword in ("dependentRequired", "dependencies"):
        names += names_of(as_dict(schema.get(keyword)).get(name))
    return names


def object_values(schema: Schema) -> list[dict[str, Any]]:
    values = schema.get("enum") if isinstance(schema.get("enum"), list) else [schema.get("const")]
    return as_dict_list(values)


def value_names(schema: Schema) -> list[str]:
    """Return the names in the objects that an enum or const lists."""
    return [name for value in object_values(schema) for name in value]


def item_schemas(value: Any) -> list[Schema]:
    return as_dict_list(value if isinstance(value, list) else [value])


def names_of(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def without(schema: Schema, keyword: str) -> Schema:
    return {key: value for key, value in schema.items() if key != keyword}
