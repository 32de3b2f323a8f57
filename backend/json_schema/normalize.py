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
from backend.json_schema.references import MANY, NAMED, ONE, Path, References, children, pointer

Place = tuple[str, ...]  # the names of the properties that lead there

MAX_NODES = 20_000
_CIRCLES = "#/$defs/"
_OLD = ("draft-04", "draft-06", "draft-07")  # in these nothing counts beside a reference
_SILENT = frozenset(
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


class Plain:
    """A vetted schema, and what belongs to it."""

    def __init__(self, original: Any) -> None:
        self._original = original
        self._references = References(original)
        dialect = original.get("$schema") if isinstance(original, dict) else None
        self._dialect = {"$schema": dialect} if isinstance(dialect, str) else {}
        self._is_old = any(draft in str(dialect) for draft in _OLD)
        self._nodes = 0
        self._names: dict[Path, str] = {}
        self._circles: dict[str, Any] = {}
        self._simple: dict[str, Any] = {}
        self._order: dict[Place, dict[str, int]] = {}  # of the properties at a place
        self._free: dict[Place, dict[str, None]] = {}
        unfolded = self._unfolded(original, (), ())
        self._define()
        self.root = self.simplified(unfolded)

    def simplified(self, schema: Any) -> Any:
        """Give the same schema in alternatives that are as plain as can be."""
        canonical = self._canonical(schema)
        if canonical is None:
            return schema
        simple = canonical.to_json_schema()
        if not isinstance(simple, dict):
            return simple
        return {word: value for word, value in simple.items() if word not in ("$schema", "$defs")}

    def referred(self, reference: str) -> Any:
        """Give what one of the references that are left refers to."""
        name = reference.removeprefix(_CIRCLES)
        if name not in self._simple:
            self._simple[name] = self.simplified(self._circles[name])
        return self._simple[name]

    def fits(self, schema: dict[str, Any], value: Any) -> bool:
        try:
            return bool(jsonschema_rs.is_valid(self._whole(schema), value, validate_formats=True))
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            return False

    def covers(self, schema: Any, narrower: Any) -> bool:
        """Tell whether it is certain that what fits the narrower one fits the schema."""
        wide = self._canonical(schema)
        try:
            narrow = jsonschema_rs.canonicalize(narrower, validate_formats=True)
            return wide is not None and wide.covers(narrow) == Containment.YES
        except (CanonicalizationError, ValueError):
            return False

    def names(self, place: Place, given: Iterable[str]) -> list[str]:
        """Put names of properties in the original's order, with those that may be anything there.

        Of these nothing is left in a plain schema.
        """
        known = self._order.get(place, {})
        wanted = dict.fromkeys([*given, *self._free.get(place, ())])
        last = len(known)
        return sorted(wanted, key=lambda name: known.get(name, last))

    def values_in_order(self, values: list[Any]) -> list[Any]:
        last = len(self._value_ranks)
        return sorted(values, key=lambda value: self._value_ranks.get(json.dumps(value), last))

    def places(self, keyword: str, names: Place) -> list[str]:
        """Find a keyword in the original, as JSON pointers; in properties so called, or all."""
        found = [(path, _names(path)) for path, one in _schemas(self._original) if keyword in one]
        alike = [path for path, led in found if led[-1:] == names[-1:]]
        return [pointer(path) for path in alike or [path for path, _ in found]] or [""]

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
        return self._dialect | schema | ({"$defs": self._circles} if self._circles else {})

    def _define(self) -> None:
        """Unfold what is referred to in circles; that may find more of it."""
        while missing := [path for path, name in self._names.items() if name not in self._circles]:
            for path in missing:
                _, found = self._references.target("#" + pointer(path))
                name = self._names[path]
                self._circles[name] = {}  # so that it is not begun twice
                self._circles[name] = self._unfolded(found, (path,), (_CIRCLES + name,))

    def _unfolded(self, schema: Any, entered: tuple[Path, ...], place: Place) -> Any:
        """Put what references refer to in their places, but for those that go in circles."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise SchemaTooLargeError("With its references followed it is too large.")
        if not isinstance(schema, dict):
            return schema
        if not isinstance(reference := schema.get("$ref"), str):
            return self._inside(schema, entered, place)
        path, found = self._references.target(reference)
        if path in entered:
            name = self._names.setdefault(path, f"circle{len(self._names)}")
            referred: Any = {"$ref": _CIRCLES + name}
        else:
            referred = self._unfolded(found, (*entered, path), place)
        beside = {word: value for word, value in schema.items() if word != "$ref"}
        if self._is_old or not beside.keys() - _SILENT:
            return referred
        return {"allOf": [referred, self._inside(beside, entered, place)]}

    def _inside(self, schema: Any, entered: tuple[Path, ...], place: Place) -> Any:
        inside: dict[str, Any] = {}
        for word, value in schema.items():
            if word in _SILENT:
                continue
            if word == "properties" and isinstance(value, dict):
                inside[word] = self._properties(value, entered, place)
            elif word in NAMED and isinstance(value, dict):
                inside[word] = {
                    name: self._unfolded(one, entered, place) for name, one in value.items()
                }
            elif word in MANY and isinstance(value, list):
                inside[word] = [self._unfolded(one, entered, place) for one in value]
            elif word in ONE:
                inside[word] = self._unfolded(value, entered, place)
            else:
                inside[word] = value
        return inside

    def _properties(
        self, schemas: dict[str, Any], entered: tuple[Path, ...], place: Place
    ) -> dict[str, Any]:
        order = self._order.setdefault(place, {})
        inside: dict[str, Any] = {}
        for name, schema in schemas.items():
            order.setdefault(name, len(order))
            inside[name] = self._unfolded(schema, entered, (*place, name))
            if inside[name] in ({}, True):
                self._free.setdefault(place, {})[name] = None
        return inside


def _names(path: Path) -> Place:
    """Give the names of the properties on the way to a schema."""
    return tuple(name for word, name in pairwise(path) if word == "properties")


def _schemas(root: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give every schema in one, in the order in which they are written, with its place."""
    todo: list[tuple[Path, Any]] = [((), root)]
    while todo:
        path, schema = todo.pop()
        if isinstance(schema, dict):
            yield path, schema
            below = [(path + place, child) for place, child in children(schema)]
            todo.extend(reversed(below))
