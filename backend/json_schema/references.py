"""Find the subschemas of a schema and resolve its local references. Nothing is fetched."""

import copy
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote, urljoin

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

# Keywords that allow and forbid no value.
ANNOTATIONS = frozenset(
    [
        "$anchor",
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "$vocabulary",
        "contentSchema",
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
_OLD_DRAFTS = ("draft-04", "draft-06", "draft-07")

# Besides letters, digits and "_.-~" (RFC 3986).
_FRAGMENT_CHARACTERS = "%/?:@!$&'()*+,;="

Path = tuple[str, ...]


def json_pointer(path: Iterable[str | int]) -> str:
    """Format a path as a JSON pointer."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def is_old_draft(dialect: Any) -> bool:
    """Return True for a `$schema` whose drafts ignore all keywords beside a `$ref`."""
    return any(draft in str(dialect) for draft in _OLD_DRAFTS)


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
                pending.append(references.target(schema)[1])
            if _encode(reference) != reference:
                yield schema


def _encode(reference: str) -> str:
    document, sharp, fragment = reference.partition("#")
    fragment = re.sub("%(?![0-9A-Fa-f]{2})", "%25", fragment)
    return f"{document}{sharp}{quote(fragment, safe=_FRAGMENT_CHARACTERS)}"


class References:
    """Resolves the references within one schema, each by the base URI of the schema that has it."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._resolved: dict[tuple[str, str], tuple[Path, Any]] = {}
        self._root_uri = _without_fragment(_own_id(root) or "")
        self._index: _Index | None = None

    def target(self, schema: dict[str, Any]) -> tuple[Path, Any]:
        """Return the path and the target of the `$ref` of a schema within the root.

        Raises:
            SchemaUnsupportedError: It points to another document.
            SchemaInvalidError: It has no target.
        """
        base = self._indexed.bases.get(id(schema), self._root_uri)
        return self.resolve(schema["$ref"], base)

    def path(self, schema: dict[str, Any]) -> Path:
        """Return the path of a schema within the root."""
        return self._indexed.paths.get(id(schema), ())

    def resolve(self, reference: str, base: str | None = None) -> tuple[Path, Any]:
        """Return the path and the target of a reference: `#/a/b`, `#`, `#name` or `uri#/a`.

        Raises:
            SchemaUnsupportedError: It points to another document.
            SchemaInvalidError: It has no target.
        """
        key = (self._root_uri if base is None else base, reference)
        if key not in self._resolved:
            self._resolved[key] = self._find(*key)
        return self._resolved[key]

    @property
    def _indexed(self) -> "_Index":
        if self._index is None:
            self._index = _Index(self._root, self._root_uri)
        return self._index

    def _find(self, base: str, reference: str) -> tuple[Path, Any]:
        document, _, fragment = reference.partition("#")
        uri = _join(base, document)
        resource: tuple[Path, Any] | None = ((), self._root)
        if uri != self._root_uri:
            resource = self._indexed.resources.get(uri)
        if resource is None:
            raise SchemaUnsupportedError(
                f"{reference[:100]!r} refers to another document, which is not fetched. Copy its "
                "target into $defs and refer to it as #/$defs/name."
            )
        fragment = unquote(fragment)
        try:
            if fragment and not fragment.startswith("/"):
                return self._indexed.anchors[uri, fragment]
            return _follow_pointer(*resource, fragment)
        except LookupError:
            raise SchemaInvalidError(
                f"The $ref {reference[:100]!r} has no target. Correct it or add the definition."
            ) from None


class _Index:
    """The schemas of a document with a URI or an anchor; the path and base URI of each."""

    def __init__(self, root: Any, root_uri: str) -> None:
        self.resources: dict[str, tuple[Path, Any]] = {}
        self.anchors: dict[tuple[str, str], tuple[Path, Any]] = {}
        self.bases: dict[int, str] = {}
        self.paths: dict[int, Path] = {}
        pending: list[tuple[Path, Any, str]] = [((), root, root_uri)]
        while pending:
            path, schema, base = pending.pop()
            if not isinstance(schema, dict):
                continue
            if path and (own_id := _own_id(schema)):
                base = _join(base, _without_fragment(own_id))
                self.resources.setdefault(base, (path, schema))
            if anchor := _anchor(schema):
                self.anchors[base, anchor] = (path, schema)
            self.bases[id(schema)], self.paths[id(schema)] = base, path
            pending.extend((path + step, child, base) for step, child in subschemas(schema))


def _follow_pointer(start: Path, root: Any, pointer: str) -> tuple[Path, Any]:
    steps = pointer.split("/")[1:]
    path = tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)
    target = root
    for step in path:
        if isinstance(target, list) and step.isdecimal() and len(step) < 10:
            target = target[int(step)]
        elif isinstance(target, dict):
            target = target[step]
        else:
            raise LookupError
    return start + path, target


def _own_id(schema: Any) -> str | None:
    """Return the URI that a schema gives itself, unless that is only an anchor."""
    if not isinstance(schema, dict):
        return None
    uri = schema.get("$id", schema.get("id"))
    return uri if isinstance(uri, str) and not uri.startswith("#") else None


def _without_fragment(uri: str) -> str:
    return uri.partition("#")[0]


def _join(base: str, uri: str) -> str:
    try:
        return urljoin(base, uri)
    except ValueError:  # not a URI
        return uri


def _anchor(schema: dict[str, Any]) -> str | None:
    if isinstance(anchor := schema.get("$anchor"), str):
        return anchor
    for keyword in ("$id", "id"):  # anchors of drafts before 2019-09
        if isinstance(uri := schema.get(keyword), str) and uri.startswith("#"):
            return uri[1:]
    return None
