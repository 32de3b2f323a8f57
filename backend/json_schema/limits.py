"""Check that an untrusted schema stays within the limits that make it safe to process.

A schema that passes has a bounded size, refers to nothing outside itself, and has no reference
cycle that applies to one and the same value, so following it always terminates.
"""

from math import inf
from typing import Any

import jsonschema_rs
from pydantic_core import PydanticSerializationError, to_json

from backend.json_schema.errors import (
    SchemaInvalidError,
    SchemaTooLargeError,
    SchemaUnsupportedError,
)
from backend.json_schema.expansion import MAX_EXPANDED, max_applied_subschemas
from backend.json_schema.references import (
    Path,
    References,
    encode_references,
    json_pointer,
    subschemas,
)
from backend.json_schema.regex_cost import matcher_cost, minimum_repetition

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_ORIGINAL_BYTES = 1024 * 1024
MAX_ORIGINAL_DEPTH = 100
MAX_PROPERTIES = 300  # of an object
MAX_TOTAL_PROPERTIES = 1000
MAX_ENUM = 1000
MAX_TOTAL_ENUM = 5000
MAX_ALTERNATIVES = 64
MAX_COUNT = 1998  # a grammar cannot count as far as 2,000
MAX_PATTERN_CHARACTERS = 1000
MAX_MATCHER_COST = 200_000  # of all patterns together, see matcher_cost
_MAX_ENTRIES = (
    ("enum", MAX_ENUM),
    ("type", 7),
    *((keyword, MAX_ALTERNATIVES) for keyword in ("allOf", "anyOf", "oneOf")),
)
_MINIMUM_COUNTS = ("minItems", "minContains", "minLength", "minProperties")
_DYNAMIC_REFERENCES = ("$dynamicRef", "$recursiveRef")
_NOT_A_SCHEMA = "A schema must be an object or a boolean."


def check_schema(schema: Any) -> None:
    """Check a JSON Schema of draft 4 to 2020-12.

    Raises:
        SchemaInvalidError: It is not a JSON Schema.
        SchemaUnsupportedError: It refers to another document, or to itself without end.
        SchemaTooLargeError: It exceeds a limit.
    """
    _check(schema, is_original=False)


def check_original(schema: Any) -> int:
    """Check a schema of which only a part will be processed: it may be large, and expand to more.

    Return its max_applied_subschemas, as answers are validated against all of it.

    Raises:
        SchemaInvalidError: It is not a JSON Schema.
        SchemaUnsupportedError: It refers to another document, or to itself without end.
        SchemaTooLargeError: It exceeds a limit.
    """
    return _check(schema, is_original=True)


def _check(schema: Any, *, is_original: bool) -> int:
    if isinstance(schema, bool):
        return 1
    if not isinstance(schema, dict):
        raise SchemaInvalidError(_NOT_A_SCHEMA)
    _check_size(schema, MAX_ORIGINAL_BYTES if is_original else MAX_BYTES)
    _SchemaWalker(schema, is_original=is_original).check_all()
    max_applied = max_applied_subschemas(schema, inf if is_original else MAX_EXPANDED)
    _check_metaschema(encode_references(schema))
    return max_applied


def _check_size(schema: dict[str, Any], limit: int) -> None:
    try:
        size = len(to_json(schema))
    except (PydanticSerializationError, ValueError):
        raise SchemaTooLargeError("The schema is nested too deeply or is not JSON.") from None
    if size > limit:
        raise SchemaTooLargeError(
            f"The schema has {size:,} bytes; the limit is {limit:,}. Make it smaller."
        )


