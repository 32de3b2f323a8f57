"""Where schemas stand inside a schema, and what a reference leads to. Nothing is ever fetched."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from backend.schema.errors import SchemaInvalidError, SchemaUnsupportedError

# Keywords whose value is a schema, a list of schemas, or schemas by name.
ONE = frozenset(
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
MANY = frozenset(["allOf", "anyOf", "items", "oneOf", "prefixItems"])
SHELVES = frozenset(["$defs", "definitions"])  # what is here counts only where it is referred to
NAMED = SHELVES | {"dependencies", "dependentSchemas", "patternProperties", "properties"}
# The value that fits the outer schema has to fit these too: with them alone one goes in circles.
IN_PLACE = frozenset(
    ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependencies", "dependentSchemas"]
)

Path = tuple[str, ...]


def pointer(path: Path) -> str:
    """Write a place as a JSON pointer."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def children(schema: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Give the schemas right below one, with their places in it."""
    for keyword, value in schema.items():
        if keyword in NAMED and isinstance(value, dict):
            for name, child in value.items():
                if isinstance(child, dict | bool):
                    yield (keyword, name), child
        elif keyword in MANY and isinstance(value, list):
            for index, child in enumerate(value):
                yield (keyword, str(index)), child
        elif keyword in ONE:
            yield (keyword,), value


def target(root: Any, reference: str) -> tuple[Path, Any]:
    """Find what a reference within the schema leads to: `#/a/b`, `#`, or `#name`.

    Raises:
        SchemaUnsupportedError: it leads elsewhere.
        SchemaInvalidError: it leads nowhere.
    """
    document, _, fragment = reference.partition("#")
    if document and document != _address(root):
        raise SchemaUnsupportedError(
            f"{reference[:100]!r} is in another document, and none is fetched: put what it refers "
            "to into the schema, below $defs, and refer to it as #/$defs/name."
        )
    fragment = unquote(fragment)
    if fragment and not fragment.startswith("/"):
        return _named(root, fragment)
    path = tuple(part.replace("~1", "/").replace("~0", "~") for part in fragment.split("/")[1:])
    found = root
    for part in path:
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            raise _nowhere(reference)
    return path, found


def _address(root: Any) -> Any:
    address = root.get("$id", root.get("id")) if isinstance(root, dict) else None
    return address.removesuffix("#") if isinstance(address, str) else None


def _named(root: Any, name: str) -> tuple[Path, Any]:
    todo: list[tuple[Path, Any]] = [((), root)]
    while todo:
        path, schema = todo.pop()
        if isinstance(schema, dict):
            if schema.get("$anchor") == name or f"#{name}" in (schema.get("$id"), schema.get("id")):
                return path, schema
            todo.extend((path + place, child) for place, child in children(schema))
    raise _nowhere(f"#{name}")


def _nowhere(reference: str) -> SchemaInvalidError:
    return SchemaInvalidError(f"There is nothing at {reference[:100]!r}: put it there.")
