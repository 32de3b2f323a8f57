"""Parsing a JSON Schema as it is typed: a summary, or the problem and its location."""

from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

import jsonschema_rs

import strict_json
from components.schema_validator import SchemaValidator, json_pointer

MAX_BYTES = 1024 * 1024  # the API's limit
MAX_MESSAGE_CHARACTERS = 300
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
EXCERPT_RADIUS = 60  # characters of a long line shown on each side of the error


@dataclass(frozen=True)
class SchemaProblem:
    """A problem with a schema. The location is a line and column, or a JSON pointer."""

    message: str
    location: str = ""
    excerpt: str = ""


def parse_schema(text: str) -> dict[str, Any] | SchemaProblem:
    """Return the schema, or the first problem with it."""
    if not text.strip():
        return SchemaProblem("Enter a JSON Schema.")
    if len(text.encode()) > MAX_BYTES:
        return SchemaProblem(f"The schema is too large. The limit is {MAX_BYTES // 2**20} MiB.")
    try:
        schema = strict_json.parse(text)
    except JSONDecodeError as error:
        location = f"line {error.lineno}, column {error.colno}"
        return SchemaProblem(f"Invalid JSON: {error.msg}.", location, _excerpt(error))
    except ValueError as error:
        return SchemaProblem(f"Invalid JSON: {error}.")
    if not isinstance(schema, dict):
        return SchemaProblem('A schema must be a JSON object, such as {"type": "object"}.')
    return _schema_problem(schema) or schema


def summarize_schema(schema: dict[str, Any]) -> str:
    """Return the number of fields and required fields, or an empty string."""
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return ""
    required = schema.get("required")
    if not isinstance(required, list):
        required = []
    required_names = [name for name in properties if name in required]
    fields = "1 field" if len(properties) == 1 else f"{len(properties)} fields"
    count = "all" if len(required_names) == len(properties) else len(required_names)
    return f"{fields}, {count} required"


def _schema_problem(schema: dict[str, Any]) -> SchemaProblem | None:
    try:
        SchemaValidator(schema)
    except jsonschema_rs.ValidationError as error:
        location = json_pointer(error.instance_path)
        if location.endswith("/type"):
            message = f'"type" must be {", ".join(TYPES)}, or a list of these.'
            return SchemaProblem(message, location)
        return SchemaProblem(f"Invalid JSON Schema: {_truncate(error.message)}", location)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return SchemaProblem(f"Invalid JSON Schema: {_truncate(str(error))}")
    return None


def _truncate(message: str) -> str:
    if len(message) <= MAX_MESSAGE_CHARACTERS:
        return message
    return message[:MAX_MESSAGE_CHARACTERS] + "…"


def _excerpt(error: JSONDecodeError) -> str:
    """Return the line with the error and the one before, with a caret below the column."""
    lines, number, column = error.doc.split("\n"), error.lineno, error.colno - 1
    start = max(0, column - EXCERPT_RADIUS)
    excerpt = [
        f"{at:>5}  {lines[at - 1][start : start + 2 * EXCERPT_RADIUS]}".replace("\t", " ")
        for at in (number - 1, number)
        if at > 0
    ]
    return "\n".join([*excerpt, f"{' ' * (7 + column - start)}^"])
