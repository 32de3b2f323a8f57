"""Which properties an object gets, of those that it may and those that it has to have."""

import re
from typing import Any

import jsonschema_rs

from backend.schema.merge import NOT, Alternative, UnfitError

MAX_OPTIONAL = 30


class Properties:
    """The properties of an alternative by name, in order, each with all that is said of it."""

    def __init__(self, alternative: Alternative) -> None:
        self._alternative = alternative
        self._least: int = alternative.get("minProperties", 0)
        self._most: int = alternative.get("maxProperties", 1000)
        self.left: list[str] = []
        self.required = self._required()
        forbidden = self._forbidden()
        may_invent = alternative.get("additionalProperties", True) is not False
        names = [*alternative.get("properties", {})]
        names += [name for name in self.required if name not in names]
        names += [name for name in self._allowed_names() if name not in names]
        while may_invent and len(names) < self._least:
            names.append(f"item{len(names) + 1}")
        self.named: dict[str, Any] = {}
        for name in names:
            if name in forbidden or not self._may_be_called(name):
                if name in self.required:
                    raise UnfitError
                continue
            self.named[name] = self._schema(name)
        if len(self.required) > self._most:
            raise UnfitError

    @property
    def has_rules_for_names(self) -> bool:
        rules = ("propertyNames", "patternProperties", "minProperties", "maxProperties")
        return any(rule in self._alternative for rule in rules)

    def is_short(self, count: int) -> bool:
        """Tell whether there are still fewer than there have to be."""
        return count < self._least

    def chosen(self, found: list[str]) -> tuple[list[str], list[str]]:
        """Give those that are required and those that are kept, of those that can be had."""
        required = [name for name in found if name in self.required]
        for name in found:
            if len(required) < self._least and name not in required:
                required.append(name)
        if len(required) < self._least:
            raise UnfitError
        room = min(self._most - len(required), MAX_OPTIONAL)
        optional = [name for name in found if name not in required][:room]
        kept = [name for name in found if name in required or name in optional]
        return [name for name in kept if name in required], kept

    def _required(self) -> list[str]:
        """Give the names that have to be there; what one of them depends on is always there."""
        required = list(dict.fromkeys(self._alternative.get("required", ())))
        for names in self._alternative.get("dependentRequired", {}).values():
            required += [name for name in names if name not in required]
        return required

    def _forbidden(self) -> set[str]:
        forbidden = set()
        for refused in self._alternative.get(NOT, ()):
            names = refused.get("required") if isinstance(refused, dict) else None
            if isinstance(names, list) and set(refused) == {"required"} and names:
                able = [name for name in names if name not in self.required]
                if not able:
                    raise UnfitError
                forbidden.add(able[-1])
            else:
                self.left.append("not")
        return forbidden

    def _allowed_names(self) -> list[str]:
        rule = self._alternative.get("propertyNames")
        names = rule.get("enum", []) if isinstance(rule, dict) else []
        return [name for name in names if isinstance(name, str)]

    def _may_be_called(self, name: str) -> bool:
        rule = self._alternative.get("propertyNames", True)
        try:
            return bool(jsonschema_rs.is_valid(rule, name))
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            return False

    def _schema(self, name: str) -> Any:
        said = []
        if name in (properties := self._alternative.get("properties", {})):
            said.append(properties[name])
        for pattern, schema in self._alternative.get("patternProperties", {}).items():
            try:
                if re.search(pattern, name):
                    said.append(schema)
            except re.error:
                self.left.append("patternProperties")
        if not said:
            said.append(self._alternative.get("additionalProperties", True))
        return said[0] if len(said) == 1 else {"allOf": said}
