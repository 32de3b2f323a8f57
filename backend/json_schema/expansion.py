"""How much schema there is once every reference is followed."""

from collections.abc import Iterator
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
MAX_APPLIED = 2000  # schemas that one and the same value is held to
MAX_DEPTH = 200


def max_applied_subschemas(root: Any) -> int:
    """Count the schemas that the same value is held to, where there are most.

    Raises:
        SchemaTooLargeError: it is more than anybody should follow.
        SchemaUnsupportedError: that a value fits depends on whether it fits.
    """
    if isinstance(root, bool):
        return 1
    references = References(root)
    everything = _Expansion(references, is_in_place=False)
    everything.visit((), root)
    in_place = _Expansion(references, is_in_place=True)
    for path, schema in everything.schemas:
        in_place.visit(path, schema)
    return max(count for count, _ in in_place.sizes.values())


class _Expansion:
    """Goes through schemas and what they refer to, inner ones first; a circle counts once."""

    def __init__(self, references: References, *, is_in_place: bool) -> None:
        self._references = references
        self._is_in_place = is_in_place
        self.schemas: list[tuple[Path, dict[str, Any]]] = []
        self.sizes: dict[int, tuple[int, int]] = {}  # how many and how deep, by the schema's id

    def visit(self, place: Path, start: dict[str, Any]) -> None:
        on_the_way = set[int]()
        todo: list[tuple[Path, dict[str, Any], bool]] = [(place, start, False)]
        while todo:
            path, schema, is_seen = todo.pop()
            if is_seen:
                on_the_way.discard(id(schema))
                self.sizes[id(schema)] = self._size(path, schema)
                self.schemas.append((path, schema))
            elif id(schema) in on_the_way and self._is_in_place:
                raise SchemaUnsupportedError(
                    "A reference leads back to itself with no property or item between, so that "
                    "nothing can be held to it: break the circle.",
                    json_pointer(path),
                )
            elif id(schema) not in self.sizes and id(schema) not in on_the_way:
                on_the_way.add(id(schema))
                todo.append((path, schema, True))
                todo.extend((*below, False) for below in self._subschemas(path, schema))

    def _size(self, path: Path, schema: dict[str, Any]) -> tuple[int, int]:
        below = [self.sizes.get(id(inner), (1, 1)) for _, inner in self._subschemas(path, schema)]
        count = 1 + sum(count for count, _ in below)
        depth = 1 + max((depth for _, depth in below), default=0)
        most = MAX_APPLIED if self._is_in_place else MAX_EXPANDED
        if count > most or depth > MAX_DEPTH:
            raise SchemaTooLargeError(
                f"With its references followed it is more than {most:,} schemas, or {MAX_DEPTH} in "
                "one another: use fewer alternatives and references.",
                json_pointer(path),
            )
        return count, depth

    def _subschemas(
        self, path: Path, schema: dict[str, Any]
    ) -> Iterator[tuple[Path, dict[str, Any]]]:
        if isinstance(reference := schema.get("$ref"), str):
            where, found = self._references.resolve(reference)
            if isinstance(found, dict):
                yield where, found
        for place, child in subschemas(schema):
            is_below = (
                place[0] in IN_PLACE_APPLICATORS
                if self._is_in_place
                else place[0] not in DEFINITION_KEYWORDS
            )
            if is_below and isinstance(child, dict):
                yield path + place, child
