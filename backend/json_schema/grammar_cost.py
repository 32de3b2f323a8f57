"""What llama.cpp would do with a schema, gone through step by step to see that it ends soon.

Its converter (common/json-schema-to-grammar.cpp) writes a grammar. It follows a `$ref` once, but
what an `allOf` refers to it writes in the reference's place each time, without an end where that
leads back: that has ended model servers. Costs are microseconds, as measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from backend.json_schema.errors import SchemaTooLargeError, SchemaUnsupportedError
from backend.json_schema.references import Path, References, json_pointer
from backend.json_schema.regex_cost import MAX_OPTIONAL, pattern_cost

MAX_COST = 1_000_000.0
MAX_DEPTH = 200  # of one schema in another, with the references followed
MAX_REPEATED = 2000  # more than that the grammar does not count
_SCHEMA = 20.0
_NAME = 0.1  # a character of a rule's name, which has all names on the way to it
_PAIR = 1.5  # each optional property is written once for each before it, with its name:
_PAIR_NAME = 0.015
_REPEATED = 1.5


def check_grammar_cost(schema: dict[str, Any]) -> None:
    """Go through a schema as the converter does.

    Raises:
        SchemaUnsupportedError: the model server would not come to an end.
        SchemaTooLargeError: it would be busy with it for seconds, and answer nobody meanwhile.
    """
    _GrammarCost(schema, References(schema)).run()


@dataclass(frozen=True)
class _Step:
    schema: Any
    name: int = 0  # characters
    depth: int = 0

    def child(self, schema: Any, name: int = 6) -> "_Step":
        return _Step(schema, self.name + name, self.depth + 1)


@dataclass
class _GrammarCost:
    root: dict[str, Any]
    references: References
    cost: float = 0.0
    followed: set[str] = field(default_factory=set)
    place: Path = ()  # what was last referred to

    def run(self) -> None:
        todo = [_Step(self.root)]
        while todo:
            step = todo.pop()
            self.cost += _SCHEMA + step.name * _NAME
            if step.depth > MAX_DEPTH:
                raise SchemaUnsupportedError(
                    "The model server would nest it without an end. Most likely an allOf refers to "
                    "a schema that it is part of: put the $ref in the allOf's place, or ask "
                    "/structured, which takes such a schema.",
                    json_pointer(self.place),
                )
            if isinstance(step.schema, dict):
                todo.extend(self._visit(step, step.schema))
            if self.cost > MAX_COST:
                raise SchemaTooLargeError(
                    "The model server would be busy with it for seconds. Make it smaller: fewer "
                    "optional properties, shorter names, smaller counts, fewer references in allOf."
                )

    def _visit(self, step: _Step, schema: dict[str, Any]) -> Iterator[_Step]:
        kind = schema.get("type")
        if isinstance(reference := schema.get("$ref"), str):
            yield from self._follow(step, reference)
        elif alternatives := _list(schema, "oneOf") or _list(schema, "anyOf"):
            yield from (step.child(one) for one in alternatives)
        elif isinstance(kind, list):
            yield from (step.child(schema | {"type": one}) for one in kind)
        elif "const" in schema or "enum" in schema:
            self.cost += len(_list(schema, "enum"))
        elif kind in (None, "object") and _has_properties(schema):
            yield from self._object(step, [schema])
        elif kind in (None, "object", "string") and (parts := _list(schema, "allOf")):
            yield from self._merge(step, parts)
        elif kind in (None, "array") and ("items" in schema or "prefixItems" in schema):
            self._count(schema, "minItems", "maxItems")
            items = schema.get("items", schema.get("prefixItems"))
            yield from (step.child(one) for one in (items if isinstance(items, list) else [items]))
        elif kind in (None, "string"):
            self._text(schema)

    def _follow(self, step: _Step, reference: str) -> Iterator[_Step]:
        if reference not in self.followed:
            self.followed.add(reference)
            self.place, found = self.references.resolve(reference)
            yield _Step(found, len(reference), step.depth + 1)

    def _merge(self, step: _Step, parts: list[Any]) -> Iterator[_Step]:
        """Take an `allOf` for one object that has the properties of all parts."""
        merged = []
        todo = [(part, step.depth) for part in parts]
        while todo:
            part, depth = todo.pop()
            if not isinstance(part, dict):
                continue
            if isinstance(reference := part.get("$ref"), str):
                self.cost += _SCHEMA
                if depth <= MAX_DEPTH:
                    self.place, found = self.references.resolve(reference)
                    todo.append((found, depth + 1))
                else:
                    yield _Step(part, 0, depth)
            elif _has_properties(part):
                merged.append(part)
            elif alternatives := _list(part, "anyOf") or _list(part, "oneOf"):
                todo.extend((one, depth + 1) for one in alternatives)
            else:
                yield step.child(part)
        yield from self._object(step, merged)

    def _object(self, step: _Step, parts: list[dict[str, Any]]) -> Iterator[_Step]:
        optional, longest = 0, 0
        for part in parts:
            properties = part.get("properties")
            required = _list(part, "required")
            needed = {name for name in required if isinstance(name, str)}
            for name, inner in (properties if isinstance(properties, dict) else {}).items():
                optional += name not in needed
                longest = max(longest, len(name))
                yield step.child(inner, len(name) + 1)
            yield step.child(part.get("additionalProperties"), 18)
        self.cost += optional**2 * (_PAIR + _PAIR_NAME * (step.name + longest))

    def _text(self, schema: dict[str, Any]) -> None:
        self._count(schema, "minLength", "maxLength")
        if isinstance(pattern := schema.get("pattern"), str):
            cost = pattern_cost(pattern)
            self.cost += cost.repeated * _REPEATED
            if cost.optional > MAX_OPTIONAL:
                raise SchemaTooLargeError(
                    f"More than {MAX_OPTIONAL} parts of a pattern may be left out, which takes the "
                    f"model server too long: simplify {pattern[:100]!r}."
                )

    def _count(self, schema: dict[str, Any], *keywords: str) -> None:
        counts = [schema[keyword] for keyword in keywords if isinstance(schema.get(keyword), int)]
        self.cost += min(max(counts, default=0), MAX_REPEATED) * _REPEATED


def _list(schema: dict[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _has_properties(schema: dict[str, Any]) -> bool:
    return "properties" in schema or schema.get("additionalProperties", True) is not True
