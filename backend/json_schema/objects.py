"""Choose the properties of a narrowed object among the allowed and the required ones."""

from collections.abc import Collection
from typing import Any

import jsonschema_rs

from backend.json_schema.normalize import NormalizedSchema, PropertyPath
from backend.json_schema.regex_narrow import UnsupportedPatternError, example_match

MAX_PROPERTIES = 1_000
MAX_GENERATED_NAMES = 2  # properties of an object that names none
_WILDCARD = "*"  # llama.cpp's converter takes an optional property of this name for any others


class ObjectProperties:
    """The properties that an object schema allows, by name."""

    def __init__(
        self, schema: dict[str, Any], normalized: NormalizedSchema, path: PropertyPath
    ) -> None:
        self._schema = schema
        self._normalized = normalized
        self._path = path
        self._properties: dict[str, Any] = schema.get("properties", {})
        self._patterns: dict[str, Any] = schema.get("patternProperties", {})
        self._minimum: int = schema.get("minProperties", 0)
        self._maximum: int = schema.get("maxProperties", MAX_PROPERTIES)
        self.required = dict.fromkeys(schema.get("required", []))

    def optional_limit(self, budget: int) -> int:
        """Return how many optional properties to include."""
        missing = self._minimum - len(self.required)
        return min(max(budget, missing), self._maximum - len(self.required))

    def candidate_names(self, budget: int) -> list[str]:
        """Return the allowed names in the original's order, then generated ones."""
        names = self._normalized.order_properties(self._path, {**self._properties, **self.required})
        names = [name for name in names if self._is_allowed(name)]
        missing = self._minimum - len(names)
        if self._patterns or (not names and "additionalProperties" in self._schema):
            missing = max(missing, min(MAX_GENERATED_NAMES, self._maximum, budget) - len(names))
        return names + self._generated_names(missing, names)

    def property_schema(self, name: str) -> Any:
        """Return the conjunction of the schemas that apply to a property."""
        schemas = [self._properties[name]] if name in self._properties else []
        schemas += [
            schema for pattern, schema in self._patterns.items() if matches_pattern(pattern, name)
        ]
        if not schemas:
            return self._schema.get("additionalProperties", True)
        return (
            schemas[0] if len(schemas) == 1 else self._normalized.canonicalize({"allOf": schemas})
        )

    def required_names(self, available: Collection[str]) -> list[str] | None:
        """Return which of the available names to require; None if there are too few."""
        if self._minimum > len(available) or len(self.required) > self._maximum:
            return None
        required = [name for name in available if name in self.required]
        optional = [name for name in available if name not in self.required]
        extra = set(optional[: max(0, self._minimum - len(required))])
        return [name for name in available if name in self.required or name in extra]

    def _is_allowed(self, name: str) -> bool:
        if name in self.required:
            return True
        return (
            name != _WILDCARD
            and self._properties.get(name) is not False
            and self._is_valid_name(name)
        )

    def _is_valid_name(self, name: str) -> bool:
        schema = self._schema.get("propertyNames", True)
        return schema is True or bool(jsonschema_rs.is_valid(schema, name, validate_formats=True))

    def _generated_names(self, count: int, existing: list[str]) -> list[str]:
        """Generate up to `count` new names that propertyNames and patternProperties allow."""
        candidates = list(self._normalized.order_values(self._enumerated_names()))
        for pattern in self._name_patterns():
            try:
                candidates += [example_match(pattern, size) for size in range(1, 9)]
            except UnsupportedPatternError:
                continue
        candidates += [f"key{index + 1}" for index in range(max(count, 0))]
        names: list[str] = []
        for name in dict.fromkeys(candidates):
            is_new = name not in existing and name not in self._properties and name != _WILDCARD
            if len(names) < count and is_new and name and self._is_valid_name(name):
                names.append(name)
        return names

    def _enumerated_names(self) -> list[str]:
        schema = self._schema.get("propertyNames")
        if not isinstance(schema, dict) or not schema.keys() & {"enum", "const"}:
            return []
        names: list[str] = schema.get("enum", [schema.get("const")])
        return names

    def _name_patterns(self) -> list[str]:
        schema = self._schema.get("propertyNames")
        patterns = list(self._patterns)
        if isinstance(schema, dict) and "pattern" in schema:
            patterns.append(schema["pattern"])
        return patterns


def matches_pattern(pattern: str, name: str) -> bool:
    """Return True if a name matches one of `patternProperties`."""
    return bool(jsonschema_rs.is_valid({"pattern": pattern}, name))
