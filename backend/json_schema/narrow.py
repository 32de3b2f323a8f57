"""A narrower schema in another's place: every answer that fits it fits the other, and is short.

A grammar carries less than JSON Schema says, and leaves a small model room to run on until it is
cut off. So what a grammar cannot carry is written in words that it can (a range as its values, a
format as a pattern), everything has an end, and what is left to the judge is named.
"""

from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from backend.json_schema.errors import SchemaTooLargeError, SchemaUnsatisfiableError
from backend.json_schema.narrow_builder import (
    NarrowSchemaBuilder,
    SizeBudget,
    UnsatisfiableSchemaError,
)
from backend.json_schema.normalize import NormalizedSchema

# From roomy to tight.
SIZE_BUDGETS = (
    SizeBudget(text=500, items=10, optional=60, depth=2, has_decimals=True),
    SizeBudget(text=250, items=8, optional=60, depth=2, has_decimals=True),
    SizeBudget(text=120, items=5, optional=60, depth=2, has_decimals=True),
    SizeBudget(text=80, items=4, optional=40, depth=1, has_decimals=True),
    SizeBudget(text=60, items=3, optional=30, depth=1, has_decimals=True),
    SizeBudget(text=40, items=3, optional=20, depth=1, has_decimals=True),
    SizeBudget(text=32, items=2, optional=12, depth=1, has_decimals=True),
    SizeBudget(text=24, items=2, optional=8, depth=1, has_decimals=True),
    SizeBudget(text=24, items=2, optional=4, depth=0, has_decimals=True),
    SizeBudget(text=24, items=1, optional=2, depth=0, has_decimals=True),
    SizeBudget(text=20, items=1, optional=1, depth=0, has_decimals=False),
    SizeBudget(text=16, items=1, optional=0, depth=0, has_decimals=False),
    SizeBudget(text=8, items=1, optional=0, depth=0, has_decimals=False),
    SizeBudget(text=4, items=0, optional=0, depth=0, has_decimals=False),
)
LEVEL_RATIO = 0.75  # of what the level before it had
MAX_OVERSHOOT = 2  # characters are reckoned with care: twice as many may fit
MAX_SHARE = 6  # no text may take more than a sixth of all there is: small models run on


@dataclass(frozen=True)
class NarrowedSchema:
    """The narrower schema.

    `unenforced` are the places (JSON pointers into the original) and keywords that it does not
    carry. `longest` is how many characters an answer may have, with as much white space as a model
    writes; llama.cpp's grammars allow more of that.
    """

    schema: Any
    unenforced: tuple[tuple[str, str], ...]
    longest: int


def narrow(schema: Any, *, characters: int, level: int = 0) -> NarrowedSchema:
    """Narrow a vetted schema until its longest answer has at most `characters`.

    Each level is tighter than the one before it; and from the first on all is carried that can be,
    also where that costs answers that may have been meant.

    Raises:
        SchemaUnsatisfiableError: nothing fits it.
        SchemaTooLargeError: everything that fits it is longer, or it is too much to look through.
    """
    search = _BudgetSearch(NormalizedSchema(schema), characters, is_loose=level == 0)
    roomy = search.largest_within(characters)
    if roomy is None:
        return search.smallest()
    return search.largest_within(int(roomy.longest * LEVEL_RATIO**level)) or search.smallest()


class _BudgetSearch:
    """What a schema becomes in each of the rooms."""

    def __init__(self, plain: NormalizedSchema, characters: int, *, is_loose: bool) -> None:
        self._plain = plain
        self._characters = characters
        self._is_loose = is_loose
        self._found: dict[int, NarrowedSchema] = {}

    def largest_within(self, characters: int) -> NarrowedSchema | None:
        """Give the roomiest that is not longer."""
        number = bisect_left(range(len(SIZE_BUDGETS)), 1, key=partial(self._fits, characters))
        return self.narrowed(number) if number < len(SIZE_BUDGETS) else None

    def _fits(self, characters: int, number: int) -> bool:
        try:
            return self.narrowed(number).longest <= characters
        except UnsatisfiableSchemaError:
            return False

    def narrowed(self, number: int) -> NarrowedSchema:
        if number not in self._found:
            room = SIZE_BUDGETS[number].within(self._characters // MAX_SHARE)
            narrowing = NarrowSchemaBuilder(self._plain, room, is_loose=self._is_loose)
            schema, longest = narrowing.build(self._plain.root)
            unenforced = narrowing.unenforced()
            if unenforced and self._plain.is_superset_of(self._plain.root, schema):
                unenforced = ()
            self._found[number] = NarrowedSchema(schema, unenforced, longest)
        return self._found[number]

    def smallest(self) -> NarrowedSchema:
        """Give the narrowest, though it may be longer than there is room for.

        Raises:
            SchemaUnsatisfiableError: nothing fits it.
            SchemaTooLargeError: everything that fits it is too long.
        """
        narrowed = None
        for number in reversed(range(len(SIZE_BUDGETS))):
            with suppress(UnsatisfiableSchemaError):
                narrowed = self.narrowed(number)
                break
        if narrowed is None:
            raise SchemaUnsatisfiableError("Nothing fits the schema, or nothing that ends.")
        if narrowed.longest > self._characters * MAX_OVERSHOOT:
            raise SchemaTooLargeError(
                f"Even its shortest answers may have {narrowed.longest:,} characters, and there is "
                f"room for {self._characters:,}. Raise max_tokens, or ask for less."
            )
        return narrowed
