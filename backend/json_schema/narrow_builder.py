"""One narrowing of a plain schema into one room."""

import json
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

from backend.json_schema.arrays import distinct, is_countable, places
from backend.json_schema.combinators import ALL_TYPES, NOT_PLAIN, distributed, meant
from backend.json_schema.errors import SchemaTooLargeError
from backend.json_schema.normalize import Place, Plain
from backend.json_schema.numbers import Range
from backend.json_schema.objects import Properties
from backend.json_schema.strings import text

Schema = dict[str, Any]
Built = tuple[Schema, int]  # a schema, and how many characters what fits it may have
Trail = tuple[str, ...]  # of the references in circles that did

MAX_BUILT = 5_000  # schemas
ITEM_SPACE = 2  # white space that a model writes around an item, and around a property
PROPERTY_SPACE = 4
LONGEST_NUMBER = 24  # as a model writes one; llama.cpp's grammar has 52 for it
ANYTHING = ("string", "integer", "boolean")  # what is asked for where anything may be
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_CONDITION = ("if", "then", "else")


class UnfitError(Exception):
    """Nothing fits, or nothing that ends."""


@dataclass(frozen=True)
class Room:
    """How much there may be: characters of a text, items, properties that may be left out."""

    text: int
    items: int
    optional: int
    depth: int  # how often a schema may be met inside itself
    has_decimals: bool  # also where nothing keeps them short

    def within(self, most: int) -> Self:
        return replace(self, text=min(self.text, max(most, 1)))


