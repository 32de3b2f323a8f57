"""Rewrite a schema into the forms that llama.cpp's converter takes, with the same meaning.

Of references it resolves only those such as `#/$defs/name`, comparing the steps of a pointer
without decoding them; a boolean subschema is an error (common/json-schema-to-grammar.cpp). A
`maxItems` of 1,999 to 2,001 is one too, and contradictory bounds take all memory or end the answer
with an error: `{"type": "string", "minLength": 5, "maxLength": 3}` took 12 GB.
"""

import math
import re
from typing import Any

from pydantic_core import to_json

from backend.json_schema.errors import SchemaTooLargeError, SchemaUnsupportedError
from backend.json_schema.limits import MAX_COUNT
from backend.json_schema.references import (
    SCHEMA_KEYWORDS,
    SCHEMA_LIST_KEYWORDS,
    SCHEMA_MAP_KEYWORDS,
    Path,
    References,
    json_pointer,
)
from backend.json_schema.regex_cost import is_convertible

MAX_NODES = 50_000
MAX_INTEGER = 10**15  # a grammar of a higher minimum takes all memory
IMPLIED_DIGITS = 16  # of an integer, if nothing bounds it
_PLAIN_STEP = re.compile(r"[^/~%#]+")
# Where the converter takes a boolean, or reads nothing.
_BOOLEAN_KEYWORDS = SCHEMA_KEYWORDS - {"items"}
_IGNORED_MAPS = frozenset(["dependencies", "dependentSchemas", "patternProperties"])
_LOWER_BOUNDS = ("minimum", "exclusiveMinimum")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum")
_COUNTS = {
    "minItems": MAX_COUNT,
    "maxItems": MAX_COUNT,
    "minLength": MAX_COUNT,
    "maxLength": 2**31 - 1,  # the converter refuses larger numbers
}


def plain_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the checked schema `schema` in plain forms; itself, if it has no others.

    Raises:
        SchemaUnsupportedError: It has parts without a plain form.
    """
    plain = _PlainForm(schema).build()
    return schema if to_json(plain) == to_json(schema) else plain


class _PlainForm:
    """A copy in which targets of references without a plain pointer are definitions."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._references = References(root)
        self._names: dict[Path, str] = {}  # of the new definitions
        self._pending: list[tuple[str, Path, Any]] = []
        self._node_count = 0

    def build(self) -> dict[str, Any]:
        plain = self._copy(self._root, ())
        definitions = {}
        while self._pending:
            name, path, target = self._pending.pop()
            copy = self._copy(target, path)
            definitions[name] = {key: copy[key] for key in copy if key not in ("$defs", "$schema")}
        return plain | {"$defs": plain.get("$defs", {}) | definitions} if definitions else plain

    def _copy(self, schema: Any, path: Path) -> dict[str, Any]:
        self._node_count += 1
        if self._node_count > MAX_NODES:
            raise SchemaTooLargeError(
                "The schema is too large once its references are followed. Use fewer of them.",
                json_pointer(path),
            )
        if schema is True:
            return {}
        if not isinstance(schema, dict):
            raise SchemaUnsupportedError(
                "A model server takes no subschema that is false, and the schema is too large to "
                "be rewritten without it.",
                json_pointer(path),
            )
        _check_bounds(schema, path)
        return {
            keyword: self._copy_value(keyword, value, (*path, keyword))
            for keyword, value in schema.items()
            if not _is_implied(keyword, value, schema)
        }

    def _copy_value(self, keyword: str, value: Any, path: Path) -> Any:
        if keyword == "$ref" and isinstance(value, str):
            return self._plain_reference(value)
        if keyword in _COUNTS:
            return min(int(value), _COUNTS[keyword])
        if isinstance(value, bool) and keyword in _BOOLEAN_KEYWORDS:
            return value
        if keyword in SCHEMA_MAP_KEYWORDS - _IGNORED_MAPS and isinstance(value, dict):
            return {name: self._copy(child, (*path, name)) for name, child in value.items()}
        if keyword in SCHEMA_LIST_KEYWORDS and isinstance(value, list):
            return [self._copy(child, (*path, str(index))) for index, child in enumerate(value)]
        return self._copy(value, path) if keyword in SCHEMA_KEYWORDS else value

    def _plain_reference(self, reference: str) -> str:
        path, target = self._references.resolve(reference)
        if _is_copied(path) and all(_PLAIN_STEP.fullmatch(step) for step in path):
            return "#" + json_pointer(path)
        if path not in self._names:
            self._names[path] = self._new_name(path)
            self._pending.append((self._names[path], path, target))
        return f"#/$defs/{self._names[path]}"

    def _new_name(self, path: Path) -> str:
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", path[-1] or "_") if path else "root"
        taken = {*self._names.values(), *self._root.get("$defs", {})}
        while name in taken:
            name += "_"
        return name


def _is_copied(path: Path) -> bool:
    """Return True if a path below the root leads through keywords whose subschemas are copied."""
    steps = list(path)
    while steps:
        keyword = steps.pop(0)
        has_name = keyword in SCHEMA_MAP_KEYWORDS - _IGNORED_MAPS
        has_index = keyword in SCHEMA_LIST_KEYWORDS and bool(steps) and steps[0].isdecimal()
        if has_name or has_index:
            if not steps:
                return False
            steps.pop(0)
        elif keyword not in SCHEMA_KEYWORDS:
            return False
    return bool(path)


def _is_implied(keyword: str, value: Any, schema: dict[str, Any]) -> bool:
    """Return True for a bound of an integer beyond any that a model can write."""
    if "integer" not in schema.get("type", ()) or isinstance(value, bool):
        return False
    return (keyword in _LOWER_BOUNDS and value <= -(10**IMPLIED_DIGITS)) or (
        keyword in _UPPER_BOUNDS and value >= 10**IMPLIED_DIGITS
    )


def _check_bounds(schema: dict[str, Any], path: Path) -> None:
    """Check that the bounds of a subschema leave values that a grammar can have.

    Raises:
        SchemaUnsupportedError: They do not.
    """
    if (
        schema.get("minItems", 0) > schema.get("maxItems", math.inf)
        or schema.get("minLength", 0) > schema.get("maxLength", math.inf)
        or schema.get("enum") == []
        or not is_convertible(schema.get("pattern", ""))
        or not _has_integers(schema)
    ):
        raise SchemaUnsupportedError(
            "No value fits here that a grammar can have, and the schema is too large to be "
            "rewritten without this part.",
            json_pointer(path),
        )


def _has_integers(schema: dict[str, Any]) -> bool:
    """Return False if the type is integer, and the bounds leave none that a grammar can have."""
    if "integer" not in schema.get("type", ()):
        return True
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    # In draft 4 the exclusive ones are booleans.
    above, below = (low if above is True else above), (high if below is True else below)
    lows, highs = [-MAX_INTEGER], [MAX_INTEGER]
    lows += [math.ceil(low)] if low is not None else []
    lows += [math.floor(above) + 1] if above not in (None, False) else []
    highs += [math.floor(high)] if high is not None else []
    highs += [math.ceil(below) - 1] if below not in (None, False) else []
    return max(lows) <= min(highs) and max(lows) < MAX_INTEGER and min(highs) > -MAX_INTEGER
