"""Simplify schemas that combine others, if canonicalization left such combinations."""

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
MANY_TYPES = 5  # canonicalizing a keyword without a type adds the other types: this many or more


def distribute_any_of(schema: Schema) -> tuple[Schema, list[Any] | None]:
    """Split a schema into what applies to every value and its alternatives, or None."""
    base = {
        keyword: value
        for keyword, value in schema.items()
        if keyword == "allOf" or keyword not in COMBINATORS
    }
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return base, schema[keyword]
    parts = base.pop("allOf", [])
    for index, part in enumerate(parts):
        if isinstance(part, dict) and part.keys() & {"anyOf", "oneOf"}:
            part_base, alternatives = distribute_any_of(part)
            remaining = [
                *parts[:index],
                *parts[index + 1 :],
                *([part_base] if part_base else []),
            ]
            return base | ({"allOf": remaining} if remaining else {}), alternatives
    return _merge_keywords([*parts, base]), None


def _merge_keywords(schemas: list[Any]) -> Schema:
    """Merge schemas keyword by keyword; of most equal keywords the later wins."""
    merged: Schema = {}
    for schema in schemas:
        if not isinstance(schema, dict):
            continue
        required = dict.fromkeys([*merged.get("required", ()), *schema.get("required", ())])
        properties = dict(merged.get("properties", {}))
        for name, child in schema.get("properties", {}).items():
            is_shared = properties.get(name, child) != child
            properties[name] = {"allOf": [properties[name], child]} if is_shared else child
        merged |= schema
        merged |= {"required": list(required)} if required else {}
        merged |= {"properties": properties} if properties else {}
    return {keyword: value for keyword, value in merged.items() if keyword not in COMBINATORS}


def drop_vacuous_types(schemas: list[Any]) -> list[Any]:
    """Drop alternatives that only list the types to which a keyword does not apply."""
    return [schema for schema in schemas if not _is_vacuous(schema)] or schemas


def _is_vacuous(schema: Any) -> bool:
    if not isinstance(schema, dict) or set(schema) != {"type"}:
        return False
    return isinstance(schema["type"], list) and len(schema["type"]) >= MANY_TYPES
