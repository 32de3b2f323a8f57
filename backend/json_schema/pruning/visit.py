"""Decide what is kept at each place of the value."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any

from backend.json_schema.errors import SchemaTooLargeError
from backend.json_schema.pruning.keywords import (
    ARRAY_KEYWORDS,
    ITEM_KEYWORDS,
    OBJECT_KEYWORDS,
    Schema,
    dependent_names,
    item_schemas,
    names_of,
    object_values,
    property_schemas,
    value_names,
)
from backend.json_schema.pruning.mentions import NONE, STRONG, WEAK
from backend.json_schema.pruning.rules import MAX_AT_PLACE, MAX_VISITED, Applied, Place, Rules
from backend.json_schema.pruning.shortest import PROPERTY_CHARACTERS
from backend.json_values import as_dict, as_dict_list

MAX_DEPTH = 24  # of optional places
MAX_REQUIRED_DEPTH = 96


class Visit:
    """Decides what is kept at each place."""

    def __init__(self, rules: Rules, characters: float) -> None:
        self._rules = rules
        self._left = characters
        self._visited = 0
        self._numbers = count()
        self._heap: list[tuple[int, int, int, int, Place, str | Schema | None]] = []

    def run(self, root: Schema) -> Place:
        place = Place(depth=0)
        self._enter(place, [Applied(root, is_certain=True, is_positive=True)])
        while self._heap and self._visited < self._rules.budget.schemas:
            *_, where, what = heappop(self._heap)
            self._add(where, what)
        order_names(place)
        return place

    def child(self, place: Place, name: str) -> Iterator[Any]:
        """Yield the schemas that apply to a property."""
        return (applied.schema for applied in self._children(place, name))

    def _enter(self, place: Place, roots: Iterable[Applied]) -> None:
        place.applied = list(self._closure(roots))
        self._visited += len(place.applied)
        if self._visited > MAX_VISITED or len(place.applied) > MAX_AT_PLACE:
            raise SchemaTooLargeError(
                "The schema requires too much at once. Use fewer alternatives and references."
            )
        for applied in place.applied:
            schema = applied.schema
            place.has_object |= not OBJECT_KEYWORDS.isdisjoint(schema)
            place.has_array |= not ARRAY_KEYWORDS.isdisjoint(schema)
            place.declared |= dict.fromkeys(as_dict(schema.get("properties")))
            place.declared |= dict.fromkeys(names_of(schema.get("required")))
            place.declared |= dict.fromkeys(value_names(schema))
        if place.depth < MAX_DEPTH:
            self._push_optional(place)
        for applied in place.applied:
            if applied.is_certain:
                self._want(place, applied.schema)
        self._want_minimum(place)

    def _closure(self, roots: Iterable[Applied]) -> Iterator[Applied]:
        """Yield all schemas that apply at the place of some."""
        pending, visited = list(roots), set[tuple[int, bool, bool]]()
        while pending and len(visited) <= MAX_AT_PLACE:
            applied = pending.pop()
            key = (id(applied.schema), applied.is_certain, applied.is_positive)
            if key in visited:
                continue
            visited.add(key)
            target, own = self._rules.parts(applied.schema)
            if target is not None:
                pending.append(replace(applied, schema=target))
            if own:
                yield applied
                pending.extend(self._parts(applied, own))

    def _parts(self, applied: Applied, own: Schema) -> Iterator[Applied]:
        """Yield the schemas that a schema applies to the same value; `own` has no reference."""
        for part in as_dict_list(own.get("allOf")):
            yield replace(applied, schema=part)
        for keyword in ("anyOf", "oneOf"):
            if isinstance(own.get(keyword), list):
                kept = self._rules.alternatives(own, keyword, is_positive=applied.is_positive)
                is_positive = applied.is_positive and keyword == "anyOf"
                is_certain = applied.is_certain and len(kept) == 1
                for part in as_dict_list(kept):
                    yield Applied(part, is_certain=is_certain, is_positive=is_positive)
        for part in as_dict_list([own.get("if"), own.get("not")]):
            yield Applied(part, is_certain=False, is_positive=False)
        if self._rules.budget.has_conditions:
            parts = [own.get("then"), own.get("else")]
            parts += as_dict(own.get("dependentSchemas")).values()
            parts += as_dict(own.get("dependencies")).values()
            for part in as_dict_list(parts):
                yield replace(applied, schema=part, is_certain=False)

    def _push_optional(self, place: Place) -> None:
        for name in place.declared:
            strength = self._rules.mentions.strength(name, self.child(place, name))
            self._push(place, name, strength)
        if any(name in applied.schema for applied in place.applied for name in ITEM_KEYWORDS):
            self._push(place, None, NONE)
        for applied in place.applied:
            if not applied.is_positive:
                continue
            for keyword in ("anyOf", "oneOf"):
                if isinstance(applied.schema.get(keyword), list):
                    self._push_alternatives(place, applied, keyword)
            for part in as_dict_list([applied.schema.get("then"), applied.schema.get("else")]):
                self._push(place, part, WEAK if self._rules.mentions.words_in(part) else NONE)

    def _push_alternatives(self, place: Place, applied: Applied, keyword: str) -> None:
        options = self._rules.alternatives(applied.schema, keyword, is_positive=True)
        for option in as_dict_list(options):
            if self._rules.shortest.of(option) < inf:
                self._push(place, option, WEAK if self._rules.mentions.words_in(option) else NONE)

    def _push(self, place: Place, what: str | Schema | None, strength: int) -> None:
        # A strong match first, then what is near the root, then a weak match.
        key = (-(strength == STRONG), place.depth, -strength, next(self._numbers))
        heappush(self._heap, (*key, place, what))

    def _add(self, place: Place, what: str | Schema | None) -> None:
        """Keep something optional if it is not too long."""
        if isinstance(what, dict):
            length = max(0.0, self._rules.shortest.of(what) - 2)
        elif what is None:
            length = 1 + self._rules.shortest.of_all(a.schema for a in self._items(place))
        elif what in place.names:
            return
        else:
            length = self._length(place, what)
        if length > self._left:
            return
        self._left -= length
        if isinstance(what, dict):
            self._want(place, what)
        elif what is None:
            self._keep_items(place)
        else:
            self._keep(place, what)

    def _length(self, place: Place, name: str) -> float:
        children = [applied.schema for applied in self._children(place, name) if applied.is_certain]
        return len(name) + PROPERTY_CHARACTERS + self._rules.shortest.of_all(children)

    def _want(self, place: Place, schema: Schema) -> None:
        """Keep what a schema requires, and the shortest of its alternatives."""
        for applied in list(self._closure([Applied(schema, is_certain=True, is_positive=True)])):
            own = applied.schema
            if not applied.is_certain or id(own) in place.wanted:
                continue
            place.wanted.add(id(own))
            for name in (*names_of(own.get("required")), *value_names(own)):
                self._keep(place, name, own)
            for name, child in as_dict(own.get("properties")).items():
                if name in place.names and isinstance(child, dict):
                    self._want(place.names[name], child)
            if own.get("minItems") or "contains" in own:
                self._keep_items(place)
            for keyword in ("anyOf", "oneOf"):
                options = as_dict_list(own.get(keyword))
                if options and len(options) == len(own[keyword]):
                    self._want(place, min(options, key=self._rules.shortest.of))

    def _want_minimum(self, place: Place) -> None:
        """Keep the shortest optional properties, as many as are required at least."""
        minimum = max(
            (
                applied.schema["minProperties"]
                for applied in place.applied
                if applied.is_certain and isinstance(applied.schema.get("minProperties"), int)
            ),
            default=0,
        )
        if len(place.names) >= minimum:
            return
        names = sorted(
            (name for name in place.declared if name not in place.names),
            key=lambda name: self._length(place, name),
        )
        for name in names[: minimum - len(place.names)]:
            if self._length(place, name) < inf:
                self._keep(place, name)

    def _keep(self, place: Place, name: str, wanting: Schema | None = None) -> None:
        if name not in place.names:
            place.names[name] = _place_below(place)
            self._enter(place.names[name], self._children(place, name))
            for applied in place.applied:
                for other in dependent_names(applied.schema, name):
                    self._keep(place, other)
        child = as_dict((wanting or {}).get("properties")).get(name)
        if isinstance(child, dict):
            self._want(place.names[name], child)

    def _keep_items(self, place: Place) -> None:
        if place.items is None:
            place.items = _place_below(place)
            self._enter(place.items, self._items(place))

    def _children(self, place: Place, name: str) -> Iterator[Applied]:
        for applied in place.applied:
            for schema in as_dict_list(list(property_schemas(applied.schema, name))):
                yield replace(applied, schema=schema)
            for value in object_values(applied.schema):
                if isinstance(value.get(name), dict):
                    yield replace(applied, schema={"enum": [value[name]]})

    def _items(self, place: Place) -> list[Applied]:
        return [
            Applied(schema, applied.is_certain and keyword != "contains", applied.is_positive)
            for applied in place.applied
            for keyword in ITEM_KEYWORDS
            for schema in item_schemas(applied.schema.get(keyword))
        ]


def _place_below(place: Place) -> Place:
    if place.depth > MAX_REQUIRED_DEPTH:
        raise SchemaTooLargeError("The schema requires too deep nesting. Simplify it.")
    return Place(place.depth + 1)


def order_names(place: Place) -> None:
    """Put the names that are kept into the order of the original."""
    pending = [place]
    while pending:
        place = pending.pop()
        order = {name: index for index, name in enumerate(place.declared)}
        place.names = dict(
            sorted(place.names.items(), key=lambda pair: order.get(pair[0], len(order)))
        )
        pending.extend(place.names.values())
        pending.extend([place.items] if place.items else [])
