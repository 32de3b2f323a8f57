"""Where schemas stand inside a schema, and what a reference leads to. Nothing is ever fetched."""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from backend.json_schema.errors import SchemaInvalidError, SchemaUnsupportedError

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
DEFINITION_KEYWORDS = frozenset(
    ["$defs", "definitions"]
)  # what is here counts only where it is referred to
SCHEMA_MAP_KEYWORDS = DEFINITION_KEYWORDS | {
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
}
# The value that fits the outer schema has to fit these too: with them alone one goes in circles.
IN_PLACE_APPLICATORS = frozenset(
    ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependencies", "dependentSchemas"]
)

Path = tuple[str, ...]


def json_pointer(path: Iterable[str | int]) -> str:
    """Write a place as a JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def subschemas(schema: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Give the schemas right below one, with their places in it."""
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


class References:
    """What the references within a schema lead to."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._found: dict[str, tuple[Path, Any]] = {}
        self._names: dict[str, tuple[Path, Any]] | None = None

    def resolve(self, reference: str) -> tuple[Path, Any]:
        """Find what a reference leads to: `#/a/b`, `#`, or `#name`.

        Raises:
            SchemaUnsupportedError: it leads elsewhere.
            SchemaInvalidError: it leads nowhere.
        """
        if reference not in self._found:
            self._found[reference] = self._find(reference)
        return self._found[reference]

    def _find(self, reference: str) -> tuple[Path, Any]:
        document, _, fragment = reference.partition("#")
        if document and document != _base_uri(self._root):
            raise SchemaUnsupportedError(
                f"{reference[:100]!r} is in another document, and none is fetched: put what it "
                "refers to into the schema, below $defs, and refer to it as #/$defs/name."
            )
        fragment = unquote(fragment)
        try:
            if fragment and not fragment.startswith("/"):
                return self._named()[fragment]
            return self._pointed(fragment)
        except LookupError:
            raise SchemaInvalidError(
                f"There is nothing at {reference[:100]!r}: put it there."
            ) from None

    def _pointed(self, fragment: str) -> tuple[Path, Any]:
        parts = fragment.split("/")[1:]
        path = tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)
        found = self._root
        for part in path:
            if isinstance(found, list) and part.isdecimal() and len(part) < 10:
                found = found[int(part)]
            elif isinstance(found, dict):
                found = found[part]
            else:
                raise LookupError
        return path, found

    def _named(self) -> dict[str, tuple[Path, Any]]:
        if self._names is None:
            self._names = {}
            todo: list[tuple[Path, Any]] = [((), self._root)]
            while todo:
                path, schema = todo.pop()
                if isinstance(schema, dict):
                    if name := _name(schema):
                        self._names[name] = (path, schema)
                    todo.extend((path + place, child) for place, child in subschemas(schema))
        return self._names


def _name(schema: dict[str, Any]) -> str | None:
    if isinstance(name := schema.get("$anchor"), str):
        return name
    for keyword in ("$id", "id"):  # so it was said before 2019-09
        if isinstance(name := schema.get(keyword), str) and name.startswith("#"):
            return name[1:]
    return None


def _base_uri(root: Any) -> Any:
    address = root.get("$id", root.get("id")) if isinstance(root, dict) else None
    return address.removesuffix("#") if isinstance(address, str) else None
