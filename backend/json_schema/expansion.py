"""Measure how large a schema becomes once every reference is followed."""

from collections.abc import Iterator
from math import inf
from typing import Any

from backend.json_schema.errors import SchemaTooLargeError, SchemaUnsupportedError
from backend.json_schema.references import (
    DEFINITION_KEYWORDS,
    IN_PLACE_APPLICATORS,
    Path,
    References,
    json_pointer,
    subschemas,
)

MAX_EXPANDED = 20_000  # schemas
MAX_APPLIED = 2000  # schemas applied to one and the same value
MAX_DEPTH = 200


def max_applied_subschemas(root: Any, max_expanded: float = MAX_EXPANDED) -> int:
    """Return the largest number of schemas that apply to one and the same value.

    `max_expanded` limits all schemas together, and their depth.

    Raises:
        SchemaTooLargeError: The expanded schema exceeds a limit.
        SchemaUnsupportedError: A schema applies itself to the same value.
    """
    if isinstance(root, bool):
        return 1
    references = References(root)
    full = _Expansion(references, max_expanded, is_in_place=False)
    full.visit((), root)
    in_place = _Expansion(references, MAX_APPLIED, is_in_place=True)
    for path, schema in full.schemas:
        in_place.visit(path, schema)
    return max(count for count, _ in in_place.sizes.values())


class _Expansion:
    """Visits schemas and their reference targets, innermost first; a cycle counts once."""

    def __init__(self, references: References, limit: float, *, is_in_place: bool) -> None:
        self._references = references
        self._limit = limit
        self._is_in_place = is_in_place
        self.schemas: list[tuple[Path, dict[str, Any]]] = []
        self.sizes: dict[int, tuple[int, int]] = {}  # count and depth, by the schema's id

    def visit(self, path: Path, schema: dict[str, Any]) -> None:
        ancestors = set[int]()
        pending: list[tuple[Path, dict[str, Any], bool]] = [(path, schema, False)]
        while pending:
            path, schema, is_expanded = pending.pop()
            if is_expanded:
                ancestors.discard(id(schema))
                self.sizes[id(schema)] = self._size(path, schema)
                self.schemas.append((path, schema))
            elif id(schema) in ancestors and self._is_in_place:
                raise SchemaUnsupportedError(
                    "A $ref leads back to itself with no property or item in between, so no value "
                    "can be validated. Break the cycle.",
                    json_pointer(path),
                )
            elif id(schema) not in self.sizes and id(schema) not in ancestors:
                ancestors.add(id(schema))
                pending.append((path, schema, True))
                pending.extend((*child, False) for child in self._subschemas(path, schema))

    def _size(self, path: Path, schema: dict[str, Any]) -> tuple[int, int]:
        sizes = [self.sizes.get(id(child), (1, 1)) for _, child in self._subschemas(path, schema)]
        count = 1 + sum(count for count, _ in sizes)
        depth = 1 + max((depth for _, depth in sizes), default=0)
        if self._limit < inf and (count > self._limit or depth > MAX_DEPTH):
            raise SchemaTooLargeError(
                f"With its references followed the schema has more than {self._limit:,} "
                f"subschemas or {MAX_DEPTH} levels. Use fewer alternatives and references.",
                json_pointer(path),
            )
        return count, depth

    def _subschemas(
        self, path: Path, schema: dict[str, Any]
    ) -> Iterator[tuple[Path, dict[str, Any]]]:
        if isinstance(schema.get("$ref"), str):
            target_path, target = self._references.target(schema)
            if isinstance(target, dict):
                yield target_path, target
        for step, child in subschemas(schema):
            is_included = (
                step[0] in IN_PLACE_APPLICATORS
                if self._is_in_place
                else step[0] not in DEFINITION_KEYWORDS
            )
            if is_included and isinstance(child, dict):
                yield path + step, child
