"""Whether a text is JSON that fits a schema, and what of a growing text is certain."""

import json
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import jiter
import jsonschema_rs

from backend.json_schema.expansion import max_applied_subschemas
from backend.json_schema.references import json_pointer

MAX_ISSUES = 20
MAX_MESSAGE_CHARACTERS = 300
# Each fault of a union comes with those of its alternatives, all found before the first is given:
# 200 items against a union of 128 took 2 s. Beyond this product only the first fault is looked for.
MAX_ISSUE_SEARCH = 20_000  # characters of text x schemas that one value is held to
ABSENT: Any = object()  # null is a value

# llama.cpp's grammar for JSON allows it to stand in one.
_FENCE = "```"
_OF_NUMBERS = "0123456789+-.eE"
_MAY_OVERFLOW = re.compile(r"[eE]\+?\d{3}|\d{300}")


@dataclass(frozen=True)
class ValidationIssue:
    """What is wrong: where (a JSON pointer, "" for the root), by which keyword, in words."""

    pointer: str
    keyword: str
    message: str


@dataclass(frozen=True)
class ValidationResult:
    """`parsed` has the text's order of keys, and is there only where there are no errors."""

    parsed: Any = None
    errors: list[ValidationIssue] = field(default_factory=list)


class SchemaValidator:
    """Holds texts against one schema, its formats included."""

    def __init__(self, schema: Any, in_place: int | None = None) -> None:
        """Take a vetted schema, and the count of `most_in_place`, if it is known already."""
        self._validator = jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)
        self._in_place = max_applied_subschemas(schema) if in_place is None else in_place

    def validate(self, text: str) -> ValidationResult:
        """Read a text strictly: no NaN, no key twice; a whole code fence is taken off."""
        try:
            parsed = _parse_strict(_strip_code_fence(text))
        except ValueError as error:
            return ValidationResult(errors=[ValidationIssue("", "json", f"not JSON: {error}")])
        if self._validator.is_valid(parsed):
            return ValidationResult(parsed)
        return ValidationResult(errors=self._faults(parsed, len(text)))

    def _faults(self, parsed: Any, characters: int) -> list[ValidationIssue]:
        if characters * self._in_place <= MAX_ISSUE_SEARCH:
            found = self._validator.iter_errors(parsed)
            return [_fault(error) for error in islice(found, MAX_ISSUES)]
        try:
            self._validator.validate(parsed)
        except jsonschema_rs.ValidationError as error:
            return [_fault(error)]
        return []


def parse_partial(text: str) -> Any:
    """Give what is certain of a growing JSON text: of it nothing will be taken back.

    Strings, numbers and words count once they are closed; a closed array or object is final.
    `ABSENT` where there is nothing yet, or no JSON.
    """
    text = text.lstrip()
    if text.startswith(_FENCE):
        text = text.removeprefix(_FENCE).removeprefix("json")
    # What may be the beginning of the closing fence, or of a longer number, waits.
    text = text.rstrip().rstrip("`").rstrip().rstrip(_OF_NUMBERS)
    try:
        return jiter.from_json(
            text.encode(), allow_inf_nan=False, catch_duplicate_keys=True, partial_mode=True
        )
    except ValueError:
        return ABSENT


def _strip_code_fence(text: str) -> str:
    text = text.strip()
    if text.startswith(_FENCE) and text.endswith(_FENCE):
        return text.removeprefix(_FENCE).removesuffix(_FENCE).removeprefix("json")
    return text


def _parse_strict(text: str) -> Any:
    parsed = jiter.from_json(text.encode(), allow_inf_nan=False, catch_duplicate_keys=True)
    if _MAY_OVERFLOW.search(text):
        json.dumps(parsed, allow_nan=False)  # 1e999 is infinite, and what holds it is no JSON
    return parsed


def _fault(error: jsonschema_rs.ValidationError) -> ValidationIssue:
    message = error.message
    if len(message) > MAX_MESSAGE_CHARACTERS:
        message = message[:MAX_MESSAGE_CHARACTERS] + " …"
    return ValidationIssue(json_pointer(error.instance_path), error.kind.name, message)
