"""The form that a model is shown: a small one fills it in better than it reads a JSON Schema."""

import json
from typing import Any

MAX_SHOWN_VALUES = 8
# One that has been filled in shows a small model that what is in < > is to be replaced.
_EXAMPLE = """\
Form: {"pet": "<pet>", "toys": ["<toys>", ...], "size": "<small or big>", "age": <number>, \
"ill": <true or false>}
Text: My dog Rex is big and 4 years old. He has a ball and a bone and is ill.
Answer: {"pet": "dog", "toys": ["ball", "bone"], "size": "big", "age": 4, "ill": true}"""
_WORDS = {"integer": "<number>", "number": "<number>", "boolean": "<true or false>", "null": "null"}


def build_instruction(schema: Any) -> str:
    """Ask for an answer that has the form of a narrowed schema."""
    form = skeleton(schema)
    return f"{_EXAMPLE}\n\nForm: {form}\nFill in this form in the same way. Answer with JSON only."


def skeleton(schema: Any) -> str:
    """Write the form with words in < > for what is to be filled in."""
    return _placeholder(schema, "text")


def _placeholder(schema: dict[str, Any], name: str) -> str:
    if "anyOf" in schema:
        return _placeholder(schema["anyOf"][0], name)
    if "enum" in schema:
        return _choice(schema["enum"], name)
    match schema["type"]:
        case "object":
            return _object(schema["properties"])
        case "array":
            items = schema.get("prefixItems") or [schema["items"], None]
            written = ["..." if item is None else _placeholder(item, name) for item in items]
            return f"[{', '.join(written)}]"
        case "string":
            return f'"<{_as_words(name)}>"'
        case kind:
            return _WORDS[kind]


def _object(properties: dict[str, Any]) -> str:
    parts = [f"{_json(name)}: {_placeholder(one, name)}" for name, one in properties.items()]
    return "{" + ", ".join(parts) + "}"


def _choice(values: list[Any], name: str) -> str:
    """Name the values where they are words, and few; of other ones the first."""
    if len(values) == 1 or not all(isinstance(value, str) for value in values):
        are_numbers = len(values) > 1 and all(map(_is_number, values))
        return _WORDS["number"] if are_numbers else _json(values[0])
    if len(values) > MAX_SHOWN_VALUES:
        return f'"<{_as_words(name)}>"'
    return _json(f"<{' or '.join(values)}>")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_words(name: str) -> str:
    return " ".join(name.replace("_", " ").replace('"', "").split())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
