"""Find the subschemas of a schema and resolve its local references. Nothing is fetched."""

import copy
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

from backend.json_schema.errors import SchemaError, SchemaInvalidError, SchemaUnsupportedError

# Keywords whose value is a schema, a list of schemas, or schemas by name.
SCHEMA_KEYWORDS = frozenset(
    [
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    ]
)
SCHEMA_LIST_KEYWORDS = frozenset(["allOf", "anyOf", "items", "oneOf", "prefixItems"])
DEFINITION_KEYWORDS = frozenset(["$defs", "definitions"])  # these apply only where referenced
SCHEMA_MAP_KEYWORDS = DEFINITION_KEYWORDS | {
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
}
# Keywords whose subschemas apply to the same value as the schema itself.
IN_PLACE_APPLICATORS = frozenset(
    ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependencies", "dependentSchemas"]
)

# Besides letters, digits and "_.-~" (RFC 3986).
_FRAGMENT_CHARACTERS = "%/?:@!$&'()*+,;="

Path = tuple[str, ...]


def json_pointer(path: Iterable[str | int]) -> str:
    """Format a path as a JSON pointer."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def subschemas(schema: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Yield the direct subschemas of a schema, with their paths in it."""
    for keyword, value in schema.items():
        if keyword in SCHEMA_MAP_KEYWORDS and isinstance(value, dict):
            for name, child in value.items():
                if isinstance(child, dict | bool):
                    yield (keyword, name), child
        elif keyword in SCHEMA_LIST_KEYWORDS and isinstance(value, list):
            for index, child in enumerate(value):
                yield (keyword, str(index)), child
        elif keyword in SCHEMA_KEYWORDS:
            yield (keyword,), value


def encode_references(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema within the limits with every `$ref` as a valid URI; itself, if all are.

    Many generators write names into a `$ref` as they are: `#/$defs/Größe`, `#/$defs/List[int]`.
    """
    if not any(True for _ in _unencoded(schema)):
        return schema
    encoded = copy.deepcopy(schema)
    for subschema in list(_unencoded(encoded)):
        subschema["$ref"] = _encode(subschema["$ref"])
    return encoded


def _unencoded(root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the schemas whose reference is not a valid URI."""
    references, visited = References(root), set[int]()
    pending: list[Any] = [root]
    while pending:
        schema = pending.pop()
        if not isinstance(schema, dict) or id(schema) in visited:
            continue
        visited.add(id(schema))
        pending.extend(child for _, child in subschemas(schema))
        if isinstance(reference := schema.get("$ref"), str):
            with suppress(SchemaError):  # the validator says so too
                pending.append(references.resolve(reference)[1])
            if _encode(reference) != reference:
                yield schema


def _encode(reference: str) -> str:
    document, sharp, fragment = reference.partition("#")
    fragment = re.sub("%(?![0-9A-Fa-f]{2})", "%25", fragment)
    return f"{document}{sharp}{quote(fragment, safe=_FRAGMENT_CHARACTERS)}"


class References:
    """Resolves the references within one schema."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._resolved: dict[str, tuple[Path, Any]] = {}
        self._anchors: dict[str, tuple[Path, Any]] | None = None

    def resolve(self, reference: str) -> tuple[Path, Any]:
        """Return the path and the target of a reference: `#/a/b`, `#` or `#name`.

        Raises:
            SchemaUnsupportedError: It points to another document.
            SchemaInvalidError: It has no target.
        """
        if reference not in self._resolved:
            self._resolved[reference] = self._find(reference)
        return self._resolved[reference]

    def _find(self, reference: str) -> tuple[Path, Any]:
        document, _, fragment = reference.partition("#")
        if document and document != _base_uri(self._root):
            raise SchemaUnsupportedError(
                f"{reference[:100]!r} refers to another document, which is not fetched. Copy its "
                "target into $defs and refer to it as #/$defs/name."
            )
        fragment = unquote(fragment)
        try:
            if fragment and not fragment.startswith("/"):
                return self._find_anchors()[fragment]
            return self._follow_pointer(fragment)
        except LookupError:
            raise SchemaInvalidError(
                f"The $ref {reference[:100]!r} has no target. Correct it or add the definition."
            ) from None

    def _follow_pointer(self, pointer: str) -> tuple[Path, Any]:
        steps = pointer.split("/")[1:]
        path = tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)
        target = self._root
        for step in path:
            if isinstance(target, list) and step.isdecimal() and len(step) < 10:
                target = target[int(step)]
            elif isinstance(target, dict):
                target = target[step]
            else:
                raise LookupError
        return path, target

    def _find_anchors(self) -> dict[str, tuple[Path, Any]]:
        if self._anchors is None:
            self._anchors = {}
            pending: list[tuple[Path, Any]] = [((), self._root)]
            while pending:
                path, schema = pending.pop()
                if isinstance(schema, dict):
                    if anchor := _anchor(schema):
                        self._anchors[anchor] = (path, schema)
                    pending.extend((path + step, child) for step, child in subschemas(schema))
        return self._anchors


def _anchor(schema: dict[str, Any]) -> str | None:
    if isinstance(anchor := schema.get("$anchor"), str):
        return anchor
    for keyword in ("$id", "id"):  # anchors of drafts before 2019-09
        if isinstance(uri := schema.get(keyword), str) and uri.startswith("#"):
            return uri[1:]
    return None


def _base_uri(root: Any) -> Any:
    uri = root.get("$id", root.get("id")) if isinstance(root, dict) else None
    return uri.removesuffix("#") if isinstance(uri, str) else None
