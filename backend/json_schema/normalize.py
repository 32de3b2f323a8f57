"""A schema in one plain form, of whatever draft it is: merged, in order, and without references.

Only references that go in circles stay. What `allOf`, `oneOf`, `not`, `if` and their like say of a
value is said by plain alternatives, as far as jsonschema-rs can: it knows what each draft means.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

import jsonschema_rs
from jsonschema_rs.canonical import CanonicalizationError, Containment

from backend.json_schema.errors import SchemaTooLargeError
from backend.json_schema.references import (
    SCHEMA_KEYWORDS,
    SCHEMA_LIST_KEYWORDS,
    SCHEMA_MAP_KEYWORDS,
    Path,
    References,
    json_pointer,
    subschemas,
)

PropertyPath = tuple[str, ...]  # the names of the properties that lead there

MAX_NODES = 20_000
_CIRCLES = "#/$defs/"
_OLD = ("draft-04", "draft-06", "draft-07")  # in these nothing counts beside a reference
_ANNOTATIONS = frozenset(
    [
        "$anchor",
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "$vocabulary",
        "contentSchema",
        "default",
        "definitions",
        "deprecated",
        "description",
        "examples",
        "id",
        "readOnly",
        "title",
        "writeOnly",
    ]
)


class NormalizedSchema:
    """A vetted schema, and what belongs to it."""

    def __init__(self, original: Any) -> None:
        self._original = original
        self._references = References(original)
        dialect = original.get("$schema") if isinstance(original, dict) else None
        self._dialect = {"$schema": dialect} if isinstance(dialect, str) else {}
        self._is_old = any(draft in str(dialect) for draft in _OLD)
        self._nodes = 0
        self._names: dict[Path, str] = {}
        self._recursive_defs: dict[str, Any] = {}
        self._simple: dict[str, Any] = {}
        self._order: dict[PropertyPath, dict[str, int]] = {}  # of the properties at a place
        self._unconstrained: dict[PropertyPath, dict[str, None]] = {}
        unfolded = self._inline_references(original, (), ())
        self._define()
        self.root = self.canonicalize(unfolded)

    def canonicalize(self, schema: Any) -> Any:
        """Give the same schema in alternatives that are as plain as can be."""
        canonical = self._canonical(schema)
        if canonical is None:
            return schema
        simple = canonical.to_json_schema()
        if not isinstance(simple, dict):
            return simple
        return {word: value for word, value in simple.items() if word not in ("$schema", "$defs")}

    def resolve_recursive(self, reference: str) -> Any:
        """Give what one of the references that are left refers to."""
        name = reference.removeprefix(_CIRCLES)
        if name not in self._simple:
            self._simple[name] = self.canonicalize(self._recursive_defs[name])
        return self._simple[name]

    def accepts(self, schema: dict[str, Any], value: Any) -> bool:
        try:
            return bool(jsonschema_rs.is_valid(self._whole(schema), value, validate_formats=True))
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            return False

    def is_superset_of(self, schema: Any, narrower: Any) -> bool:
        """Tell whether it is certain that what fits the narrower one fits the schema."""
        wide = self._canonical(schema)
        try:
            narrow = jsonschema_rs.canonicalize(narrower, validate_formats=True)
            return wide is not None and wide.covers(narrow) == Containment.YES
        except (CanonicalizationError, ValueError):
            return False

    def order_properties(self, place: PropertyPath, given: Iterable[str]) -> list[str]:
        """Put names of properties in the original's order, with those that may be anything there.

        Of these nothing is left in a plain schema.
        """
        known = self._order.get(place, {})
        wanted = dict.fromkeys([*given, *self._unconstrained.get(place, ())])
        last = len(known)
        return sorted(wanted, key=lambda name: known.get(name, last))

    def order_values(self, values: list[Any]) -> list[Any]:
        last = len(self._value_ranks)
        return sorted(values, key=lambda value: self._value_ranks.get(json.dumps(value), last))

    def keyword_pointers(self, keyword: str, names: PropertyPath) -> list[str]:
        """Find a keyword in the original, as JSON pointers; in properties so called, or all."""
        found = [(path, _names(path)) for path, one in _schemas(self._original) if keyword in one]
        alike = [path for path, led in found if led[-1:] == names[-1:]]
        return [json_pointer(path) for path in alike or [path for path, _ in found]] or [""]

    @cached_property
    def _value_ranks(self) -> dict[str, int]:
        ranks: dict[str, int] = {}
        for _, schema in _schemas(self._original):
            for value in schema.get("enum") or ():
                ranks.setdefault(json.dumps(value), len(ranks))
        return ranks

    def _canonical(self, schema: Any) -> jsonschema_rs.CanonicalSchema | None:
        try:
            return jsonschema_rs.canonicalize(self._whole(schema), validate_formats=True)
        except (CanonicalizationError, jsonschema_rs.ReferencingError, ValueError):
            return None

    def _whole(self, schema: Any) -> Any:
        """Add what a part of the schema needs to stand for itself."""
        if not isinstance(schema, dict):
            return schema
        return (
            self._dialect
            | schema
            | ({"$defs": self._recursive_defs} if self._recursive_defs else {})
        )

    def _define(self) -> None:
        """Unfold what is referred to in circles; that may find more of it."""
        while missing := [
            path for path, name in self._names.items() if name not in self._recursive_defs
        ]:
            for path in missing:
                _, found = self._references.resolve("#" + json_pointer(path))
                name = self._names[path]
                self._recursive_defs[name] = {}  # so that it is not begun twice
                self._recursive_defs[name] = self._inline_references(
                    found, (path,), (_CIRCLES + name,)
                )

    def _inline_references(
        self, schema: Any, entered: tuple[Path, ...], place: PropertyPath
    ) -> Any:
        """Put what references refer to in their places, but for those that go in circles."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise SchemaTooLargeError("With its references followed it is too large.")
        if not isinstance(schema, dict):
            return schema
        if not isinstance(reference := schema.get("$ref"), str):
            return self._inline_children(schema, entered, place)
        path, found = self._references.resolve(reference)
        if path in entered:
            name = self._names.setdefault(path, f"circle{len(self._names)}")
            referred: Any = {"$ref": _CIRCLES + name}
        else:
            referred = self._inline_references(found, (*entered, path), place)
        beside = {word: value for word, value in schema.items() if word != "$ref"}
        if self._is_old or not beside.keys() - _ANNOTATIONS:
            return referred
        return {"allOf": [referred, self._inline_children(beside, entered, place)]}

    def _inline_children(self, schema: Any, entered: tuple[Path, ...], place: PropertyPath) -> Any:
        inside: dict[str, Any] = {}
        for word, value in schema.items():
            if word in _ANNOTATIONS:
                continue
            if word == "properties" and isinstance(value, dict):
                inside[word] = self._properties(value, entered, place)
            elif word in SCHEMA_MAP_KEYWORDS and isinstance(value, dict):
                inside[word] = {
                    name: self._inline_references(one, entered, place)
                    for name, one in value.items()
                }
            elif word in SCHEMA_LIST_KEYWORDS and isinstance(value, list):
                inside[word] = [self._inline_references(one, entered, place) for one in value]
            elif word in SCHEMA_KEYWORDS:
                inside[word] = self._inline_references(value, entered, place)
            else:
                inside[word] = value
        return inside

    def _properties(
        self, schemas: dict[str, Any], entered: tuple[Path, ...], place: PropertyPath
    ) -> dict[str, Any]:
        order = self._order.setdefault(place, {})
        inside: dict[str, Any] = {}
        for name, schema in schemas.items():
            order.setdefault(name, len(order))
            inside[name] = self._inline_references(schema, entered, (*place, name))
            if inside[name] in ({}, True):
                self._unconstrained.setdefault(place, {})[name] = None
        return inside


def _names(path: Path) -> PropertyPath:
    """Give the names of the properties on the way to a schema."""
    return tuple(name for word, name in pairwise(path) if word == "properties")


def _schemas(root: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give every schema in one, in the order in which they are written, with its place."""
    todo: list[tuple[Path, Any]] = [((), root)]
    while todo:
        path, schema = todo.pop()
        if isinstance(schema, dict):
            yield path, schema
            below = [(path + place, child) for place, child in subschemas(schema)]
            todo.extend(reversed(below))
