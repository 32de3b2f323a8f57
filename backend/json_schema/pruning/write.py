"""Write the schema of what is kept, with its references inlined."""

from typing import Any

from backend.json_schema.errors import SchemaTooLargeError
from backend.json_schema.pruning.keywords import (
    ITEM_KEYWORDS,
    OBJECT_KEYWORDS,
    Schema,
    are_disjoint,
    dependent_names,
    names_of,
    property_schemas,
)
from backend.json_schema.pruning.rules import MAX_VISITED, CannotPruneError, Place, Rules
from backend.json_schema.references import ANNOTATIONS
from backend.json_values import as_dict

MAX_ENUM = 300  # values that are kept of a longer enum
_LEFT_OUT = ANNOTATIONS | OBJECT_KEYWORDS | {"$ref"}
_UNIONS = ("anyOf", "oneOf")
_CONDITIONS = ("if", "then", "else")
_COUNTS_AND_NAMES = ("minProperties", "maxProperties", "propertyNames", "required")
_OTHER_TYPES = ["null", "boolean", "number", "string"]


class Writer:
    """Writes the schema of what is kept, with its references inlined."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._written = 0

    def write_place(self, schema: Any, place: Place, *, is_positive: bool = True) -> Any:
        """Write a schema in conjunction with "nothing else is at this place"."""
        written = self._write(schema, place, is_positive=is_positive)
        if not (place.has_object or place.has_array) or written is False:
            return written
        written = {} if written is True else written
        guard = self._guard(place)
        properties = guard.pop("properties", {}) | written.get("properties", {})
        if properties:
            guard["properties"] = properties
        if "items" in written or "prefixItems" in written:
            guard.pop("items", None)  # the items are guarded themselves
        return written | guard

    def _guard(self, place: Place) -> Schema:
        """Return the schema of all values that have nothing else at this place or below it."""
        guard: Schema = {}
        if place.has_object:
            guard["properties"] = {name: self._guard(child) for name, child in place.names.items()}
            guard["additionalProperties"] = False
        if place.has_array and place.items is None:
            guard["maxItems"] = 0
        elif place.items is not None and (items := self._guard(place.items)):
            guard["items"] = items
        return guard

    def _write(self, schema: Any, place: Place, *, is_positive: bool) -> Any:
        if not isinstance(schema, dict):
            return schema
        self._written += 1
        if self._written > MAX_VISITED:
            raise SchemaTooLargeError("The schema is too large. Use fewer alternatives.")
        if schema.keys() & {"unevaluatedProperties", "unevaluatedItems"}:
            raise CannotPruneError
        target, own = self._rules.parts(schema)
        if target is None:
            return self._write_own(schema, place, is_positive=is_positive)
        written = self._write(target, place, is_positive=is_positive)
        beside = self._write_own(own, place, is_positive=is_positive, original=schema)
        return {"allOf": [written, beside]} if beside else written

    def _write_own(
        self, schema: Schema, place: Place, *, is_positive: bool, original: Schema | None = None
    ) -> Any:
        written: Schema = {}
        original = original or schema
        if schema.get("if") is not None and not self._rules.budget.has_conditions:
            self._rules.mark_unenforced(original, "if")
        for keyword, value in schema.items():
            if keyword in _UNIONS:
                written[keyword] = self._write_union(
                    schema, keyword, place, original, is_positive=is_positive
                )
            elif self._is_kept(keyword, place):
                written[keyword] = self._write_value(keyword, value, place, is_positive=is_positive)
        written |= {key: schema[key] for key in _COUNTS_AND_NAMES if key in schema}
        properties = self._write_properties(schema, place, is_positive=is_positive)
        written |= self._write_dependencies(
            schema, place, properties, original, is_positive=is_positive
        )
        if properties:
            written["properties"] = properties
        return _allowed_types(schema, place, written)

    def _is_kept(self, keyword: str, place: Place) -> bool:
        if keyword in _CONDITIONS:
            return self._rules.budget.has_conditions
        if keyword in ITEM_KEYWORDS:
            return place.items is not None
        return keyword not in _LEFT_OUT

    def _write_value(self, keyword: str, value: Any, place: Place, *, is_positive: bool) -> Any:
        if keyword == "allOf":
            return [self._write(part, place, is_positive=is_positive) for part in value]
        if keyword in ("if", "not"):
            return self._write(value, place, is_positive=False)
        if keyword in ("then", "else"):
            return self._write(value, place, is_positive=is_positive)
        if keyword == "enum" and is_positive and len(value) > MAX_ENUM:
            return self._rules.mentions.first(value, MAX_ENUM)
        if keyword in ITEM_KEYWORDS and place.items is not None:
            return self._write_items(value, place.items, is_positive=is_positive)
        return value

    def _write_union(
        self, schema: Schema, keyword: str, place: Place, original: Schema, *, is_positive: bool
    ) -> list[Any]:
        options = self._rules.alternatives(schema, keyword, is_positive=is_positive)
        is_cut = len(options) < len(schema[keyword])
        if is_cut and keyword == "oneOf" and not are_disjoint(schema[keyword]):
            self._rules.mark_unenforced(original, keyword)
        is_positive = is_positive and keyword == "anyOf"
        return [self._write(option, place, is_positive=is_positive) for option in options]

    def _write_items(self, value: Any, place: Place, *, is_positive: bool) -> Any:
        if isinstance(value, list):
            return [self.write_place(item, place, is_positive=is_positive) for item in value]
        return self.write_place(value, place, is_positive=is_positive)

    def _write_properties(self, schema: Schema, place: Place, *, is_positive: bool) -> Schema:
        properties: Schema = {}
        for name, child in place.names.items():
            parts = [
                self.write_place(part, child, is_positive=is_positive)
                for part in property_schemas(schema, name)
            ]
            parts = [part for part in parts if part not in (True, {})] or parts[:1]
            if parts:
                properties[name] = parts[0] if len(parts) == 1 else {"allOf": parts}
            if not set(dependent_names(schema, name)) <= place.names.keys():
                properties[name] = False
        return properties

    def _write_dependencies(
        self,
        schema: Schema,
        place: Place,
        properties: Schema,
        original: Schema,
        *,
        is_positive: bool,
    ) -> Schema:
        names = {
            name: required
            for name in place.names
            if (required := dependent_names(schema, name)) and properties.get(name) is not False
        }
        schemas = {
            name: child
            for keyword in ("dependentSchemas", "dependencies")
            for name, child in as_dict(schema.get(keyword)).items()
            if name in place.names and not isinstance(child, list)
        }
        if (names or schemas) and not self._rules.budget.has_conditions:
            self._rules.mark_unenforced(original, "dependencies")
            return {}
        written: Schema = {
            name: self._write(child, place, is_positive=is_positive)
            for name, child in schemas.items()
        }
        if self._rules.is_old_draft:
            return {"dependencies": names | written} if names or written else {}
        return ({"dependentRequired": names} if names else {}) | (
            {"dependentSchemas": written} if written else {}
        )


def _allowed_types(schema: Schema, place: Place, written: Schema) -> Any:
    """Exclude objects or arrays if a schema requires what was left out of them."""
    excluded = set()
    if not set(names_of(schema.get("required"))) <= place.names.keys():
        excluded.add("object")
    if (schema.get("minItems") or "contains" in schema) and place.items is None:
        excluded.add("array")
    if not excluded:
        return written
    types = schema.get("type", [*_OTHER_TYPES, "object", "array"])
    types = [types] if isinstance(types, str) else types
    if not (left := [name for name in types if name not in excluded]):
        return False
    if "object" in excluded:
        written.pop("required", None)
    if "array" in excluded:
        written.pop("minItems", None)
    return written | {"type": left}
