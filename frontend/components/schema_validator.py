"""Validating text against a JSON Schema, in the same way for every method."""

import re
from itertools import islice
from typing import Any
from urllib.parse import quote

import jsonschema_rs
from pydantic_core import from_json

import strict_json
from api.structured_response import ValidationIssue

MAX_ISSUES = 20
# Besides letters, digits and "_.-~" (RFC 3986).
_URI_CHARACTERS = "#%/?:@!$&'()*+,;="
_DATA_KEYWORDS = frozenset(["const", "default", "enum", "examples"])
_FENCE = "```"  # the JSON grammar allows it, and the API removes it too


class SchemaValidator:
    """Validator for one schema. Remote references are not fetched."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Compile the schema.

        Raises:
            jsonschema_rs.ValidationError: Not a valid JSON Schema.
            ValueError: The schema is nested too deeply or not JSON.
        """
        self._validator = jsonschema_rs.validator_for(
            _with_encoded_references(schema), validate_formats=True, offline=True
        )

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


def _with_encoded_references(value: Any) -> Any:
    """Return a schema with every `$ref` as a URI: many generators write `#/$defs/Größe`."""
    try:
        return _encode(value)
    except RecursionError:
        return value  # the validator says that it is nested too deeply


def _encode(value: Any, keyword: str = "") -> Any:
    if keyword in _DATA_KEYWORDS:
        return value
    if isinstance(value, dict):
        return {name: _encode(child, name) for name, child in value.items()}
    if isinstance(value, list):
        return [_encode(child) for child in value]
    if keyword == "$ref" and isinstance(value, str):
        encoded = re.sub("%(?![0-9A-Fa-f]{2})", "%25", value)
        return quote(encoded, safe=_URI_CHARACTERS)
    return value


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
