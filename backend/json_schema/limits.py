"""Whether a schema that somebody else wrote may be worked with.

What gets past here is of a bounded size, refers to nothing outside itself, and does not go round in
circles, so that whoever follows it comes to an end.
"""

from typing import Any

import jsonschema_rs
from pydantic_core import PydanticSerializationError, to_json

from backend.json_schema.errors import (
    SchemaInvalidError,
    SchemaTooLargeError,
    SchemaUnsupportedError,
)
from backend.json_schema.expansion import max_applied_subschemas
from backend.json_schema.grammar_cost import check_grammar_cost
from backend.json_schema.references import Path, References, json_pointer, subschemas
from backend.json_schema.regex_cost import matcher_cost

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_PROPERTIES = 300  # of an object
MAX_ALL_PROPERTIES = 1000
MAX_ENUM = 1000
MAX_ALL_ENUM = 5000
MAX_ALTERNATIVES = 64
MAX_PATTERN = 1000  # characters
MAX_MATCHING = 200_000  # of all patterns, see matching_cost
_LISTS = (
    ("enum", MAX_ENUM),
    ("type", 7),
    *((keyword, MAX_ALTERNATIVES) for keyword in ("allOf", "anyOf", "oneOf")),
)
_FOREIGN_REFERENCES = ("$dynamicRef", "$recursiveRef")


def check_schema(schema: Any) -> None:
    """Look through a JSON Schema of draft 4 to 2020-12.

    Raises:
        SchemaInvalidError: it is none.
        SchemaUnsupportedError: it refers to another document, or in a circle.
        SchemaTooLargeError: it is beyond one of the limits here.
    """
    _check_limits(schema)
    if isinstance(schema, dict):
        _check_metaschema(schema)


def check_passthrough_schema(schema: Any) -> None:
    """Look through a schema that the model server gets as it is.

    Whether all of it means something is left to the model server; what would end it, or hold it up
    for everybody, is not.

    Raises:
        SchemaError: as `vet`, and SchemaTooLargeError where the model server would not cope.
    """
    _check_limits(schema)
    if isinstance(schema, dict):
        check_grammar_cost(schema)


def _check_limits(schema: Any) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise SchemaInvalidError("A schema is an object, or true or false.")
    _check_size(schema)
    _SchemaWalker(schema).all()
    max_applied_subschemas(schema)


def _check_size(schema: dict[str, Any]) -> None:
    try:
        size = len(to_json(schema))
    except (PydanticSerializationError, ValueError):
        raise SchemaTooLargeError("It is nested too deep, or no JSON.") from None
    if size > MAX_BYTES:
        raise SchemaTooLargeError(f"It has {size:,} bytes, and {MAX_BYTES:,} are the most.")


class _SchemaWalker:
    """Goes to every schema once, also to what only a reference makes one."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._references = References(root)
        self._properties = self._enum = self._matching = 0

    def all(self) -> None:
        visited = set[int]()
        todo: list[tuple[Path, Any, int]] = [((), self._root, 1)]
        referred = list[tuple[Path, Any]]()
        while todo or referred:
            path, schema, depth = todo.pop() if todo else (*referred.pop(), 1)
            if isinstance(schema, bool) or id(schema) in visited:
                continue
            if not isinstance(schema, dict):
                raise SchemaInvalidError(
                    "A schema is an object, or true or false.", json_pointer(path)
                )
            if depth > MAX_DEPTH:
                raise SchemaTooLargeError(
                    f"It is nested more than {MAX_DEPTH} deep: use $ref.", json_pointer(path)
                )
            visited.add(id(schema))
            self._check(schema, json_pointer(path))
            if isinstance(reference := schema.get("$ref"), str):
                referred.append(self._references.resolve(reference))
            todo.extend((path + place, child, depth + 1) for place, child in subschemas(schema))

    def _check(self, schema: dict[str, Any], place: str) -> None:
        for keyword in _FOREIGN_REFERENCES:
            if keyword in schema:
                raise SchemaUnsupportedError(f"{keyword} is not followed: use $ref.", place)
        if schema is not self._root and _has_own_id(schema) and _has_reference(schema):
            raise SchemaUnsupportedError(
                "A $ref inside a schema with an $id of its own is not followed: leave the $id out.",
                place,
            )
        for keyword, most in _LISTS:
            if isinstance(value := schema.get(keyword), list) and len(value) > most:
                raise SchemaTooLargeError(f"{keyword} may have {most:,} entries.", place)
        self._check_totals(schema, place)

    def _check_totals(self, schema: dict[str, Any], place: str) -> None:
        properties, values = schema.get("properties"), schema.get("enum")
        count = len(properties) if isinstance(properties, dict) else 0
        self._properties += count
        if count > MAX_PROPERTIES or self._properties > MAX_ALL_PROPERTIES:
            raise SchemaTooLargeError(
                f"An object may have {MAX_PROPERTIES} properties, and a schema "
                f"{MAX_ALL_PROPERTIES:,} in all.",
                place,
            )
        self._enum += len(values) if isinstance(values, list) else 0
        if self._enum > MAX_ALL_ENUM:
            raise SchemaTooLargeError(f"All enums may have {MAX_ALL_ENUM:,} entries.", place)
        for pattern in _patterns(schema):
            if len(pattern) > MAX_PATTERN:
                raise SchemaTooLargeError(f"A pattern may have {MAX_PATTERN:,} characters.", place)
            self._matching += matcher_cost(pattern)
        if self._matching > MAX_MATCHING:
            raise SchemaTooLargeError(
                "Its patterns are too costly: repeat less, and leave lookaround out.", place
            )


def _patterns(schema: dict[str, Any]) -> list[str]:
    named = schema.get("patternProperties")
    found = [schema.get("pattern"), *(named if isinstance(named, dict) else ())]
    return [pattern for pattern in found if isinstance(pattern, str)]


def _has_own_id(schema: dict[str, Any]) -> bool:
    address = schema.get("$id")
    return isinstance(address, str) and not address.startswith("#")


def _has_reference(schema: dict[str, Any]) -> bool:
    todo: list[Any] = [schema]
    while todo:
        if isinstance(inner := todo.pop(), dict):
            if "$ref" in inner:
                return True
            todo.extend(child for _, child in subschemas(inner))
    return False


def _check_metaschema(schema: dict[str, Any]) -> None:
    """Hold it against its draft's own schema. Nothing is fetched, and no file is read."""
    try:
        jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)
    except jsonschema_rs.ValidationError as error:
        place = json_pointer(error.instance_path)
        if error.message.startswith("Unknown meta-schema"):
            raise SchemaUnsupportedError(
                "Its $schema is none of draft 4, 6, 7, 2019-09 and 2020-12: name one, or none.",
                "/$schema",
            ) from None
        raise SchemaInvalidError(f"It is no JSON Schema: {error.message[:300]}.", place) from None
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaInvalidError(f"It is no JSON Schema: {str(error)[:300]}.") from None
