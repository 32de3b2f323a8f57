"""Normalize a schema of any draft: inline its references and reduce it to simple alternatives.

Only recursive references are left. jsonschema-rs knows what each draft means, and rewrites `allOf`,
`oneOf`, `not`, `if` and similar keywords as far as it can.
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
    ANNOTATIONS,
    SCHEMA_KEYWORDS,
    SCHEMA_LIST_KEYWORDS,
    SCHEMA_MAP_KEYWORDS,
    Path,
    References,
    is_old_draft,
    json_pointer,
    subschemas,
)

PropertyPath = tuple[str, ...]  # names of nested properties

MAX_NODES = 20_000
_RECURSIVE_PREFIX = "#/$defs/"


class NormalizedSchema:
    """A checked schema in normalized form, with what its narrowing needs from the original."""

    def __init__(self, schema: Any, original: Any = None) -> None:
        """Normalize a schema. `original` is what it was pruned from, which pointers refer to."""
        self._original = schema if original is None else original
        self._references = References(schema)
        dialect = self._original.get("$schema") if isinstance(self._original, dict) else None
        self._dialect = {"$schema": dialect} if isinstance(dialect, str) else {}
        self._is_old_draft = is_old_draft(dialect)
        self._node_count = 0
        self._recursive_names: dict[Path, str] = {}
        self._recursive_defs: dict[str, Any] = {}
        self._canonical_defs: dict[str, Any] = {}
        self._property_ranks: dict[PropertyPath, dict[str, int]] = {}
        self._unconstrained: dict[PropertyPath, dict[str, None]] = {}
        inlined = self._inline_references(schema, (), ())
        self._inline_recursive_defs()
        self.root = self.canonicalize(inlined)

    def canonicalize(self, schema: Any) -> Any:
        """Return an equivalent schema made of alternatives that are as simple as possible."""
        canonical = self._canonical(schema)
        if canonical is None:
            return schema
        simple = canonical.to_json_schema()
        if not isinstance(simple, dict):
            return simple
        return {key: value for key, value in simple.items() if key not in ("$schema", "$defs")}

    def resolve_recursive(self, reference: str) -> Any:
        """Return the canonical target of one of the remaining references."""
        name = reference.removeprefix(_RECURSIVE_PREFIX)
        if name not in self._canonical_defs:
            self._canonical_defs[name] = self.canonicalize(self._recursive_defs[name])
        return self._canonical_defs[name]

    def accepts(self, schema: dict[str, Any], value: Any) -> bool:
        try:
            return bool(
                jsonschema_rs.is_valid(self._standalone(schema), value, validate_formats=True)
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            return False

    def is_superset_of(self, schema: Any, narrower: Any) -> bool:
        """Return True if every value valid against `narrower` is provably valid for `schema`."""
        wide = self._canonical(schema)
        try:
            narrow = jsonschema_rs.canonicalize(narrower, validate_formats=True)
            return wide is not None and wide.covers(narrow) == Containment.YES
        except (CanonicalizationError, ValueError):
            return False

    def order_properties(self, path: PropertyPath, names: Iterable[str]) -> list[str]:
        """Return property names in the original's order, unconstrained ones included.

        A canonical schema does not mention properties whose value may be anything.
        """
        ranks = self._property_ranks.get(path, {})
        all_names = dict.fromkeys([*names, *self._unconstrained.get(path, ())])
        last = len(ranks)
        return sorted(all_names, key=lambda name: ranks.get(name, last))

    def order_values(self, values: list[Any]) -> list[Any]:
        last = len(self._value_ranks)
        return sorted(values, key=lambda value: self._value_ranks.get(json.dumps(value), last))

    def keyword_pointers(self, keyword: str, path: PropertyPath) -> list[str]:
        """Return JSON pointers to the schemas of the original that have a keyword.

        Prefer the schemas of properties that are named like the last one in `path`.
        """
        paths = [path for path, schema in _walk(self._original) if keyword in schema]
        same_name = [
            schema_path for schema_path in paths if _property_path(schema_path)[-1:] == path[-1:]
        ]
        return [json_pointer(schema_path) for schema_path in same_name or paths] or [""]

    @cached_property
    def _value_ranks(self) -> dict[str, int]:
        ranks: dict[str, int] = {}
        for _, schema in _walk(self._original):
            for value in schema.get("enum") or ():
                ranks.setdefault(json.dumps(value), len(ranks))
        return ranks

    def _canonical(self, schema: Any) -> jsonschema_rs.CanonicalSchema | None:
        try:
            return jsonschema_rs.canonicalize(self._standalone(schema), validate_formats=True)
        except (CanonicalizationError, jsonschema_rs.ReferencingError, ValueError):
            return None

    def _standalone(self, schema: Any) -> Any:
        """Return a subschema with the dialect and definitions that it needs by itself."""
        if not isinstance(schema, dict):
            return schema
        return (
            self._dialect
            | schema
            | ({"$defs": self._recursive_defs} if self._recursive_defs else {})
        )

    def _inline_recursive_defs(self) -> None:
        """Inline the targets of recursive references, which may contain further ones."""
        while missing := [
            path for path, name in self._recursive_names.items() if name not in self._recursive_defs
        ]:
            for path in missing:
                _, target = self._references.resolve("#" + json_pointer(path))
                name = self._recursive_names[path]
                self._recursive_defs[name] = {}  # so that it is not started twice
                self._recursive_defs[name] = self._inline_references(
                    target, (path,), (_RECURSIVE_PREFIX + name,)
                )

    def _inline_references(self, schema: Any, targets: tuple[Path, ...], path: PropertyPath) -> Any:
        """Replace references by their targets, except for recursive ones."""
        self._node_count += 1
        if self._node_count > MAX_NODES:
            raise SchemaTooLargeError(
                "The schema is too large once its references are followed. Use fewer of them."
            )
        if not isinstance(schema, dict):
            return schema
        if not isinstance(reference := schema.get("$ref"), str):
            return self._inline_children(schema, targets, path)
        target_path, target = self._references.resolve(reference)
        if target_path in targets:
            name = self._recursive_names.setdefault(
                target_path, f"recursive{len(self._recursive_names)}"
            )
            inlined: Any = {"$ref": _RECURSIVE_PREFIX + name}
        else:
            inlined = self._inline_references(target, (*targets, target_path), path)
        siblings = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        if self._is_old_draft or not siblings.keys() - ANNOTATIONS:
            return inlined
        return {"allOf": [inlined, self._inline_children(siblings, targets, path)]}

    def _inline_children(self, schema: Any, targets: tuple[Path, ...], path: PropertyPath) -> Any:
        result: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword in ANNOTATIONS:
                continue
            if keyword == "properties" and isinstance(value, dict):
                result[keyword] = self._inline_properties(value, targets, path)
            elif keyword in SCHEMA_MAP_KEYWORDS and isinstance(value, dict):
                result[keyword] = {
                    name: self._inline_references(child, targets, path)
                    for name, child in value.items()
                }
            elif keyword in SCHEMA_LIST_KEYWORDS and isinstance(value, list):
                result[keyword] = [self._inline_references(child, targets, path) for child in value]
            elif keyword in SCHEMA_KEYWORDS:
                result[keyword] = self._inline_references(value, targets, path)
            else:
                result[keyword] = value
        return result

    def _inline_properties(
        self, properties: dict[str, Any], targets: tuple[Path, ...], path: PropertyPath
    ) -> dict[str, Any]:
        ranks = self._property_ranks.setdefault(path, {})
        result: dict[str, Any] = {}
        for name, schema in properties.items():
            ranks.setdefault(name, len(ranks))
            result[name] = self._inline_references(schema, targets, (*path, name))
            if result[name] in ({}, True):
                self._unconstrained.setdefault(path, {})[name] = None
        return result


def _property_path(path: Path) -> PropertyPath:
    """Return the names of the properties on the path to a schema."""
    return tuple(name for keyword, name in pairwise(path) if keyword == "properties")


def _walk(root: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield every schema in document order, with its path."""
    pending: list[tuple[Path, Any]] = [((), root)]
    while pending:
        path, schema = pending.pop()
        if isinstance(schema, dict):
            yield path, schema
            children = [(path + step, child) for step, child in subschemas(schema)]
            pending.extend(reversed(children))
