"""Build the narrowed form of a normalized schema within one size budget."""

import json
from functools import partial
from typing import Any

from backend.json_schema.arrays import array_shape, is_finite, unique_arrays
from backend.json_schema.combinators import (
    COMBINATORS,
    MANY_TYPES,
    distribute_any_of,
    drop_vacuous_types,
)
from backend.json_schema.errors import SchemaTooLargeError
from backend.json_schema.normalize import NormalizedSchema, PropertyPath
from backend.json_schema.numbers import NumberRange
from backend.json_schema.objects import ObjectProperties
from backend.json_schema.size_budget import SizeBudget
from backend.json_schema.strings import narrow_string

Schema = dict[str, Any]
SizedSchema = tuple[Schema, int]  # a schema, and the characters of its longest output
ReferencePath = tuple[str, ...]  # the recursive references that were followed

MAX_BUILT = 5_000  # schemas
ITEM_SPACE = 2  # whitespace that a model writes around an item, and around a property
PROPERTY_SPACE = 4
NUMBER_LENGTH = 24  # as a model writes one; llama.cpp's grammar allows 52
DEFAULT_TYPES = ("string", "integer", "boolean")  # generated if any type is allowed
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_CONDITION = ("if", "then", "else")


class UnsatisfiableSchemaError(Exception):
    """No finite value is valid within the budget."""


