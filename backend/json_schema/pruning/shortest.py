"""Compute how long the shortest values of a schema are, without following its references twice."""

import json
from collections.abc import Iterable
from math import inf
from typing import Any

from backend.json_schema.references import References, subschemas
from backend.json_values import as_dict

PROPERTY_CHARACTERS = 6  # quotes, colon, comma and the whitespace that a model writes
_ANY = 1  # a digit
_SCALARS = {"null": 4, "boolean": 4, "integer": 1, "number": 1}
_TYPES = (*_SCALARS, "string", "array", "object")
_MAX_PASSES = 30


class ShortestLengths:
    """Lower bounds of the characters of the values of each schema; infinite if there are none.

    A fixpoint over required properties, required items and alternatives: each pass uses the bounds
    of the one before, starting with "no value at all".
    """

    def __init__(self, root: Any, references: References) -> None:
        self._references = references
        self._lengths: dict[int, float] = {}
        schemas = _reachable(root, references)
        for _ in range(_MAX_PASSES):
            has_changed = False
            for schema in reversed(schemas):
                length = self._compute(schema)
                has_changed |= length != self._lengths.get(id(schema), inf)
                self._lengths[id(schema)] = length
            if not has_changed:
                break

    def of(self, schema: Any) -> float:
        """Return the length of the shortest value of a schema of the root."""
        if isinstance(schema, dict):
            return self._lengths.get(id(schema), inf)
        return inf if schema is False else _ANY

    def of_all(self, schemas: Iterable[Any]) -> float:
        """Return a lower bound for the values that are valid against all of several schemas."""
        return max(map(self.of, schemas), default=_ANY)

    def _compute(self, schema: dict[str, Any]) -> float:
        if isinstance(schema.get("$ref"), str):
            return self.of(self._references.target(schema)[1])
        lengths = [self._own(schema)]
        lengths += [self.of(part) for part in _list(schema.get("allOf"))]
        for keyword in ("anyOf", "oneOf"):
            if options := _list(schema.get(keyword)):
                lengths.append(min(map(self.of, options)))
        return max(lengths)

    def _own(self, schema: dict[str, Any]) -> float:
        if "const" in schema:
            return _json_length(schema["const"])
        if isinstance(values := schema.get("enum"), list):
            return min(map(_json_length, values), default=inf)
        types = schema.get("type", _TYPES)
        names = [types] if isinstance(types, str) else types
        return min((self._of_type(name, schema) for name in names), default=inf)

    def _of_type(self, name: Any, schema: dict[str, Any]) -> float:
        if name == "object":
            return self._object(schema)
        if name == "array":
            minimum = _number(schema.get("minItems"))
            items = schema.get("items", True)
            item = _ANY if isinstance(items, list) else self.of(items)
            return 2 + (minimum * (item + 1) if minimum else 0)
        if name == "string":
            return 2 + _number(schema.get("minLength"))
        return _SCALARS.get(name, _ANY)

    def _object(self, schema: dict[str, Any]) -> float:
        properties = as_dict(schema.get("properties"))
        return 2 + sum(
            len(str(name)) + PROPERTY_CHARACTERS + self.of(properties.get(name, True))
            for name in _list(schema.get("required"))
        )


def _reachable(root: Any, references: References) -> list[dict[str, Any]]:
    """Return every schema that the root contains or refers to, outer ones first."""
    visited: dict[int, dict[str, Any]] = {}
    pending: list[Any] = [root]
    while pending:
        schema = pending.pop()
        if not isinstance(schema, dict) or id(schema) in visited:
            continue
        visited[id(schema)] = schema
        if isinstance(schema.get("$ref"), str):
            pending.append(references.target(schema)[1])
        pending.extend(child for _, child in subschemas(schema))
    return list(visited.values())


def _json_length(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else 0
