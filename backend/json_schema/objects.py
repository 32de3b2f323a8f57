"""Which properties an object gets, of those that it may and those that it has to have."""

from collections.abc import Collection
from typing import Any

import jsonschema_rs

from backend.json_schema.normalize import NormalizedSchema, PropertyPath
from backend.json_schema.regex_narrow import UnsupportedPatternError, example_match

MAX_PROPERTIES = 1_000
MAX_INVENTED = 2  # properties of an object that names none
_REPEATED = "*"  # as a name that may be left out llama.cpp's converter takes it for any others


class ObjectProperties:
    """The properties of an object, by name."""

    def __init__(
        self, schema: dict[str, Any], plain: NormalizedSchema, place: PropertyPath
    ) -> None:
        self._schema = schema
        self._plain = plain
        self._place = place
        self._named: dict[str, Any] = schema.get("properties", {})
        self._patterns: dict[str, Any] = schema.get("patternProperties", {})
        self._least: int = schema.get("minProperties", 0)
        self._most: int = schema.get("maxProperties", MAX_PROPERTIES)
        self.required = dict.fromkeys(schema.get("required", []))

    def optional_limit(self, room: int) -> int:
        """Say how many of those that may be left out there are to be."""
        missing = self._least - len(self.required)
        return min(max(room, missing), self._most - len(self.required))

    def candidate_names(self, room: int) -> list[str]:
        """Give the names that there may be, in the original's order, and then invented ones."""
        names = self._plain.order_properties(self._place, {**self._named, **self.required})
        names = [name for name in names if self._is_allowed(name)]
        wanted = self._least - len(names)
        if self._patterns or (not names and "additionalProperties" in self._schema):
            wanted = max(wanted, min(MAX_INVENTED, self._most, room) - len(names))
        return names + self._generated_names(wanted, names)

    def property_schema(self, name: str) -> Any:
        """Give all that is said of a property."""
        said = [self._named[name]] if name in self._named else []
        said += [one for pattern, one in self._patterns.items() if _matches(pattern, name)]
        if not said:
            return self._schema.get("additionalProperties", True)
        return said[0] if len(said) == 1 else self._plain.canonicalize({"allOf": said})

    def required_names(self, built: Collection[str]) -> list[str] | None:
        """Say which of those that could be had have to be there; None if they are too few."""
        if self._least > len(built) or len(self.required) > self._most:
            return None
        chosen = [name for name in built if name in self.required]
        spare = [name for name in built if name not in self.required]
        extra = set(spare[: max(0, self._least - len(chosen))])
        return [name for name in built if name in self.required or name in extra]

    def _is_allowed(self, name: str) -> bool:
        if name in self.required:
            return True
        return name != _REPEATED and self._named.get(name) is not False and self._is_name(name)

    def _is_name(self, name: str) -> bool:
        rule = self._schema.get("propertyNames", True)
        return rule is True or bool(jsonschema_rs.is_valid(rule, name, validate_formats=True))

    def _generated_names(self, count: int, taken: list[str]) -> list[str]:
        """Make up names, by the rules that there are for them."""
        candidates = list(self._plain.order_values(self._enumerated_names()))
        for pattern in self._name_patterns():
            try:
                candidates += [example_match(pattern, size) for size in range(1, 9)]
            except UnsupportedPatternError:
                continue
        candidates += [f"key{number + 1}" for number in range(max(count, 0))]
        names: list[str] = []
        for name in dict.fromkeys(candidates):
            is_new = name not in taken and name not in self._named and name != _REPEATED
            if len(names) < count and is_new and name and self._is_name(name):
                names.append(name)
        return names

    def _enumerated_names(self) -> list[str]:
        rule = self._schema.get("propertyNames")
        if not isinstance(rule, dict) or not rule.keys() & {"enum", "const"}:
            return []
        listed: list[str] = rule.get("enum", [rule.get("const")])
        return listed

    def _name_patterns(self) -> list[str]:
        rule = self._schema.get("propertyNames")
        patterns = list(self._patterns)
        if isinstance(rule, dict) and "pattern" in rule:
            patterns.append(rule["pattern"])
        return patterns


def _matches(pattern: str, name: str) -> bool:
    return bool(jsonschema_rs.is_valid({"pattern": pattern}, name))
