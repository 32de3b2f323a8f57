"""A JSON Schema as a person types it: what it says, or where it goes wrong."""

from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

import jsonschema_rs

import strict_json
from structured.validator import SchemaValidator, json_pointer

MAX_BYTES = 256 * 1024  # the API takes no larger one
MAX_MESSAGE = 300
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
EXCERPT_RADIUS = 60  # characters of a long line that are shown on each side of the place


@dataclass(frozen=True)
class SchemaProblem:
    """What is wrong with a text, and where: a line of it, or a pointer into its JSON."""

    message: str
    place: str = ""
    excerpt: str = ""


def parse_schema(text: str) -> dict[str, Any] | SchemaProblem:
    """Give the schema that was typed, or say what is wrong with it."""
    if not text.strip():
        return SchemaProblem("Write a JSON Schema here.")
    if len(text.encode()) > MAX_BYTES:
        return SchemaProblem(f"It is too large: at most {MAX_BYTES // 1024} KB can be asked for.")
    try:
        schema = strict_json.parse(text)
    except JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return SchemaProblem(f"Not JSON yet: {error.msg}.", place, _excerpt(error))
    except ValueError as error:
        return SchemaProblem(f"Not JSON yet: {error}.")
    if not isinstance(schema, dict):
        return SchemaProblem('A schema is an object, such as {"type": "object"}.')
    return _fault(schema) or schema


def summarize_schema(schema: dict[str, Any]) -> str:
    """Say in a few words what a schema asks for."""
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return ""
    required = schema.get("required")
    needed = [name for name in properties if isinstance(required, list) and name in required]
    fields = "1 field" if len(properties) == 1 else f"{len(properties)} fields"
    return f"{fields}, {'all' if len(needed) == len(properties) else len(needed)} required"


def _fault(schema: dict[str, Any]) -> SchemaProblem | None:
    try:
        SchemaValidator(schema)
    except jsonschema_rs.ValidationError as error:
        place = json_pointer(error.instance_path)
        if place.endswith("/type"):
            return SchemaProblem(f"A type is {', '.join(TYPES)}, or a list of them.", place)
        return SchemaProblem(f"Not a JSON Schema: {_short(error.message)}", place)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return SchemaProblem(f"Not a JSON Schema: {_short(str(error))}")
    return None


def _short(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + " …"


def _excerpt(error: JSONDecodeError) -> str:
    """Show the line and the one before it, with a mark under the place."""
    lines, number, column = error.doc.split("\n"), error.lineno, error.colno - 1
    start = max(0, column - EXCERPT_RADIUS)
    shown = [
        f"{at:>5}  {lines[at - 1][start : start + 2 * EXCERPT_RADIUS]}".replace("\t", " ")
        for at in (number - 1, number)
        if at > 0
    ]
    return "\n".join([*shown, f"{' ' * (7 + column - start)}^"])
