"""A narrower schema in another's place: every answer that fits it fits the other, and is short.

A grammar carries less than JSON Schema says, and leaves a small model room to run on until it is
cut off. So what a grammar cannot carry is written in words that it can (a range as its values, a
format as a pattern, `allOf` as one schema), everything has an end, and what is left is named.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import jsonschema_rs

from backend.schema.errors import SchemaTooLargeError, SchemaUnsatisfiableError
from backend.schema.formats import FORMATS
from backend.schema.merge import LEFT, NOT, Alternative, Flattening, Trail, UnfitError
from backend.schema.patterns import UncarriedError, carried
from backend.schema.properties import Properties
from backend.schema.ranges import integers, numbers

Built = tuple[dict[str, Any], int]  # a schema, and how many characters fit it at most

# Characters are reckoned as if a token had two, and most have more: what is so much longer may fit.
MAX_OVERRUN = 3
MAX_ITEMS = 1000
MAX_FORMAT = 60  # characters of a value that has a format
MAX_NAME = 20  # and of a name that the model chooses
MAPPED = 3  # so many of them are reckoned with
SPACE = 2  # characters between two parts, where a grammar lets a model put some


@dataclass(frozen=True)
class Room:
    """How much a schema may allow."""

    characters: int  # of a string
    items: int  # of an array
    has_optional: bool  # properties
    depth: int  # how often a schema may be met inside itself


# From roomy to tight. A level begins two further on.
ROOMS = (
    Room(120, 5, has_optional=True, depth=2),
    Room(80, 4, has_optional=True, depth=2),
    Room(60, 3, has_optional=True, depth=1),
    Room(40, 3, has_optional=True, depth=1),
    Room(32, 2, has_optional=True, depth=1),
    Room(32, 2, has_optional=False, depth=0),
    Room(24, 2, has_optional=False, depth=0),
    Room(16, 1, has_optional=False, depth=0),
    Room(8, 1, has_optional=False, depth=0),
)
ROOMS_A_LEVEL = 2


@dataclass(frozen=True)
class Narrowed:
    """The narrower schema.

    `unenforced` are the places (JSON pointers into an answer's form) and keywords that it does not
    carry; `longest` is how many characters an answer may have at most.
    """

    schema: Any
    unenforced: tuple[tuple[str, str], ...]
    longest: int


def narrow(schema: Any, *, characters: int, level: int = 0) -> Narrowed:
    """Narrow a vetted schema until its longest answer has at most `characters`.

    Raises:
        SchemaUnsatisfiableError: nothing fits it.
        SchemaTooLargeError: everything that fits it is longer.
    """
    first = min(level * ROOMS_A_LEVEL, len(ROOMS) - 1)
    narrowed = None
    for room in ROOMS[first:]:
        narrowed = _Narrowing(schema, room).narrowed()
        if narrowed.longest <= characters:
            return narrowed
    assert narrowed  # noqa: S101  # there is at least one room
    if narrowed.longest <= characters * MAX_OVERRUN:
        return narrowed
    raise SchemaTooLargeError(
        f"Even its shortest answers may have {narrowed.longest} characters, and there is room for "
        f"{characters}. Raise max_tokens, or ask for less."
    )


class _Narrowing:
    """One narrowing into one room."""

    def __init__(self, root: Any, room: Room) -> None:
        self._root = root
        self._room = room
        self._flattening = Flattening(root, room.depth)
        self._left: dict[tuple[str, str], None] = {}  # in the order found

    def narrowed(self) -> Narrowed:
        try:
            schema, longest = self._any(self._root, (), "")
        except UnfitError:
            raise SchemaUnsatisfiableError(
                "Nothing fits the schema, or nothing that ends."
            ) from None
        return Narrowed(schema, tuple(self._left), longest)

    def _any(self, schema: Any, entered: Trail, path: str) -> Built:
        built: list[Built] = []
        for alternative, trail in self._flattening.alternatives(schema, entered):
            for kind in _kinds(alternative):
                before = dict(self._left)
                try:
                    one = self._of_kind(kind, alternative, trail, path)
                except UnfitError:
                    self._left = before
                    continue
                if one not in built:
                    built.append(one)
        if not built:
            raise UnfitError
        if len(built) == 1:
            return built[0]
        return {"anyOf": [one for one, _ in built]}, max(longest for _, longest in built)

    def _of_kind(self, kind: str, alternative: Alternative, trail: Trail, path: str) -> Built:
        for keyword in alternative.get(LEFT, ()):
            self._leave(path, keyword)
        match kind:
            case "enum":
                return self._enum(alternative)
            case "object":
                return self._object(alternative, trail, path)
            case "array":
                return self._array(alternative, trail, path)
        if NOT in alternative:
            self._leave(path, "not")
        match kind:
            case "string":
                return self._string(alternative, path)
            case "null" | "boolean":
                return {"type": kind}, 5
        carry = integers if kind == "integer" else numbers
        return self._number(carry, alternative, path)

    def _enum(self, alternative: Alternative) -> Built:
        values = [value for value in alternative["enum"] if self._fits(value, alternative)]
        if not values:
            raise UnfitError
        return {"enum": values}, max(len(_written(value)) for value in values)

    def _fits(self, value: Any, alternative: Alternative) -> bool:
        rules = {
            name: rule for name, rule in alternative.items() if name not in (LEFT, NOT, "enum")
        }
        if NOT in alternative:
            rules["not"] = {"anyOf": list(alternative[NOT])}
        if not rules:
            return True
        for name in ("$defs", "definitions"):
            if isinstance(self._root, dict) and name in self._root:
                rules[name] = self._root[name]
        try:
            return jsonschema_rs.is_valid(rules, value, validate_formats=True)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            return False

    def _number(self, carry: Any, alternative: Alternative, path: str) -> Built:
        low, high = alternative.get("minimum"), alternative.get("maximum")
        above, below = alternative.get("exclusiveMinimum"), alternative.get("exclusiveMaximum")
        step = alternative.get("multipleOf")
        found = carry(_inside(low, above, 1), _inside(high, below, -1), step)
        if found is None:
            raise UnfitError
        schema, longest, left = found
        for keyword in left:
            self._leave(path, keyword)
        return schema, longest

    def _string(self, alternative: Alternative, path: str) -> Built:
        shortest = max(alternative.get("minLength", 0), 0)
        longest = max(self._room.characters, shortest)
        longest = min(alternative.get("maxLength", longest), longest)
        if longest < shortest:
            raise UnfitError
        pattern, named = alternative.get("pattern"), FORMATS.get(alternative.get("format", ""))
        for keyword, wanted in (("pattern", pattern), ("format", named)):
            if wanted is None:
                continue
            try:
                most = min(alternative.get("maxLength", MAX_FORMAT), max(longest, MAX_FORMAT))
                text, most = carried(wanted, shortest, most if keyword == "format" else longest)
            except UncarriedError:
                self._leave(path, keyword)
                continue
            if keyword == "pattern" and named:
                self._leave(path, "format")
            return {"type": "string", "pattern": text}, most + 2
        if longest:
            shortest = max(shortest, 1)  # nothing is rarely meant, and often written
        return {"type": "string", "minLength": shortest, "maxLength": longest}, longest + 2

    def _array(self, alternative: Alternative, trail: Trail, path: str) -> Built:
        if NOT in alternative:
            self._leave(path, "not")
        low, high = _counts(alternative, self._room.items)
        rest, prefix = alternative.get("items", True), alternative.get("prefixItems", [])
        if (wanted := alternative.get("contains")) is not None:
            rest, *prefix = [{"allOf": [one, wanted]} for one in (rest, *prefix)]
        if prefix:
            items = [*prefix, *[rest] * low][: max(low, min(len(prefix), high))]
            return self._tuple(items, alternative, trail, path)
        try:
            item, longest = self._any(rest, trail, f"{path}/items")
        except UnfitError:
            if low:
                raise
            high = 0
        if not high:
            return {"enum": [[]]}, 2
        if alternative.get("uniqueItems") and high > 1:
            if (values := _values(item)) is not None:
                return self._distinct(values, low, min(high, len(values)), longest)
            high = max(low, 1)
            if high > 1:
                self._leave(path, "uniqueItems")
        schema = {"type": "array", "items": item, "minItems": low, "maxItems": high}
        return schema, 2 + SPACE + high * (longest + 1 + SPACE)

    def _tuple(self, items: list[Any], alternative: Alternative, trail: Trail, path: str) -> Built:
        if alternative.get("uniqueItems") and len(items) > 1:
            self._leave(path, "uniqueItems")
        built = [self._any(one, trail, f"{path}/{index}") for index, one in enumerate(items)]
        if not built:
            return {"enum": [[]]}, 2
        longest = 2 + SPACE + sum(most + 1 + SPACE for _, most in built)
        return {"type": "array", "prefixItems": [one for one, _ in built]}, longest

    def _distinct(self, values: list[Any], low: int, high: int, longest: int) -> Built:
        """Let each place have values of its own, so that none comes twice."""
        if low > high:
            raise UnfitError
        tuples = []
        for count in range(max(low, 1), high + 1):
            shares = [{"enum": values[place::count]} for place in range(count)]
            tuples.append({"type": "array", "prefixItems": shares})
        schema = tuples[0] if len(tuples) == 1 else {"anyOf": tuples}
        return schema, 2 + SPACE + high * (longest + 1 + SPACE)

    def _object(self, alternative: Alternative, trail: Trail, path: str) -> Built:
        form = Properties(alternative)
        for keyword in form.left:
            self._leave(path, keyword)
        built: dict[str, Built] = {}
        for name, schema in form.named.items():
            is_required = name in form.required
            if not is_required and not (self._room.has_optional or form.is_short(len(built))):
                continue
            place = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
            before = dict(self._left)
            try:
                built[name] = self._any(schema, trail, place)
            except UnfitError:
                if is_required:
                    raise
                self._left = before
        required, kept = form.chosen(list(built))
        if not kept and isinstance(rest := alternative.get("additionalProperties"), dict):
            return self._map(rest, trail, path, form)
        schema = {
            "type": "object",
            "properties": {name: built[name][0] for name in kept},
            "required": required,
            "additionalProperties": False,
        }
        parts = [len(_written(name)) + 2 + 2 * SPACE + built[name][1] for name in kept]
        return schema, 2 + SPACE + sum(parts)

    def _map(self, rest: dict[str, Any], trail: Trail, path: str, form: Properties) -> Built:
        """Leave the names to the model, where there is room for it; no grammar counts them."""
        empty = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
        try:
            value, longest = self._any(rest, trail, f"{path}/additionalProperties")
        except UnfitError:
            return empty, 2
        if not self._room.has_optional or form.has_rules_for_names:
            return empty, 2
        return (
            {"type": "object", "additionalProperties": value},
            2 + MAPPED * (longest + MAX_NAME + 2 * SPACE),
        )

    def _leave(self, path: str, keyword: str) -> None:
        self._left[path, keyword] = None


def _counts(alternative: Alternative, most: int) -> tuple[int, int]:
    """Give how many items there may be; where some have to be of a kind, all are to be of it."""
    low = alternative.get("minItems", 0)
    if "contains" in alternative:
        low = max(low, alternative.get("minContains", 1))
    high = min(alternative.get("maxItems", MAX_ITEMS), max(most, low))
    high = min(high, alternative.get("maxContains", high))
    if low > min(high, MAX_ITEMS):
        raise UnfitError
    return low, high


def _kinds(alternative: Alternative) -> list[str]:
    """Give the kinds of value to allow, where nothing says them those that the keywords are for."""
    if "enum" in alternative:
        return ["enum"]
    if "type" in alternative:
        kinds = list(alternative["type"])
        return [kind for kind in kinds if kind != "integer" or "number" not in kinds]
    for kind, keywords in _TELLING.items():
        if any(keyword in alternative for keyword in keywords):
            return [kind]
    return ["string"]


_TELLING = {
    "object": ("properties", "required", "additionalProperties", "patternProperties"),
    "array": ("items", "prefixItems", "contains", "minItems", "uniqueItems", "maxItems"),
    "string": ("pattern", "format", "minLength", "maxLength"),
    "number": ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"),
}


def _inside(bound: Any, excluded: Any, sign: int) -> Any:
    """Give the bound that keeps off an excluded one too; near it, not at it."""
    if excluded is None:
        return bound
    step = Decimal(1) if float(excluded).is_integer() else Decimal("0.01")
    near = Decimal(str(excluded)) + sign * step
    if abs(Decimal(str(excluded))) <= 1:
        near = Decimal(str(excluded)) + sign * Decimal("0.01")
    return near if bound is None else max(near, Decimal(str(bound)), key=lambda n: n * sign)


def _values(schema: Any) -> list[Any] | None:
    if schema == {"type": "boolean"}:
        return [True, False]
    return schema.get("enum") if isinstance(schema, dict) else None


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