class Narrowing:
    """Builds the narrower schema; a loose one leaves to the judge what would cost too much."""

    def __init__(self, plain: Plain, room: Room, *, is_loose: bool) -> None:
        self._plain = plain
        self._room = room
        self._is_loose = is_loose
        self._left: dict[tuple[Place, str], None] = {}  # in the order found
        self._count = 0

    def unenforced(self) -> tuple[tuple[str, str], ...]:
        """Say where in the original what is not carried is."""
        found = {
            (pointer, keyword): None
            for place, keyword in self._left
            for pointer in self._plain.places(keyword, place)
        }
        return tuple(found)

    def build(self, schema: Any, place: Place = (), trail: Trail = ()) -> Built:
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
            raise UnfitError
        if "$ref" in schema:
            trail, referred = self._entered(schema["$ref"], trail)
            return self.build(referred, (schema["$ref"],), trail)
        if "const" in schema or "enum" in schema:
            return self._enum(schema)
        words = schema.keys() & NOT_PLAIN
        if words and not (schema.get("type") == "string" and words <= {"allOf", "not"}):
            return self._combined(schema, place, trail)
        return self._typed(schema, place, trail)

    def _entered(self, reference: str, trail: Trail) -> tuple[Trail, Any]:
        if trail.count(reference) > self._room.depth:
            raise UnfitError
        return (*trail, reference), self._plain.referred(reference)

    def _typed(self, schema: Schema, place: Place, trail: Trail) -> Built:
        kinds = schema.get("type") or ANYTHING
        if isinstance(kinds, str):
            return self._of_type(kinds, schema, place, trail)
        if len(kinds) >= ALL_TYPES:
            kinds = [kind for kind in (*ANYTHING, "number") if kind in kinds]
        kinds = sorted(kinds, key=lambda kind: kind == "null")
        return self._any([schema | {"type": kind} for kind in kinds], place, trail)

    def _of_type(self, kind: str, schema: Schema, place: Place, trail: Trail) -> Built:
        match kind:
            case "object":
                return self._object(schema, place, trail)
            case "array":
                return self._array(schema, place, trail)
            case "string":
                return self._string(schema, place)
            case "integer":
                return _sized(Range.of(schema).integers())
            case "number":
                return self._number(schema, place)
            case _:
                return {"type": kind}, len("false")

    def _any(self, schemas: list[Any], place: Place, trail: Trail) -> Built:
        """Let a value fit one of them, of those that something fits."""
        built: list[Built] = []
        for schema in schemas:
            before = dict(self._left)
            try:
                one = self.build(schema, place, trail)
            except UnfitError:
                self._left = before
                continue
            if one not in built:
                built.append(one)
        if not built:
            raise UnfitError
        if len(built) == 1:
            return built[0]
        flat = [part for one, _ in built for part in one.get("anyOf", [one])]
        return {"anyOf": flat}, max(longest for _, longest in built)

    def _combined(self, schema: Schema, place: Place, trail: Trail) -> Built:
        """Narrow what is said by several schemas."""
        inner, unfolded = self._unfolded(schema, trail)
        if unfolded != schema:
            return self.build(self._plain.simplified(unfolded), place, inner)
        rest, several = distributed(schema)
        if several is None:
            built = self._typed(rest, place, trail)
        elif rest:
            built = self._any([self._both(rest, one) for one in several], place, trail)
        else:
            built = self._any(meant(several), place, trail)
        for word in schema.keys() & NOT_PLAIN - {"anyOf"}:
            self._leave(schema, word, built, place)
        return built

    def _unfolded(self, schema: Schema, trail: Trail) -> tuple[Trail, Schema]:
        """Follow the references in circles that a value has to fit with something else."""
        if set(schema) == {"anyOf"}:
            return trail, schema
        unfolded = dict(schema)
        for word in ("allOf", "anyOf", "oneOf"):
            parts = list(schema.get(word, ()))
            for number, part in enumerate(parts):
                if isinstance(part, dict) and "$ref" in part:
                    trail, parts[number] = self._entered(part["$ref"], trail)
            if parts:
                unfolded[word] = parts
        return trail, unfolded

    def _both(self, one: Any, other: Any) -> Any:
        return self._plain.simplified({"allOf": [one, other]})

    def _enum(self, schema: Schema) -> Built:
        values = self._plain.values_in_order(schema.get("enum", [schema.get("const")]))
        if len(schema) > 1:
            values = [value for value in values if self._plain.fits(schema, value)]
        if not values:
            raise UnfitError
        lengths = [len(_written(value)) for value in values]
        most = max(self._room.text * 2, min(lengths))
        short = [value for value, length in zip(values, lengths, strict=True) if length <= most]
        return {"enum": short}, max(length for length in lengths if length <= most)

    def _number(self, schema: Schema, place: Place) -> Built:
        numbers = Range.of(schema)
        if (few := numbers.decimals()) is not None:
            return _sized(few)
        whole = numbers.integers()
        is_open = numbers.is_free or (self._is_loose and not numbers.is_whole)
        if numbers.is_whole or (whole and not (is_open and self._room.has_decimals)):
            return _sized(whole)
        built: Built = {"type": "number"}, LONGEST_NUMBER
        for word in schema.keys() & set(_BOUNDS):
            self._leave(schema, word, built, place)
        return built

    def _string(self, schema: Schema, place: Place) -> Built:
        found = text(schema, self._room.text)
        if found is None:
            raise UnfitError
        narrowed, longest, left = found
        self._left |= {(place, word): None for word in left}
        for part in (schema, *schema.get("allOf", ())):
            if "not" in part:
                self._leave(part, "not", (narrowed, longest), place)
        return narrowed, longest

    def _array(self, schema: Schema, place: Place, trail: Trail) -> Built:
        prefix, rest, least, most = places(schema)
        if (wanted := schema.get("contains")) is not None and schema.get("minContains", 1):
            prefix, rest = [self._both(one, wanted) for one in prefix], self._both(rest, wanted)
        if least > most:
            raise UnfitError
        if prefix:
            count = max(least, min(len(prefix), most))
            return self._tuple(schema, [*prefix, *[rest] * count][:count], place, trail)
        most = min(most, max(least, self._room.items))
        try:
            item = self.build(rest, place, trail) if most else None
        except UnfitError:
            if least:
                raise
            item = None
        if item is None:
            return {"enum": [[]]}, 2
        return self._list(schema, item, (least, most), place)

    def _tuple(self, schema: Schema, items: list[Any], place: Place, trail: Trail) -> Built:
        built = [self.build(one, place, trail) for one in items]
        fixed: Schema = {"type": "array", "prefixItems": [one for one, _ in built]}
        fixed |= {"minItems": len(built), "maxItems": len(built)}
        longest = 2 + sum(most + 1 + ITEM_SPACE for _, most in built)
        whole: Built = (fixed, longest) if built else ({"enum": [[]]}, 2)
        if schema.get("uniqueItems"):
            self._leave(schema, "uniqueItems", whole, place)
        return whole

    def _list(self, schema: Schema, item: Built, bounds: tuple[int, int], place: Place) -> Built:
        (one, length), (least, most) = item, bounds
        is_unique = bool(schema.get("uniqueItems")) and most > 1
        if is_unique and is_countable(one):
            found = distinct(one, least, most)
            if found is None:
                raise UnfitError
            return found, 2 + most * (length + 1 + ITEM_SPACE)
        if is_unique and not self._is_loose:
            most = max(least, 1)
        if is_unique and most > 1:
            self._left[place, "uniqueItems"] = None
        narrowed = {"type": "array", "items": one, "minItems": least, "maxItems": most}
        return narrowed, 2 + most * (length + 1 + ITEM_SPACE)

    def _object(self, schema: Schema, place: Place, trail: Trail) -> Built:
        form = Properties(schema, self._plain, place)
        built: dict[str, Built] = {}
        spare = form.spare(self._room.optional)
        for name in form.names(self._room.optional):
            is_required = name in form.required
            if not is_required and spare <= 0:
                continue
            before = dict(self._left)
            try:
                built[name] = self.build(form.schema(name), (*place, name), trail)
            except UnfitError:
                if is_required:
                    raise
                self._left = before
            else:
                spare -= not is_required
        required = form.chosen(built)
        if required is None:
            raise UnfitError
        longest = 2 + ITEM_SPACE
        for name, (_, most) in built.items():
            longest += len(_written(name)) + 2 + PROPERTY_SPACE + most
        properties = {name: one for name, (one, _) in built.items()}
        narrowed = {"type": "object", "properties": properties, "required": required}
        return narrowed | {"additionalProperties": False}, longest

    def _leave(self, schema: Schema, word: str, built: Built, place: Place) -> None:
        """Leave a keyword to the judge, unless it is certain to hold."""
        words = _CONDITION if word == "if" else (word,)
        said = {one: schema[one] for one in words if one in schema}
        if not self._plain.covers(said, built[0]):
            self._left[place, word] = None


def _sized(schema: Schema | None) -> Built:
    if schema is None:
        raise UnfitError
    ends = schema["enum"] if "enum" in schema else (schema["minimum"], schema["maximum"])
    return schema, max(len(_written(end)) for end in ends)


_written = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))
