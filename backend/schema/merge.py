"""A schema as plain alternatives: no references, no `allOf`, `anyOf`, `oneOf` or `if` in them.

Each alternative allows at most what the schema does. What had to be left out is kept under `LEFT`.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from backend.schema.vet import target

Alternative = dict[str, Any]
Trail = tuple[str, ...]  # the references that were followed
Found = tuple[Alternative, Trail]

LEFT = "\0left"  # keywords that are not carried
NOT = "\0not"  # schemas that must not fit
MAX_ALTERNATIVES = 16

_ANNOTATIONS = frozenset(
    [
        "$anchor",
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "default",
        "definitions",
        "deprecated",
        "description",
        "examples",
        "id",
        "readOnly",
        "title",
        "writeOnly",
    ]
)
_COMBINED = frozenset(
    ["$ref", "allOf", "anyOf", "dependencies", "dependentSchemas", "else", "if", "oneOf", "then"]
)
_HIGHEST = frozenset(
    ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"]
)
_LOWEST = frozenset(
    ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"]
)
_INNER = frozenset(
    ["additionalProperties", "contains", "items", "propertyNames", "unevaluatedItems"]
)


class UnfitError(Exception):
    """Nothing fits, or it is met inside itself too often."""


class Flattening:
    """Flattens the schemas of one root; a reference may be entered `depth` times inside itself."""

    def __init__(self, root: Any, depth: int) -> None:
        self._root = root
        self._depth = depth
        self._nodes = 0

    def alternatives(self, schema: Any, entered: Trail) -> list[Found]:
        """Give the alternatives, each with the references that led to it."""
        self._nodes += 1
        if self._nodes > 20_000:
            raise UnfitError
        if schema is True:
            return [({}, entered)]
        if not isinstance(schema, dict):
            return []
        found = self._referred([(_plain(schema), entered)], schema, entered)
        for part in (*schema.get("allOf", ()), *_dependent(schema)):
            found = self._both(found, [part], entered)
        if "anyOf" in schema:
            found = self._both(found, schema["anyOf"], entered)
        if "oneOf" in schema:
            found = self._one(found, schema["oneOf"], entered)
        if "if" in schema:
            found = self._conditional(found, schema, entered)
        return found[:MAX_ALTERNATIVES]

    def _referred(self, found: list[Found], schema: dict[str, Any], entered: Trail) -> list[Found]:
        """Let each alternative fit what is referred to, unless that was met too often already."""
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return found
        if entered.count(reference) > self._depth:
            return []
        _, referred = target(self._root, reference)
        return self._both(found, [referred], (*entered, reference))

    def _both(self, found: list[Found], parts: Iterable[Any], entered: Trail) -> list[Found]:
        """Let each alternative fit one of the parts too."""
        others = [one for part in parts for one in self.alternatives(part, entered)]
        merged = []
        for one, before in found:
            for other, after in others:
                if (both := merge(one, other)) is not None:
                    merged.append((both, after if len(after) > len(before) else before))
                if len(merged) >= MAX_ALTERNATIVES:
                    return merged
        return merged

    def _one(self, found: list[Found], parts: list[Any], entered: Trail) -> list[Found]:
        """Let each alternative fit one of the parts, and as far as can be seen no other."""
        branches = [self._both(found, [part], entered) for part in parts]
        kept = []
        for number, branch in enumerate(branches):
            others = [one for n, b in enumerate(branches) if n != number for one, _ in b]
            kept += [
                (_kept_apart(one, others), trail) for one, trail in branch if one not in others
            ]
        return kept[:MAX_ALTERNATIVES]

    def _conditional(
        self, found: list[Found], schema: dict[str, Any], entered: Trail
    ) -> list[Found]:
        """Let `if` fit and `then` too; or, where one property decides it, `else`."""
        condition = schema["if"]
        positive = self._both(found, [condition], entered)
        kept = self._both(positive, [schema.get("then", True)], entered)
        opposite = _opposite(condition)
        if opposite is None and not kept:
            opposite = {"not": condition} if positive else True
        if opposite is not None:
            negative = self._both(found, [opposite], entered)
            kept += self._both(negative, [schema.get("else", True)], entered)
        return kept


def merge(one: Alternative, other: Alternative) -> Alternative | None:
    """Give what fits both; nothing, where nothing can."""
    one, other = _closed(one, other), _closed(other, one)
    both = dict(one)
    for keyword, value in other.items():
        if keyword not in both:
            both[keyword] = value
        elif join := _JOINED.get(keyword):
            both[keyword] = join(both[keyword], value)
        elif both[keyword] != value:
            both[LEFT] = (*both.get(LEFT, ()), keyword)
    if both.get("type", True) == [] or both.get("enum", True) == []:
        return None
    return both


def are_apart(one: Alternative, other: Alternative) -> bool:
    """Tell whether it is certain that nothing with only the first one's properties fits both."""
    merged = merge(
        {key: one[key] for key in ("type", "enum") if key in one},
        {key: other[key] for key in ("type", "enum") if key in other},
    )
    if merged is None:
        return True
    if "enum" in merged and "type" in merged:
        return not any(_has_type(value, merged["type"]) for value in merged["enum"])
    if one.get("type") != ["object"] or other.get("type") != ["object"]:
        return False
    mine, others = one.get("properties", {}), other.get("properties", {})
    if any(name not in mine for name in other.get("required", ())):
        return True
    return any(
        isinstance(mine.get(name), dict)
        and isinstance(others.get(name), dict)
        and are_apart(_plain(mine[name]), _plain(others[name]))
        for name in one.get("required", ())
    )


