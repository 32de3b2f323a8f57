"""What is kept of a schema, and the rules that visiting and writing it share."""

from dataclasses import dataclass, field
from math import inf
from typing import Any

from backend.json_schema.pruning.keywords import Schema, without
from backend.json_schema.pruning.mentions import Mentions
from backend.json_schema.pruning.shortest import ShortestLengths
from backend.json_schema.references import References, is_old_draft, json_pointer

MAX_VISITED = 8_000  # schemas; as many may be written
MAX_AT_PLACE = 3_000


class CannotPruneError(Exception):
    """The schema has something that cannot be left out exactly."""


@dataclass(frozen=True)
class PruneBudget:
    """How much is kept: schemas, alternatives of a union, and optional parts.

    The optional parts have at least `share` of the characters of the answer at their shortest.
    """

    schemas: int
    alternatives: int
    share: float
    has_conditions: bool = True  # else `if` and dependencies are left to validation


PRUNE_BUDGETS = (
    PruneBudget(1_500, 8, 1.5),
    PruneBudget(400, 4, 1.0),
    PruneBudget(150, 2, 0.5, has_conditions=False),
    PruneBudget(0, 1, 0.0, has_conditions=False),
)


@dataclass(frozen=True)
class Applied:
    """A schema that applies at a place, always or not."""

    schema: Schema
    is_certain: bool
    is_positive: bool  # leaving out one of its alternatives leaves out values, and adds none


@dataclass
class Place:
    """A place in the value: the schemas that apply there, and what is kept below it."""

    depth: int
    applied: list[Applied] = field(default_factory=list)
    names: "dict[str, Place]" = field(default_factory=dict)
    items: "Place | None" = None
    wanted: set[int] = field(default_factory=set)  # schemas whose required names are kept
    declared: dict[str, None] = field(default_factory=dict)
    has_object: bool = False  # some schema says something about properties
    has_array: bool = False


class Rules:
    """What visiting and writing have to agree on."""

    def __init__(
        self,
        root: Schema,
        references: References,
        shortest: ShortestLengths,
        mentions: Mentions,
        budget: PruneBudget,
    ) -> None:
        self.references = references
        self.shortest = shortest
        self.mentions = mentions
        self.budget = budget
        self.is_old_draft = is_old_draft(root.get("$schema"))
        self.unenforced: dict[tuple[str, str], None] = {}
        self._alternatives: dict[int, list[Any]] = {}  # by the id of all of them

    def parts(self, schema: Schema) -> tuple[Schema | None, Schema]:
        """Return the target of a schema's reference, or None, and what applies besides it."""
        if not isinstance(schema.get("$ref"), str):
            return None, schema
        target = self.references.target(schema)[1]
        target = target if isinstance(target, dict) else ({} if target else {"not": {}})
        return target, ({} if self.is_old_draft else without(schema, "$ref"))

    def alternatives(self, schema: Schema, keyword: str, *, is_positive: bool) -> list[Any]:
        """Return the alternatives of a union that are kept: of many, the mentioned and short."""
        options: list[Any] = schema[keyword]
        if not is_positive or len(options) <= self.budget.alternatives:
            return options
        key = id(options)
        if key not in self._alternatives:
            ranked = sorted(options, key=self._rank)[: self.budget.alternatives]
            ids = set(map(id, ranked))
            self._alternatives[key] = [option for option in options if id(option) in ids]
        return self._alternatives[key]

    def mark_unenforced(self, schema: Schema, keyword: str) -> None:
        self.unenforced[json_pointer(self.references.path(schema)), keyword] = None

    def certain_required(self, place: Place) -> set[str]:
        return {
            name
            for applied in place.applied
            if applied.is_certain
            for name in applied.schema.get("required") or ()
        }

    def _rank(self, option: Any) -> tuple[float, float]:
        length = self.shortest.of(option)
        return (inf if length == inf else -self.mentions.words_in(option), length)
