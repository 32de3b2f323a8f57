"""Estimate what it costs llama.cpp to convert a schema to a grammar, by simulating the conversion.

Its converter (common/json-schema-to-grammar.cpp) follows a `$ref` once, but expands a `$ref` inside
an `allOf` every time, without end if it is recursive: that has crashed model servers. Costs are in
microseconds, as measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from backend.json_schema.errors import SchemaTooLargeError, SchemaUnsupportedError
from backend.json_schema.references import Path, References, json_pointer
from backend.json_schema.regex_cost import MAX_OPTIONAL, pattern_cost

MAX_COST = 1_000_000.0
MAX_DEPTH = 200  # of nested schemas, with references followed
MAX_REPETITIONS = 2000  # the grammar does not count further
_SCHEMA_COST = 20.0
_NAME_COST = 0.1  # per character of a rule's name, which contains the names of all its parents
_PAIR_COST = 1.5  # an optional property is repeated for each one before it, with its name:
_PAIR_NAME_COST = 0.015
_REPETITION_COST = 1.5


def check_grammar_cost(schema: dict[str, Any]) -> None:
    """Check that the model server converts a schema quickly.

    Raises:
        SchemaUnsupportedError: The conversion would not terminate.
        SchemaTooLargeError: It would block the model server for seconds.
    """
    _GrammarCost(schema, References(schema)).run()


@dataclass(frozen=True)
class _Step:
    schema: Any
    name_length: int = 0  # of the rule's name
    depth: int = 0

    def child(self, schema: Any, name_length: int = 6) -> "_Step":
        return _Step(schema, self.name_length + name_length, self.depth + 1)


@dataclass
class _GrammarCost:
    root: dict[str, Any]
    references: References
    cost: float = 0.0
    followed: set[str] = field(default_factory=set)
    target_path: Path = ()  # of the last reference followed

    def run(self) -> None:
        pending = [_Step(self.root)]
        while pending:
            step = pending.pop()
            self.cost += _SCHEMA_COST + step.name_length * _NAME_COST
            if step.depth > MAX_DEPTH:
                raise SchemaUnsupportedError(
                    "The model server would expand the schema without end, most likely because an "
                    "allOf contains a recursive $ref. Use the $ref without allOf, or send the "
                    "schema to /structured, which accepts it.",
                    json_pointer(self.target_path),
                )
            if isinstance(step.schema, dict):
                pending.extend(self._visit(step, step.schema))
            if self.cost > MAX_COST:
                raise SchemaTooLargeError(
                    "The schema would keep the model server busy for seconds. Use fewer optional "
                    "properties, shorter names, smaller counts or fewer references in allOf."
                )

    def _visit(self, step: _Step, schema: dict[str, Any]) -> Iterator[_Step]:
        type_name = schema.get("type")
        if isinstance(reference := schema.get("$ref"), str):
            yield from self._follow(step, reference)
        elif alternatives := _list(schema, "oneOf") or _list(schema, "anyOf"):
            yield from (step.child(alternative) for alternative in alternatives)
        elif isinstance(type_name, list):
            yield from (step.child(schema | {"type": name}) for name in type_name)
        elif "const" in schema or "enum" in schema:
            self.cost += len(_list(schema, "enum"))
        elif type_name in (None, "object") and _has_properties(schema):
            yield from self._object(step, [schema])
        elif type_name in (None, "object", "string") and (subschemas := _list(schema, "allOf")):
            yield from self._merge(step, subschemas)
        elif type_name in (None, "array") and ("items" in schema or "prefixItems" in schema):
            self._add_count(schema, "minItems", "maxItems")
            items = schema.get("items", schema.get("prefixItems"))
            items = items if isinstance(items, list) else [items]
            yield from (step.child(item) for item in items)
        elif type_name in (None, "string"):
            self._add_string(schema)

    def _follow(self, step: _Step, reference: str) -> Iterator[_Step]:
        if reference not in self.followed:
            self.followed.add(reference)
            self.target_path, target = self.references.resolve(reference)
            yield _Step(target, len(reference), step.depth + 1)

    def _merge(self, step: _Step, subschemas: list[Any]) -> Iterator[_Step]:
        """Treat an `allOf` as one object with the properties of all its subschemas."""
        merged = []
        pending = [(subschema, step.depth) for subschema in subschemas]
        while pending:
            subschema, depth = pending.pop()
            if not isinstance(subschema, dict):
                continue
            if isinstance(reference := subschema.get("$ref"), str):
                self.cost += _SCHEMA_COST
                if depth <= MAX_DEPTH:
                    self.target_path, target = self.references.resolve(reference)
                    pending.append((target, depth + 1))
                else:
                    yield _Step(subschema, 0, depth)
            elif _has_properties(subschema):
                merged.append(subschema)
            elif alternatives := _list(subschema, "anyOf") or _list(subschema, "oneOf"):
                pending.extend((alternative, depth + 1) for alternative in alternatives)
            else:
                yield step.child(subschema)
        yield from self._object(step, merged)

    def _object(self, step: _Step, schemas: list[dict[str, Any]]) -> Iterator[_Step]:
        optional_count, max_name_length = 0, 0
        for schema in schemas:
            properties = schema.get("properties")
            required = {name for name in _list(schema, "required") if isinstance(name, str)}
            for name, child in (properties if isinstance(properties, dict) else {}).items():
                optional_count += name not in required
                max_name_length = max(max_name_length, len(name))
                yield step.child(child, len(name) + 1)
            yield step.child(schema.get("additionalProperties"), 18)
        pair_cost = _PAIR_COST + _PAIR_NAME_COST * (step.name_length + max_name_length)
        self.cost += optional_count**2 * pair_cost

    def _add_string(self, schema: dict[str, Any]) -> None:
        self._add_count(schema, "minLength", "maxLength")
        if isinstance(pattern := schema.get("pattern"), str):
            cost = pattern_cost(pattern)
            self.cost += cost.repeated * _REPETITION_COST
            if cost.optional > MAX_OPTIONAL:
                raise SchemaTooLargeError(
                    f"The pattern {pattern[:100]!r} has more than {MAX_OPTIONAL} optional parts, "
                    "which takes the model server too long. Simplify it."
                )

    def _add_count(self, schema: dict[str, Any], *keywords: str) -> None:
        counts = [schema[keyword] for keyword in keywords if isinstance(schema.get(keyword), int)]
        self.cost += min(max(counts, default=0), MAX_REPETITIONS) * _REPETITION_COST


def _list(schema: dict[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _has_properties(schema: dict[str, Any]) -> bool:
    return "properties" in schema or schema.get("additionalProperties", True) is not True