def _kept_apart(one: Alternative, others: list[Alternative]) -> Alternative:
    """Hold an alternative off the others, if need be by leaving out what they require."""
    for other in others:
        if are_apart(one, other):
            continue
        able = [name for name in other.get("required", ()) if name not in one.get("required", ())]
        if able and other.get("type", ["object"]) == ["object"]:
            one = one | {"properties": one.get("properties", {}) | {able[0]: False}}
        else:
            one = one | {LEFT: (*one.get(LEFT, ()), "oneOf")}
    return one


def _plain(schema: dict[str, Any]) -> Alternative:
    """Give what a schema says by itself, in one way of saying it."""
    plain = {
        keyword: value
        for keyword, value in schema.items()
        if keyword not in _ANNOTATIONS and keyword not in _COMBINED
    }
    if "const" in plain:
        value = plain.pop("const")
        plain["enum"] = [value] if _is_in(value, plain.get("enum", [value])) else []
    if isinstance(types := plain.get("type"), str):
        plain["type"] = [types]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        is_flag = isinstance(plain.get(exclusive), bool)  # as in draft 4
        if is_flag and plain.pop(exclusive) and bound in plain:
            plain[exclusive] = plain.pop(bound)
    if "not" in plain:
        plain[NOT] = (plain.pop("not"),)
    if isinstance(plain.get("items"), list):  # as before 2020-12
        plain["prefixItems"] = plain.pop("items")
        if "additionalItems" in plain:
            plain["items"] = plain.pop("additionalItems")
    plain.pop("additionalItems", None)
    named = schema.get("dependencies", {})
    lists = {name: value for name, value in named.items() if isinstance(value, list)}
    if lists:
        plain["dependentRequired"] = {**plain.get("dependentRequired", {}), **lists}
    return plain


def _dependent(schema: dict[str, Any]) -> list[Any]:
    """Give the schemas that hold where a property is there; here they hold always."""
    named = {**schema.get("dependencies", {}), **schema.get("dependentSchemas", {})}
    return [value for value in named.values() if isinstance(value, dict | bool)]


def _closed(one: Alternative, other: Alternative) -> Alternative:
    """Hold the first one's properties to what the other says of those that it does not name."""
    rest = other.get("additionalProperties", True)
    if rest is True or "properties" not in one:
        return one
    named, patterns = other.get("properties", {}), other.get("patternProperties", {})
    properties = {
        name: value if name in named or patterns else _all(value, rest)
        for name, value in one["properties"].items()
    }
    left = (*one.get(LEFT, ()), "additionalProperties") if patterns else one.get(LEFT, ())
    return one | {"properties": properties} | ({LEFT: left} if left else {})


def _opposite(condition: Any) -> Any:
    """Give a schema of which nothing fits the condition, where one property decides it."""
    if not isinstance(condition, dict) or set(condition) - {"properties", "required", "type"}:
        return None
    properties = condition.get("properties", {})
    if len(properties) != 1:
        return None
    [(name, inner)] = properties.items()
    if not isinstance(inner, dict) or set(inner) - {"const", "enum"} or not inner:
        return None
    return {
        "type": "object",
        "required": [name],
        "properties": {name: {"not": {"enum": inner.get("enum", [inner.get("const")])}}},
    }


def _all(one: Any, other: Any) -> Any:
    if one is True or one == other:
        return other
    if other is True:
        return one
    if one is False or other is False:
        return False
    return {"allOf": [one, other]}


def _common_types(one: list[str], other: list[str]) -> list[str]:
    common = [kind for kind in one if kind in other]
    for mine, others in ((one, other), (other, one)):
        if "integer" in mine and "number" in others and "integer" not in common:
            common.append("integer")
    return common


def _has_type(value: Any, types: list[str]) -> bool:
    return any(_is_a(value, kind) for kind in types)


def _is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    kinds: dict[str, Any] = {"string": str, "null": type(None), "object": dict, "array": list}
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if kind == "number":
        return isinstance(value, int | float)
    return kind in kinds and isinstance(value, kinds[kind])


def _is_in(value: Any, values: Any) -> bool:
    """Compare as JSON does: true is not 1, and 1.0 is."""
    return any(
        value == other and isinstance(value, bool) == isinstance(other, bool) for other in values
    )


def _by_name(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {name: _all(one.get(name, True), other.get(name, True)) for name in {**one, **other}}


def _multiple(one: float, other: float) -> Any:
    """Give the least number that is a multiple of both, exact also for decimals."""
    mine, others = Fraction(str(one)), Fraction(str(other))
    least = Fraction(
        lcm(mine.numerator, others.numerator), gcd(mine.denominator, others.denominator)
    )
    return int(least) if least.denominator == 1 else float(least)


_JOINED: dict[str, Callable[[Any, Any], Any]] = {
    "type": _common_types,
    "enum": lambda one, other: [value for value in one if _is_in(value, other)],
    "properties": _by_name,
    "patternProperties": _by_name,
    "required": lambda one, other: list(dict.fromkeys([*one, *other])),
    "dependentRequired": lambda one, other: {
        name: [*one.get(name, ()), *other.get(name, ())] for name in {**one, **other}
    },
    "uniqueItems": lambda one, other: one or other,
    "multipleOf": _multiple,
    LEFT: lambda one, other: (*one, *other),
    NOT: lambda one, other: (*one, *other),
    **dict.fromkeys(_HIGHEST, max),
    **dict.fromkeys(_LOWEST, min),
    **dict.fromkeys(_INNER, _all),
}
