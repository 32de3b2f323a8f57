"""Validate an output against a schema, and parse the part of an unfinished output that is final."""

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import jiter
import jsonschema_rs

from backend.json_limits import has_huge_number
from backend.json_schema.expansion import max_applied_subschemas
from backend.json_schema.references import encode_references, json_pointer

MAX_ISSUES = 20
MAX_MESSAGE_CHARACTERS = 300
# The issue of a union includes those of its alternatives, and all are computed before the first is
# returned: 200 items against a union of 128 took 2 s. Above this product only the first issue is
# searched for.
MAX_ISSUE_SEARCH = 20_000  # characters of text x schemas that apply to one value
ABSENT: Any = object()  # null is a value

# llama.cpp's grammar for JSON allows a code fence around it.
_FENCE = "```"
_NUMBER_CHARACTERS = "0123456789+-.eE"


@dataclass(frozen=True)
class ValidationIssue:
    """One violation: a JSON pointer ("" for the root), the violated keyword, and a message."""

    pointer: str
    keyword: str
    message: str


@dataclass(frozen=True)
class ValidationResult:
    """`parsed` keeps the key order of the text, and is only set if there are no errors."""

    parsed: Any = None
    errors: list[ValidationIssue] = field(default_factory=list)
    is_json: bool = True


class SchemaValidator:
    """Validates texts against one schema, including its formats."""

    def __init__(self, schema: Any, max_applied: int | None = None) -> None:
        """Accept a checked schema, and its max_applied_subschemas if already computed."""
        self._validator = build_validator(schema)
        self._max_applied = max_applied_subschemas(schema) if max_applied is None else max_applied

    def validate(self, text: str) -> ValidationResult:
        """Parse a text strictly (no NaN, no duplicate keys) and validate it.

        A code fence around the whole text is removed.
        """
        try:
            parsed = _parse_strict(_strip_code_fence(text))
        except ValueError as error:
            issue = ValidationIssue("", "json", f"not JSON: {error}")
            return ValidationResult(errors=[issue], is_json=False)
        if self._validator.is_valid(parsed):
            return ValidationResult(parsed)
        return ValidationResult(errors=self._issues(parsed, len(text)))

    def _issues(self, parsed: Any, characters: int) -> list[ValidationIssue]:
        if characters * self._max_applied <= MAX_ISSUE_SEARCH:
            errors = self._validator.iter_errors(parsed)
            return [_issue(error) for error in islice(errors, MAX_ISSUES)]
        try:
            self._validator.validate(parsed)
        except jsonschema_rs.ValidationError as error:
            return [_issue(error)]
        return []


def build_validator(schema: Any) -> jsonschema_rs.Validator:
    """Return a validator of a checked schema, formats included."""
    return jsonschema_rs.validator_for(
        encode_references(schema) if isinstance(schema, dict) else schema,
        validate_formats=True,
        offline=True,
    )


def parse_partial(text: str) -> Any:
    """Return the part of an unfinished JSON text that no further text can change.

    Strings, numbers and literals count once they are closed. Return ABSENT if there is nothing yet,
    or no JSON.
    """
    text = text.lstrip()
    if text.startswith(_FENCE):
        text = text.removeprefix(_FENCE).removeprefix("json")
    # The end may be the start of the closing fence, or of a longer number.
    text = text.rstrip().rstrip("`").rstrip().rstrip(_NUMBER_CHARACTERS)
    try:
        raw = text.encode()
        if has_huge_number(raw):
            return ABSENT
        return jiter.from_json(
            raw, allow_inf_nan=False, catch_duplicate_keys=True, partial_mode=True
        )
    except ValueError:
        return ABSENT


def _strip_code_fence(text: str) -> str:
    text = text.strip()
    if text.startswith(_FENCE) and text.endswith(_FENCE):
        return text.removeprefix(_FENCE).removesuffix(_FENCE).removeprefix("json")
    return text


def _parse_strict(text: str) -> Any:
    raw = text.encode()
    if has_huge_number(raw):  # 1e999 is parsed as infinity, which is not JSON
        raise ValueError("a number is too large")
    return jiter.from_json(raw, allow_inf_nan=False, catch_duplicate_keys=True)


def _issue(error: jsonschema_rs.ValidationError) -> ValidationIssue:
    message = error.message
    if len(message) > MAX_MESSAGE_CHARACTERS:
        message = message[:MAX_MESSAGE_CHARACTERS] + " …"
    return ValidationIssue(json_pointer(error.instance_path), error.kind.name, message)
