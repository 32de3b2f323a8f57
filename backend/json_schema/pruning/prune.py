"""Leave out of a schema what a short answer does not need, before its references are followed.

A large schema allows far more than fits an answer. Which parts of the value are kept is decided for
each place in it (a property of a property, the items of an array): what is required, then what the
prompt mentions, then what the length allows. The names that are left out are left out of every
schema that applies at their place. So the pruned schema is the original in conjunction with "there
are no other properties", which is exact below `not`, `if` and `oneOf` as well.
"""

from dataclasses import dataclass
from math import inf
from typing import Any

from backend.json_schema.errors import SchemaUnsatisfiableError
from backend.json_schema.pruning.keywords import Schema
from backend.json_schema.pruning.mentions import Mentions
from backend.json_schema.pruning.rules import PruneBudget, Rules
from backend.json_schema.pruning.shortest import ShortestLengths
from backend.json_schema.pruning.visit import Visit
from backend.json_schema.pruning.write import Writer
from backend.json_schema.references import References


@dataclass(frozen=True)
class PrunedSchema:
    """The part of a schema that is kept, what it does not enforce, and what the prompt mentions."""

    schema: Any
    unenforced: tuple[tuple[str, str], ...]
    mentioned: tuple[str, ...]  # optional properties of the root


class Pruner:
    """Prunes one schema to several budgets."""

    def __init__(self, root: Schema, mentions: Mentions, characters: int) -> None:
        self._root = root
        self._references = References(root)
        self._shortest = ShortestLengths(root, self._references)
        self._mentions = mentions
        self._characters = characters
        self.shortest = self._shortest.of(root)
        if self.shortest == inf:
            raise SchemaUnsatisfiableError("No value can satisfy this schema.")

    def prune(self, budget: PruneBudget) -> PrunedSchema:
        """Return what the budget keeps.

        Raises:
            SchemaTooLargeError: Even what is required has too many schemas.
            CannotPruneError: A keyword does not allow it.
        """
        rules = Rules(self._root, self._references, self._shortest, self._mentions, budget)
        visit = Visit(rules, self._characters * budget.share)
        place = visit.run(self._root)
        writer = Writer(rules)
        schema = writer.write_place(self._root, place)
        required = rules.certain_required(place)
        mentioned = tuple(
            name
            for name in place.names
            if name not in required and self._mentions.is_mentioned(name, visit.child(place, name))
        )
        return PrunedSchema(schema, tuple(rules.unenforced), mentioned)
