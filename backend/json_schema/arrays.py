"""What arrays may hold, and how many; and those in which no value comes twice."""

from itertools import combinations
from math import comb
from typing import Any

MAX_ARRAYS = 128  # more of them slow a grammar down
MAX_ITEMS = 1_000
_VALUES: dict[str, list[Any]] = {"boolean": [True, False], "null": [None]}

Schema = dict[str, Any]


def array_shape(schema: Schema) -> tuple[list[Any], Any, int, int]:
    """Give what the first items are, what the others are, and how many there are to be."""
    prefix, rest = schema.get("prefixItems", []), schema.get("items", True)
    if isinstance(rest, list):  # as before 2020-12
        prefix, rest = rest, schema.get("additionalItems", True)
    least, most = schema.get("minItems", 0), schema.get("maxItems", MAX_ITEMS)
    if "contains" in schema:
        least = max(least, schema.get("minContains", 1))
        most = min(most, schema.get("maxContains", most))
    return prefix, rest, least, most


def is_finite(item: Schema) -> bool:
    return "enum" in item or item.get("type") in _VALUES


def unique_arrays(item: Schema, least: int, most: int) -> Schema | None:
    """Give arrays of `least` to `most` values, none of them twice; None if there are none."""
    values: list[Any] = item.get("enum") or _VALUES[item["type"]]
    counts = range(least, min(most, len(values)) + 1)
    if not counts:
        return None
    if sum(comb(len(values), count) for count in counts) <= MAX_ARRAYS:
        return {"enum": [list(some) for count in counts for some in combinations(values, count)]}
    shared = [_partition_values(values, count) for count in counts]
    return shared[0] if len(shared) == 1 else {"anyOf": shared}


def _partition_values(values: list[Any], count: int) -> Schema:
    """Let each place in an array have a share of the values for itself."""
    if count == 0:
        return {"enum": [[]]}
    shares = [{"enum": values[place::count]} for place in range(count)]
    return {"type": "array", "prefixItems": shares, "minItems": count, "maxItems": count}
