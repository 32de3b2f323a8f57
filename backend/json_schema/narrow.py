"""Narrow a schema: what is valid against the result is valid against the original, and short.

A grammar expresses less than JSON Schema, and lets a small model run on until it is cut off. So
what a grammar cannot express is rewritten (a range as its values, a format as a pattern),
everything gets a maximum length, and what only validation can check is reported.
"""

import sys
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

from backend.json_schema.errors import SchemaTooLargeError, SchemaUnsatisfiableError
from backend.json_schema.narrow_builder import NarrowSchemaBuilder, UnsatisfiableSchemaError
from backend.json_schema.normalize import NormalizedSchema
from backend.json_schema.size_budget import CHARACTERS_PER_TOKEN, SIZE_BUDGETS

LEVEL_RATIO = 0.75  # of the length at the previous level
MAX_OVERSHOOT = 2.15  # lengths are conservative estimates: twice as many characters may fit
STRING_SHARE = 6  # a string gets at most a sixth of all characters, as small models run on


@dataclass(frozen=True)
class NarrowedSchema:
    """The narrowed schema, what it does not enforce, and its maximum length.

    `unenforced` has pairs of a JSON pointer into the original and a keyword. `max_characters` is
    the longest output, with as much whitespace as a model writes; llama.cpp's grammars allow more.
    """

    schema: Any
    unenforced: tuple[tuple[str, str], ...]
    max_characters: int


def narrow(
    schema: Any,
    *,
    characters: int,
    level: int = 0,
    is_loose: bool | None = None,
    original: Any = None,
) -> NarrowedSchema:
    """Narrow a checked schema until its longest output has at most `characters`.

    Each level is tighter than the previous one. From level 1 on everything that can be enforced is,
    even if that excludes values that may be intended; `is_loose` says otherwise. `original` is what
    the schema was pruned from, if it was.

    Raises:
        SchemaUnsatisfiableError: No value is valid against it.
        SchemaTooLargeError: Every valid value is too long, or it expands to too many schemas.
    """
    is_loose = level == 0 if is_loose is None else is_loose
    search = _BudgetSearch(NormalizedSchema(schema, original), characters, is_loose=is_loose)
    largest = search.largest_within(characters)
    if largest is None:
        return search.smallest()
    limit = int(largest.max_characters * LEVEL_RATIO**level)
    return search.largest_within(limit) or search.smallest()


def too_long(needed: float, characters: int) -> SchemaTooLargeError:
    """Return the error for a schema whose shortest answer needs more than `characters`."""
    tokens = ceil(needed / CHARACTERS_PER_TOKEN)
    return SchemaTooLargeError(
        f"The shortest answer needs about {tokens:,} tokens; max_tokens is "
        f"{characters // CHARACTERS_PER_TOKEN:,}. Raise max_tokens or simplify the schema.",
        tokens=tokens,
    )


def check_satisfiable(schema: Any) -> None:
    """Check that a checked schema has a valid value, however long.

    Raises:
        SchemaUnsatisfiableError: It has none.
        SchemaTooLargeError: It expands to too many schemas to tell.
    """
    _BudgetSearch(NormalizedSchema(schema), sys.maxsize, is_loose=True).smallest()


class _BudgetSearch:
    """Searches the budgets for the largest one whose output fits."""

    def __init__(self, normalized: NormalizedSchema, characters: int, *, is_loose: bool) -> None:
        self._normalized = normalized
        self._characters = characters
        self._is_loose = is_loose
        self._results: dict[int, NarrowedSchema] = {}

    def largest_within(self, characters: int) -> NarrowedSchema | None:
        """Return the result of the largest budget that stays within `characters`, or None."""
        index = bisect_left(range(len(SIZE_BUDGETS)), 1, key=partial(self._fits, characters))
        return self._narrow(index) if index < len(SIZE_BUDGETS) else None

    def smallest(self) -> NarrowedSchema:
        """Return the smallest result, which may exceed the limit by MAX_OVERSHOOT.

        Raises:
            SchemaUnsatisfiableError: No value is valid.
            SchemaTooLargeError: Every valid value is too long.
        """
        narrowed = None
        for index in reversed(range(len(SIZE_BUDGETS))):
            with suppress(UnsatisfiableSchemaError):
                narrowed = self._narrow(index)
                break
        if narrowed is None:
            raise SchemaUnsatisfiableError("No value can satisfy this schema.")
        if narrowed.max_characters > self._characters * MAX_OVERSHOOT:
            raise too_long(narrowed.max_characters / MAX_OVERSHOOT, self._characters)
        return narrowed

    def _fits(self, characters: int, index: int) -> bool:
        try:
            return self._narrow(index).max_characters <= characters
        except UnsatisfiableSchemaError:
            return False

    def _narrow(self, index: int) -> NarrowedSchema:
        if index not in self._results:
            budget = SIZE_BUDGETS[index].with_max_string(self._characters // STRING_SHARE)
            builder = NarrowSchemaBuilder(self._normalized, budget, is_loose=self._is_loose)
            schema, max_characters = builder.build(self._normalized.root)
            unenforced = builder.unenforced()
            sent = _without_minimums(schema)
            if unenforced and self._normalized.is_superset_of(self._normalized.root, sent):
                unenforced = ()
            self._results[index] = NarrowedSchema(schema, unenforced, max_characters)
        return self._results[index]


def _without_minimums(schema: Any) -> Any:
    """Return a narrowed schema without the minimums of decimals, which not every grammar has."""
    if isinstance(schema, list):
        return [_without_minimums(item) for item in schema]
    if not isinstance(schema, dict) or "enum" in schema:
        return schema
    is_number = schema.get("type") == "number"
    return {
        name: _without_minimums(value)
        for name, value in schema.items()
        if not (is_number and name == "minimum")
    }
