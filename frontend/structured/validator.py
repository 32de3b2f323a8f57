"""Whether a text is JSON that fits a schema, judged in the same way whoever wrote it."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs
from pydantic_core import from_json

import strict_json

MOST_FAULTS = 20
_FENCE = "```"  # a grammar for JSON allows it, and the API takes it off in the same way


@dataclass(frozen=True)
class ValidationIssue:
    """One thing that is wrong, and where."""

    pointer: str
    keyword: str
    message: str


class SchemaValidator:
    """Judges texts by one schema. Nothing is fetched, whatever the schema refers to."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Read the schema.

        Raises:
            jsonschema_rs.ValidationError: it is not a JSON Schema.
            ValueError: it is too deep, or no JSON.
        """
        self._validator = jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)

    def issues(self, text: str) -> list[ValidationIssue]:
        """Tell what is wrong with a text; a fence around it is forgiven."""
        try:
            text = _unfenced(text)
            value = strict_json.parse(text)
            from_json(text)  # the API's own parser, which goes 200 levels deep
            errors = list(islice(self._validator.iter_errors(value), MOST_FAULTS))
        except ValueError as error:
            return [ValidationIssue("", "json", f"This is not JSON: {error}")]
        return [
            ValidationIssue(
                json_pointer(error.instance_path), _keyword(error.schema_path), error.message
            )
            for error in errors
        ]


def _unfenced(text: str) -> str:
    text = text.strip()
    if text.startswith(_FENCE) and text.endswith(_FENCE):
        return text.removeprefix(_FENCE).removesuffix(_FENCE).removeprefix("json")
    return text


def _keyword(schema_path: list[str | int]) -> str:
    return str(schema_path[-1]) if schema_path else "schema"


def json_pointer(path: list[str | int]) -> str:
    """Write a path as a JSON pointer, as RFC 6901 has it."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
