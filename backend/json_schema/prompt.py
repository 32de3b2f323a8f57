"""Describe a narrowed schema to a model as a form, which small models follow better."""

import json
from typing import Any

MAX_LISTED_VALUES = 8
# A completed example shows a small model that the parts in < > are to be replaced.
_EXAMPLE = """\
Form: {"pet": "<pet>", "toys": ["<toys>", ...], "size": "<small or big>", "age": <number>, \
"ill": <true or false>}
Text: My dog Rex is big and 4 years old. He has a ball and a bone and is ill.
Answer: {"pet": "dog", "toys": ["ball", "bone"], "size": "big", "age": 4, "ill": true}"""
_PLACEHOLDERS = {
    "integer": "<number>",
    "number": "<number>",
    "boolean": "<true or false>",
    "null": "null",
}


def build_instruction(schema: Any) -> str:
    """Return the instruction to answer in the shape of a narrowed schema."""
    form = skeleton(schema)
    return f"{_EXAMPLE}\n\nForm: {form}\nFill in this form in the same way. Answer with JSON only."


def skeleton(schema: Any) -> str:
    """Render JSON with placeholders in < > for its values."""
    return _placeholder(schema, "text")


def _placeholder(schema: dict[str, Any], name: str) -> str:
    if "anyOf" in schema:
        return _placeholder(schema["anyOf"][0], name)
    if "enum" in schema:
        return _enum(schema["enum"], name)
    match schema["type"]:
        case "object":
            return _object(schema["properties"])
        case "array":
            items = schema.get("prefixItems") or [schema["items"], None]
            rendered = ["..." if item is None else _placeholder(item, name) for item in items]
            return f"[{', '.join(rendered)}]"
        case "string":
            return f'"<{_as_words(name)}>"'
        case type_name:
            return _PLACEHOLDERS[type_name]


def _object(properties: dict[str, Any]) -> str:
    members = [
        f"{_json(name)}: {_placeholder(schema, name)}" for name, schema in properties.items()
    ]
    return "{" + ", ".join(members) + "}"


def _enum(values: list[Any], name: str) -> str:
    """List the values if they are few strings; otherwise render a placeholder or the first."""
    if len(values) == 1 or not all(isinstance(value, str) for value in values):
        are_numbers = len(values) > 1 and all(map(_is_number, values))
        return _PLACEHOLDERS["number"] if are_numbers else _json(values[0])
    if len(values) > MAX_LISTED_VALUES:
        return f'"<{_as_words(name)}>"'
    return _json(f"<{' or '.join(values)}>")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_words(name: str) -> str:
    return " ".join(name.replace("_", " ").replace('"', "").split())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
