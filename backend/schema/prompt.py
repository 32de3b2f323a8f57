"""The form that a model is shown: filled in as an example, which a small one copies."""

import json
from typing import Any

MAX_SHOWN_VALUES = 6


def instruction(schema: Any) -> str:
    """Say that the answer has to have the form of a narrowed schema."""
    return f"Answer with JSON of this form and nothing else:\n{skeleton(schema)}"


def skeleton(schema: Any) -> str:
    """Fill the form in: words for texts, one item for a list, the choices where there are few."""
    return json.dumps(_filled(schema), ensure_ascii=False)


def _filled(schema: Any) -> Any:
    if "anyOf" in schema:
        return _filled(schema["anyOf"][0])
    if "enum" in schema:
        return _choices(schema["enum"])
    kind = schema["type"]
    if kind == "object":
        return {name: _filled(value) for name, value in schema.get("properties", {}).items()}
    if kind == "array":
        return [_filled(item) for item in schema.get("prefixItems", [schema.get("items")])]
    if kind in ("integer", "number"):
        return max(schema.get("minimum", 0), 0)
    return {"boolean": True, "null": None}.get(kind, "...")


def _choices(values: list[Any]) -> Any:
    if len(values) == 1 or len(values) > MAX_SHOWN_VALUES:
        return values[0]
    if all(isinstance(value, str) for value in values):
        return "|".join(values)
    return values[0]
