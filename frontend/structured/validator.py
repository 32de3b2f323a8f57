"""Validating text against a JSON Schema, in the same way for every method."""

from itertools import islice
from typing import Any

import jsonschema_rs
from pydantic_core import from_json

import strict_json
from api.structured_response import ValidationIssue

MAX_ISSUES = 20
_FENCE = "```"  # the JSON grammar allows it, and the API removes it too


class SchemaValidator:
    """Validator for one schema. Remote references are not fetched."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Compile the schema.

        Raises:
            jsonschema_rs.ValidationError: Not a valid JSON Schema.
            ValueError: The schema is nested too deeply or not JSON.
        """
        self._validator = jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)

    def issues(self, text: str) -> list[ValidationIssue]:
        """Return the validation errors; a Markdown code fence around the JSON is ignored."""
        try:
            text = _strip_fence(text)
            value = strict_json.parse(text)
            from_json(text)  # the API's parser, which is limited to 200 levels
            errors = list(islice(self._validator.iter_errors(value), MAX_ISSUES))
        except ValueError as error:
            return [ValidationIssue(keyword="json", message=f"Invalid JSON: {error}")]
        return [
            ValidationIssue(
                pointer=json_pointer(error.instance_path),
                keyword=_keyword(error.schema_path),
                message=error.message,
            )
            for error in errors
        ]


def _strip_fence(text: str) -> str:
    text = text.strip()
    if text.startswith(_FENCE) and text.endswith(_FENCE):
        return text.removeprefix(_FENCE).removesuffix(_FENCE).removeprefix("json")
    return text


def _keyword(schema_path: list[str | int]) -> str:
    return str(schema_path[-1]) if schema_path else "schema"


def json_pointer(path: list[str | int]) -> str:
    """Format a path as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