class _SchemaWalker:
    """Visits every schema once, including those that only a reference reaches."""

    def __init__(self, root: dict[str, Any], *, is_original: bool) -> None:
        self._root = root
        self._is_original = is_original
        self._max_depth = MAX_ORIGINAL_DEPTH if is_original else MAX_DEPTH
        self._references = References(root)
        self._property_count = self._enum_count = self._matcher_cost = 0

    def check_all(self) -> None:
        visited = set[int]()
        pending: list[tuple[Path, Any, int]] = [((), self._root, 1)]
        targets = list[tuple[Path, Any]]()
        while pending or targets:
            path, schema, depth = pending.pop() if pending else (*targets.pop(), 1)
            if isinstance(schema, bool) or id(schema) in visited:
                continue
            if not isinstance(schema, dict):
                raise SchemaInvalidError(_NOT_A_SCHEMA, json_pointer(path))
            if depth > self._max_depth:
                raise SchemaTooLargeError(
                    f"The schema is nested more than {self._max_depth} levels deep. Use $ref "
                    "instead.",
                    json_pointer(path),
                )
            visited.add(id(schema))
            self._check(schema, json_pointer(path))
            if isinstance(schema.get("$ref"), str):
                targets.append(self._references.target(schema))
            pending.extend((path + step, child, depth + 1) for step, child in subschemas(schema))

    def _check(self, schema: dict[str, Any], pointer: str) -> None:
        for keyword in _DYNAMIC_REFERENCES:
            if keyword in schema:
                raise SchemaUnsupportedError(f"{keyword} is not supported. Use $ref.", pointer)
        self._check_patterns(schema, pointer)
        if self._is_original:
            return
        if schema is not self._root and _has_own_id(schema) and _has_reference(schema):
            raise SchemaUnsupportedError(
                "A $ref inside a subschema with its own $id is not supported. Remove the $id.",
                pointer,
            )
        for keyword, limit in _MAX_ENTRIES:
            if isinstance(value := schema.get(keyword), list) and len(value) > limit:
                raise SchemaTooLargeError(
                    f"{keyword} has {len(value):,} entries; the limit is {limit:,}.", pointer
                )
        self._check_totals(schema, pointer)

    def _check_totals(self, schema: dict[str, Any], pointer: str) -> None:
        properties, values = schema.get("properties"), schema.get("enum")
        count = len(properties) if isinstance(properties, dict) else 0
        self._property_count += count
        if count > MAX_PROPERTIES or self._property_count > MAX_TOTAL_PROPERTIES:
            raise SchemaTooLargeError(
                f"Too many properties: the limit is {MAX_PROPERTIES} per object and "
                f"{MAX_TOTAL_PROPERTIES:,} in total.",
                pointer,
            )
        self._enum_count += len(values) if isinstance(values, list) else 0
        if self._enum_count > MAX_TOTAL_ENUM:
            raise SchemaTooLargeError(
                f"Too many enum values: the limit is {MAX_TOTAL_ENUM:,} in total.", pointer
            )
        for keyword in _MINIMUM_COUNTS:
            _check_count(keyword, schema.get(keyword), pointer)
        _check_count("pattern", minimum_repetition(str(schema.get("pattern", ""))), pointer)

    def _check_patterns(self, schema: dict[str, Any], pointer: str) -> None:
        for pattern in _patterns(schema):
            if len(pattern) > MAX_PATTERN_CHARACTERS:
                raise SchemaTooLargeError(
                    f"A pattern may have at most {MAX_PATTERN_CHARACTERS:,} characters.", pointer
                )
            self._matcher_cost += matcher_cost(pattern)
        if self._matcher_cost > MAX_MATCHER_COST:
            raise SchemaTooLargeError(
                "The patterns are too expensive. Use smaller repetition counts and no lookaround.",
                pointer,
            )


def _check_count(keyword: str, count: Any, pointer: str) -> None:
    if isinstance(count, int | float) and count > MAX_COUNT:
        raise SchemaTooLargeError(
            f"{keyword} requires too many: a grammar can count only to {MAX_COUNT:,}. Lower it.",
            pointer,
        )


def _patterns(schema: dict[str, Any]) -> list[str]:
    by_pattern = schema.get("patternProperties")
    patterns = [schema.get("pattern"), *(by_pattern if isinstance(by_pattern, dict) else ())]
    return [pattern for pattern in patterns if isinstance(pattern, str)]


def _has_own_id(schema: dict[str, Any]) -> bool:
    uri = schema.get("$id")
    return isinstance(uri, str) and not uri.startswith("#")


def _has_reference(schema: dict[str, Any]) -> bool:
    pending: list[Any] = [schema]
    while pending:
        if isinstance(subschema := pending.pop(), dict):
            if "$ref" in subschema:
                return True
            pending.extend(child for _, child in subschemas(subschema))
    return False


def _check_metaschema(schema: dict[str, Any]) -> None:
    """Validate a schema against its draft's metaschema, without network or file access."""
    try:
        jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)
    except jsonschema_rs.ValidationError as error:
        pointer = json_pointer(error.instance_path)
        if error.message.startswith("Unknown meta-schema"):
            raise SchemaUnsupportedError(
                "$schema must be draft 4, 6, 7, 2019-09 or 2020-12, or be left out.", "/$schema"
            ) from None
        raise SchemaInvalidError(f"Not a JSON Schema: {error.message[:300]}.", pointer) from None
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaInvalidError(f"Not a JSON Schema: {str(error)[:300]}.") from None
