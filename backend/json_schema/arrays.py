"""Read the shape of an array schema, and enumerate arrays without duplicate values."""

from itertools import combinations
from math import comb
from typing import Any

MAX_ARRAYS = 128  # more of them slow a grammar down
MAX_ITEMS = 1_000
_VALUES: dict[str, list[Any]] = {"boolean": [True, False], "null": [None]}

Schema = dict[str, Any]


def array_shape(schema: Schema) -> tuple[list[Any], Any, int, int]:
    """Return the schemas of the first items, the schema of all others, and the count's bounds."""
    prefix, items = schema.get("prefixItems", []), schema.get("items", True)
    if isinstance(items, list):  # before draft 2020-12
        prefix, items = items, schema.get("additionalItems", True)
    minimum = schema.get("minItems", 0)
    maximum = schema.get("maxItems", max(minimum, MAX_ITEMS))
    if "contains" in schema:
        minimum = max(minimum, schema.get("minContains", 1))
        maximum = min(maximum, schema.get("maxContains", maximum))
    return prefix, items, minimum, maximum


def is_finite(item: Schema) -> bool:
    return "enum" in item or item.get("type") in _VALUES


def unique_arrays(item: Schema, minimum: int, maximum: int) -> Schema | None:
    """Return a schema of arrays of distinct values; None if there are too few values."""
    values: list[Any] = item.get("enum") or _VALUES[item["type"]]
    counts = range(minimum, min(maximum, len(values)) + 1)
    if not counts:
        return None
    if sum(comb(len(values), count) for count in counts) <= MAX_ARRAYS:
        return {"enum": [list(items) for count in counts for items in combinations(values, count)]}
    arrays = [_partition_values(values, count) for count in counts]
    return arrays[0] if len(arrays) == 1 else {"anyOf": arrays}


def _partition_values(values: list[Any], count: int) -> Schema:
    """Return arrays of `count` items, each position with its own share of the values."""
    if count == 0:
        return {"enum": [[]]}
    shares = [{"enum": values[index::count]} for index in range(count)]
    return {"type": "array", "prefixItems": shares, "minItems": count, "maxItems": count}
