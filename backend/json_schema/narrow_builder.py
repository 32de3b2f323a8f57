"""One narrowing of a plain schema into one room."""

import json
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

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
from backend.json_schema.strings import narrow_string

Schema = dict[str, Any]
SizedSchema = tuple[Schema, int]  # a schema, and how many characters what fits it may have
ReferencePath = tuple[str, ...]  # of the references in circles that did

MAX_BUILT = 5_000  # schemas
ITEM_SPACE = 2  # white space that a model writes around an item, and around a property
PROPERTY_SPACE = 4
LONGEST_NUMBER = 24  # as a model writes one; llama.cpp's grammar has 52 for it
DEFAULT_TYPES = ("string", "integer", "boolean")  # what is asked for where anything may be
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_CONDITION = ("if", "then", "else")


class UnsatisfiableSchemaError(Exception):
    """Nothing fits, or nothing that ends."""


@dataclass(frozen=True)
class SizeBudget:
    """How much there may be: characters of a text, items, properties that may be left out."""

    text: int
    items: int
    optional: int
    depth: int  # how often a schema may be met inside itself
    has_decimals: bool  # also where nothing keeps them short

    def within(self, most: int) -> Self:
        return replace(self, text=min(self.text, max(most, 1)))


class NarrowSchemaBuilder:
    """Builds the narrower schema; a loose one leaves to the judge what would cost too much."""

    def __init__(self, plain: NormalizedSchema, room: SizeBudget, *, is_loose: bool) -> None:
        self._plain = plain
        self._room = room
        self._is_loose = is_loose
        self._unenforced: dict[tuple[PropertyPath, str], None] = {}  # in the order found
        self._count = 0

    def unenforced(self) -> tuple[tuple[str, str], ...]:
        """Say where in the original what is not carried is."""
        found = {
            (pointer, keyword): None
            for place, keyword in self._unenforced
            for pointer in self._plain.keyword_pointers(keyword, place)
        }
        return tuple(found)

    def build(
        self, schema: Any, place: PropertyPath = (), trail: ReferencePath = ()
    ) -> SizedSchema:
        """Narrow a schema at a place.

        Raises:
            UnfitError: nothing fits it, or nothing that ends.
            SchemaTooLargeError: it is too much to look through.
        """
        self._count += 1
        if self._count > MAX_BUILT:
            raise SchemaTooLargeError(f"It unfolds into more than {MAX_BUILT:,} schemas.")
        if schema is True:
            schema = {}
        if not isinstance(schema, dict) or schema.get("not") == {}:  # what draft 4 has for false
            raise UnsatisfiableSchemaError
        if "$ref" in schema:
            trail, referred = self._enter_reference(schema["$ref"], trail)
            return self.build(referred, (schema["$ref"],), trail)
        if "const" in schema or "enum" in schema:
            return self._enum(schema)
        words = schema.keys() & COMBINATORS
        if words and not (schema.get("type") == "string" and words <= {"allOf", "not"}):
            return self._combinators(schema, place, trail)
        return self._typed(schema, place, trail)

    def _enter_reference(self, reference: str, trail: ReferencePath) -> tuple[ReferencePath, Any]:
        if trail.count(reference) > self._room.depth:
            raise UnsatisfiableSchemaError
        return (*trail, reference), self._plain.resolve_recursive(reference)

    def _typed(self, schema: Schema, place: PropertyPath, trail: ReferencePath) -> SizedSchema:
        kinds = schema.get("type") or DEFAULT_TYPES
        if isinstance(kinds, str):
            return self._of_type(kinds, schema, place, trail)
        if len(kinds) >= MANY_TYPES:
            kinds = [kind for kind in (*DEFAULT_TYPES, "number") if kind in kinds]
        kinds = sorted(kinds, key=lambda kind: kind == "null")
        return self._any_of([schema | {"type": kind} for kind in kinds], place, trail)

    def _of_type(
        self, kind: str, schema: Schema, place: PropertyPath, trail: ReferencePath
    ) -> SizedSchema:
        match kind:
            case "object":
                return self._object(schema, place, trail)
            case "array":
                return self._array(schema, place, trail)
            case "string":
                return self._string(schema, place)
            case "integer":
                return _with_size(NumberRange.from_schema(schema).integer_schema())
            case "number":
                return self._number(schema, place)
            case _:
                return {"type": kind}, len("false")

    def _any_of(self, schemas: list[Any], place: PropertyPath, trail: ReferencePath) -> SizedSchema:
        """Let a value fit one of them, of those that something fits."""
        built: list[SizedSchema] = []
        for schema in schemas:
            before = dict(self._unenforced)
            try:
                one = self.build(schema, place, trail)
            except UnsatisfiableSchemaError:
                self._unenforced = before
                continue
            if one not in built:
                built.append(one)
        if not built:
            raise UnsatisfiableSchemaError
        if len(built) == 1:
            return built[0]
        flat = [part for one, _ in built for part in one.get("anyOf", [one])]
        return {"anyOf": flat}, max(longest for _, longest in built)

    def _combinators(
        self, schema: Schema, place: PropertyPath, trail: ReferencePath
    ) -> SizedSchema:
        """Narrow what is said by several schemas."""
        inner, unfolded = self._expand_recursion(schema, trail)
        if unfolded != schema:
            return self.build(self._plain.canonicalize(unfolded), place, inner)
        rest, several = distribute_any_of(schema)
        if several is None:
            built = self._typed(rest, place, trail)
        elif rest:
            built = self._any_of([self._intersect(rest, one) for one in several], place, trail)
        else:
            built = self._any_of(drop_vacuous_types(several), place, trail)
        for word in schema.keys() & COMBINATORS - {"anyOf"}:
            self._mark_unenforced(schema, word, built, place)
        return built

    def _expand_recursion(
        self, schema: Schema, trail: ReferencePath
    ) -> tuple[ReferencePath, Schema]:
        """Follow the references in circles that a value has to fit with something else."""
        if set(schema) == {"anyOf"}:
            return trail, schema
        unfolded = dict(schema)
        for word in ("allOf", "anyOf", "oneOf"):
            parts = list(schema.get(word, ()))
            for number, part in enumerate(parts):
                if isinstance(part, dict) and "$ref" in part:
                    trail, parts[number] = self._enter_reference(part["$ref"], trail)
            if parts:
                unfolded[word] = parts
        return trail, unfolded

    def _intersect(self, one: Any, other: Any) -> Any:
        return self._plain.canonicalize({"allOf": [one, other]})

    def _enum(self, schema: Schema) -> SizedSchema:
        values = self._plain.order_values(schema.get("enum", [schema.get("const")]))
        if len(schema) > 1:
            values = [value for value in values if self._plain.accepts(schema, value)]
        if not values:
            raise UnsatisfiableSchemaError
        lengths = [len(_written(value)) for value in values]
        most = max(self._room.text * 2, min(lengths))
        short = [value for value, length in zip(values, lengths, strict=True) if length <= most]
        return {"enum": short}, max(length for length in lengths if length <= most)

    def _number(self, schema: Schema, place: PropertyPath) -> SizedSchema:
        numbers = NumberRange.from_schema(schema)
        if (few := numbers.decimal_schema()) is not None:
            return _with_size(few)
        whole = numbers.integer_schema()
        is_open = numbers.is_unbounded or (self._is_loose and not numbers.is_integral)
        if numbers.is_integral or (whole and not (is_open and self._room.has_decimals)):
            return _with_size(whole)
        built: SizedSchema = {"type": "number"}, LONGEST_NUMBER
        for word in schema.keys() & set(_BOUNDS):
            self._mark_unenforced(schema, word, built, place)
        return built

    def _string(self, schema: Schema, place: PropertyPath) -> SizedSchema:
        found = narrow_string(schema, self._room.text)
        if found is None:
            raise UnsatisfiableSchemaError
        narrowed, longest, left = found
        self._unenforced |= {(place, word): None for word in left}
        for part in (schema, *schema.get("allOf", ())):
            if "not" in part:
                self._mark_unenforced(part, "not", (narrowed, longest), place)
        return narrowed, longest

    def _array(self, schema: Schema, place: PropertyPath, trail: ReferencePath) -> SizedSchema:
        prefix, rest, least, most = array_shape(schema)
        if (wanted := schema.get("contains")) is not None and schema.get("minContains", 1):
            prefix, rest = (
                [self._intersect(one, wanted) for one in prefix],
                self._intersect(rest, wanted),
            )
        if least > most:
            raise UnsatisfiableSchemaError
        if prefix:
            count = max(least, min(len(prefix), most))
            return self._tuple(schema, [*prefix, *[rest] * count][:count], place, trail)
        most = min(most, max(least, self._room.items))
        try:
            item = self.build(rest, place, trail) if most else None
        except UnsatisfiableSchemaError:
            if least:
                raise
            item = None
        if item is None:
            return {"enum": [[]]}, 2
        return self._list(schema, item, (least, most), place)

    def _tuple(
        self, schema: Schema, items: list[Any], place: PropertyPath, trail: ReferencePath
    ) -> SizedSchema:
        built = [self.build(one, place, trail) for one in items]
        fixed: Schema = {"type": "array", "prefixItems": [one for one, _ in built]}
        fixed |= {"minItems": len(built), "maxItems": len(built)}
        longest = 2 + sum(most + 1 + ITEM_SPACE for _, most in built)
        whole: SizedSchema = (fixed, longest) if built else ({"enum": [[]]}, 2)
        if schema.get("uniqueItems"):
            self._mark_unenforced(schema, "uniqueItems", whole, place)
        return whole

    def _list(
        self, schema: Schema, item: SizedSchema, bounds: tuple[int, int], place: PropertyPath
    ) -> SizedSchema:
        (one, length), (least, most) = item, bounds
        is_unique = bool(schema.get("uniqueItems")) and most > 1
        if is_unique and is_finite(one):
            found = unique_arrays(one, least, most)
            if found is None:
                raise UnsatisfiableSchemaError
            return found, 2 + most * (length + 1 + ITEM_SPACE)
        if is_unique and not self._is_loose:
            most = max(least, 1)
        if is_unique and most > 1:
            self._unenforced[place, "uniqueItems"] = None
        narrowed = {"type": "array", "items": one, "minItems": least, "maxItems": most}
        return narrowed, 2 + most * (length + 1 + ITEM_SPACE)

    def _object(self, schema: Schema, place: PropertyPath, trail: ReferencePath) -> SizedSchema:
        form = ObjectProperties(schema, self._plain, place)
        built: dict[str, SizedSchema] = {}
        spare = form.optional_limit(self._room.optional)
        for name in form.candidate_names(self._room.optional):
            is_required = name in form.required
            if not is_required and spare <= 0:
                continue
            before = dict(self._unenforced)
            try:
                built[name] = self.build(form.property_schema(name), (*place, name), trail)
            except UnsatisfiableSchemaError:
                if is_required:
                    raise
                self._unenforced = before
            else:
                spare -= not is_required
        required = form.required_names(built)
        if required is None:
            raise UnsatisfiableSchemaError
        longest = 2 + ITEM_SPACE
        for name, (_, most) in built.items():
            longest += len(_written(name)) + 2 + PROPERTY_SPACE + most
        properties = {name: one for name, (one, _) in built.items()}
        narrowed = {"type": "object", "properties": properties, "required": required}
        return narrowed | {"additionalProperties": False}, longest

    def _mark_unenforced(
        self, schema: Schema, word: str, built: SizedSchema, place: PropertyPath
    ) -> None:
        """Leave a keyword to the judge, unless it is certain to hold."""
        words = _CONDITION if word == "if" else (word,)
        said = {one: schema[one] for one in words if one in schema}
        if not self._plain.is_superset_of(said, built[0]):
            self._unenforced[place, word] = None


def _with_size(schema: Schema | None) -> SizedSchema:
    if schema is None:
        raise UnsatisfiableSchemaError
    ends = schema["enum"] if "enum" in schema else (schema["minimum"], schema["maximum"])
    return schema, max(len(_written(end)) for end in ends)


_written = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))