class NarrowSchemaBuilder:
    """Builds the narrowed schema.

    A loose one leaves to validation what could only be enforced by excluding many valid values.
    """

    def __init__(self, normalized: NormalizedSchema, budget: SizeBudget, *, is_loose: bool) -> None:
        self._normalized = normalized
        self._budget = budget
        self._is_loose = is_loose
        self._unenforced: dict[tuple[PropertyPath, str], None] = {}  # in order of discovery
        self._built_count = 0

    def unenforced(self) -> tuple[tuple[str, str], ...]:
        """Return JSON pointers into the original and keywords that are not enforced."""
        pairs = {
            (pointer, keyword): None
            for path, keyword in self._unenforced
            for pointer in self._normalized.keyword_pointers(keyword, path)
        }
        return tuple(pairs)

    def build(
        self, schema: Any, path: PropertyPath = (), references: ReferencePath = ()
    ) -> SizedSchema:
        """Narrow a schema at a property path.

        Raises:
            UnsatisfiableSchemaError: No finite value is valid within the budget.
            SchemaTooLargeError: It expands to too many schemas.
        """
        self._built_count += 1
        if self._built_count > MAX_BUILT:
            raise SchemaTooLargeError(
                f"The schema expands to more than {MAX_BUILT:,} subschemas. Simplify it."
            )
        if schema is True:
            schema = {}
        if not isinstance(schema, dict) or schema.get("not") == {}:  # draft 4 for false
            raise UnsatisfiableSchemaError
        if "$ref" in schema:
            references, target = self._enter_reference(schema["$ref"], references)
            return self.build(target, (schema["$ref"],), references)
        if "const" in schema or "enum" in schema:
            return self._enum(schema)
        combinators = schema.keys() & COMBINATORS
        if combinators and not (schema.get("type") == "string" and combinators <= {"allOf", "not"}):
            return self._combinators(schema, path, references)
        return self._typed(schema, path, references)

    def _enter_reference(
        self, reference: str, references: ReferencePath
    ) -> tuple[ReferencePath, Any]:
        if references.count(reference) > self._budget.recursion:
            raise UnsatisfiableSchemaError
        return (*references, reference), self._normalized.resolve_recursive(reference)

    def _typed(self, schema: Schema, path: PropertyPath, references: ReferencePath) -> SizedSchema:
        types = schema.get("type") or DEFAULT_TYPES
        if isinstance(types, str):
            return self._of_type(types, schema, path, references)
        if len(types) >= MANY_TYPES:
            types = [name for name in (*DEFAULT_TYPES, "number") if name in types]
        types = sorted(types, key=lambda name: name == "null")
        return self._any_of([schema | {"type": name} for name in types], path, references)

    def _of_type(
        self, type_name: str, schema: Schema, path: PropertyPath, references: ReferencePath
    ) -> SizedSchema:
        match type_name:
            case "object":
                return self._object(schema, path, references)
            case "array":
                return self._array(schema, path, references)
            case "string":
                return self._string(schema, path)
            case "integer":
                return _with_size(NumberRange.from_schema(schema).integer_schema())
            case "number":
                return self._number(schema, path)
            case _:
                return {"type": type_name}, len("false")

    def _any_of(
        self, schemas: list[Any], path: PropertyPath, references: ReferencePath
    ) -> SizedSchema:
        """Build the union of those alternatives that are satisfiable."""
        built: list[SizedSchema] = []
        for schema in schemas:
            unenforced_before = dict(self._unenforced)
            try:
                alternative = self.build(schema, path, references)
            except UnsatisfiableSchemaError:
                self._unenforced = unenforced_before
                continue
            if alternative not in built:
                built.append(alternative)
        if not built:
            raise UnsatisfiableSchemaError
        if len(built) == 1:
            return built[0]
        flat = [option for schema, _ in built for option in schema.get("anyOf", [schema])]
        return {"anyOf": flat}, max(size for _, size in built)

    def _combinators(
        self, schema: Schema, path: PropertyPath, references: ReferencePath
    ) -> SizedSchema:
        """Build a schema that combines several others."""
        inner_references, expanded = self._expand_recursion(schema, references)
        if expanded != schema:
            return self.build(self._normalized.canonicalize(expanded), path, inner_references)
        base, alternatives = distribute_any_of(schema)
        if alternatives is None:
            built = self._typed(base, path, references)
        elif base:
            schemas = [self._intersect(base, alternative) for alternative in alternatives]
            built = self._any_of(schemas, path, references)
        else:
            built = self._any_of(drop_vacuous_types(alternatives), path, references)
        for keyword in schema.keys() & COMBINATORS - {"anyOf"}:
            self._mark_unenforced(schema, keyword, built, path)
        return built

    def _expand_recursion(
        self, schema: Schema, references: ReferencePath
    ) -> tuple[ReferencePath, Schema]:
        """Follow recursive references that are combined with other schemas."""
        if set(schema) == {"anyOf"}:
            return references, schema
        expanded = dict(schema)
        for keyword in ("allOf", "anyOf", "oneOf"):
            schemas = list(schema.get(keyword, ()))
            for index, subschema in enumerate(schemas):
                if isinstance(subschema, dict) and "$ref" in subschema:
                    references, schemas[index] = self._enter_reference(
                        subschema["$ref"], references
                    )
            if schemas:
                expanded[keyword] = schemas
        return references, expanded

    def _intersect(self, left: Any, right: Any) -> Any:
        return self._normalized.canonicalize({"allOf": [left, right]})

    def _enum(self, schema: Schema) -> SizedSchema:
        values = self._normalized.order_values(schema.get("enum", [schema.get("const")]))
        if len(schema) > 1:
            values = [value for value in values if self._normalized.accepts(schema, value)]
        if not values:
            raise UnsatisfiableSchemaError
        lengths = [len(_to_json(value)) for value in values]
        limit = max(self._budget.string_length * 2, min(lengths))
        short = [value for value, length in zip(values, lengths, strict=True) if length <= limit]
        return {"enum": short}, max(length for length in lengths if length <= limit)

    def _number(self, schema: Schema, path: PropertyPath) -> SizedSchema:
        numbers = NumberRange.from_schema(schema)
        if (decimals := numbers.decimal_schema()) is not None:
            return _with_size(decimals)
        integers = numbers.integer_schema()
        is_open = numbers.is_unbounded or (self._is_loose and not numbers.is_integral)
        if numbers.is_integral or (integers and not (is_open and self._budget.has_decimals)):
            return _with_size(integers)
        number = {"type": "number"}
        for keyword in schema.keys() & set(_BOUNDS):
            self._mark_unenforced(schema, keyword, (number, NUMBER_LENGTH), path)
        # Our own grammar enforces it, but not the one that llama.cpp makes of a schema.
        minimum = {"minimum": 0} if numbers.is_from_zero else {}
        return number | minimum, NUMBER_LENGTH

    def _string(self, schema: Schema, path: PropertyPath) -> SizedSchema:
        result = narrow_string(schema, self._budget.string_length)
        if result is None:
            raise UnsatisfiableSchemaError
        narrowed, size, unenforced = result
        self._unenforced |= {(path, keyword): None for keyword in unenforced}
        for subschema in (schema, *schema.get("allOf", ())):
            if "not" in subschema:
                self._mark_unenforced(subschema, "not", (narrowed, size), path)
        return narrowed, size

    def _array(self, schema: Schema, path: PropertyPath, references: ReferencePath) -> SizedSchema:
        prefix, items, minimum, maximum = array_shape(schema)
        if (contains := schema.get("contains")) is not None and schema.get("minContains", 1):
            prefix = [self._intersect(item, contains) for item in prefix]
            items = self._intersect(items, contains)
        if minimum > maximum:
            raise UnsatisfiableSchemaError
        if prefix:
            count = max(minimum, min(len(prefix), maximum))
            return self._tuple(schema, [*prefix, *[items] * count][:count], path, references)
        maximum = min(maximum, max(minimum, self._budget.items))
        try:
            item = self.build(items, path, references) if maximum else None
        except UnsatisfiableSchemaError:
            if minimum:
                raise
            item = None
        if item is None:
            return {"enum": [[]]}, 2
        return self._list(schema, item, (minimum, maximum), path)

    def _tuple(
        self, schema: Schema, items: list[Any], path: PropertyPath, references: ReferencePath
    ) -> SizedSchema:
        built = [self.build(item, path, references) for item in items]
        array: Schema = {"type": "array", "prefixItems": [item for item, _ in built]}
        array |= {"minItems": len(built), "maxItems": len(built)}
        size = 2 + sum(item_size + 1 + ITEM_SPACE for _, item_size in built)
        narrowed: SizedSchema = (array, size) if built else ({"enum": [[]]}, 2)
        if schema.get("uniqueItems"):
            self._mark_unenforced(schema, "uniqueItems", narrowed, path)
        return narrowed

    def _list(
        self, schema: Schema, item: SizedSchema, bounds: tuple[int, int], path: PropertyPath
    ) -> SizedSchema:
        (items, item_size), (minimum, maximum) = item, bounds
        is_unique = bool(schema.get("uniqueItems")) and maximum > 1
        if is_unique and is_finite(items):
            arrays = unique_arrays(items, minimum, maximum)
            if arrays is None:
                raise UnsatisfiableSchemaError
            return arrays, 2 + maximum * (item_size + 1 + ITEM_SPACE)
        if is_unique and not self._is_loose:
            maximum = max(minimum, 1)
        if is_unique and maximum > 1:
            self._unenforced[path, "uniqueItems"] = None
        narrowed = {"type": "array", "items": items, "minItems": minimum, "maxItems": maximum}
        return narrowed, 2 + maximum * (item_size + 1 + ITEM_SPACE)

    def _object(self, schema: Schema, path: PropertyPath, references: ReferencePath) -> SizedSchema:
        properties = ObjectProperties(schema, self._normalized, path)
        built: dict[str, SizedSchema] = {}
        optional_left = properties.optional_limit(self._budget.optional)
        for name in properties.candidate_names(self._budget.optional):
            is_required = name in properties.required
            if not is_required and optional_left <= 0:
                continue
            unenforced_before = dict(self._unenforced)
            try:
                built[name] = self.build(
                    properties.property_schema(name), (*path, name), references
                )
            except UnsatisfiableSchemaError:
                if is_required:
                    raise
                self._unenforced = unenforced_before
            else:
                optional_left -= not is_required
        required = properties.required_names(built)
        if required is None:
            raise UnsatisfiableSchemaError
        return _object_schema(built, required)

    def _mark_unenforced(
        self, schema: Schema, keyword: str, built: SizedSchema, path: PropertyPath
    ) -> None:
        """Leave a keyword to validation, unless the narrowed schema already implies it."""
        keywords = _CONDITION if keyword == "if" else (keyword,)
        constraint = {name: schema[name] for name in keywords if name in schema}
        if not self._normalized.is_superset_of(constraint, built[0]):
            self._unenforced[path, keyword] = None


def _object_schema(properties: dict[str, SizedSchema], required: list[str]) -> SizedSchema:
    size = 2 + ITEM_SPACE
    for name, (_, property_size) in properties.items():
        size += len(_to_json(name)) + 2 + PROPERTY_SPACE + property_size
    schema = {
        "type": "object",
        "properties": {name: property_schema for name, (property_schema, _) in properties.items()},
        "required": required,
        "additionalProperties": False,
    }
    return schema, size


def _with_size(schema: Schema | None) -> SizedSchema:
    if schema is None:
        raise UnsatisfiableSchemaError
    values = schema["enum"] if "enum" in schema else (schema["minimum"], schema["maximum"])
    return schema, max(len(_to_json(value)) for value in values)


_to_json = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))
