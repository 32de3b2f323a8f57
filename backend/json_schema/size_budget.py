"""The budgets that bound the size of a narrowed schema's output."""

from dataclasses import dataclass, replace
from typing import Self

CHARACTERS_PER_TOKEN = 2  # a token of JSON has at least as many, as a rule


@dataclass(frozen=True)
class SizeBudget:
    """Limits on the output: characters of a string, items of an array, optional properties."""

    string_length: int
    items: int
    optional: int
    recursion: int  # the maximum depth of a recursive $ref
    has_decimals: bool  # decimals of any length, if no range limits them

    def with_max_string(self, length: int) -> Self:
        return replace(self, string_length=min(self.string_length, max(length, 1)))


# From large to small.
SIZE_BUDGETS = (
    SizeBudget(string_length=500, items=10, optional=60, recursion=2, has_decimals=True),
    SizeBudget(string_length=250, items=8, optional=60, recursion=2, has_decimals=True),
    SizeBudget(string_length=120, items=5, optional=60, recursion=2, has_decimals=True),
    SizeBudget(string_length=80, items=4, optional=40, recursion=1, has_decimals=True),
    SizeBudget(string_length=60, items=3, optional=30, recursion=1, has_decimals=True),
    SizeBudget(string_length=40, items=3, optional=20, recursion=1, has_decimals=True),
    SizeBudget(string_length=32, items=2, optional=12, recursion=1, has_decimals=True),
    SizeBudget(string_length=24, items=2, optional=8, recursion=1, has_decimals=True),
    SizeBudget(string_length=24, items=2, optional=4, recursion=0, has_decimals=True),
    SizeBudget(string_length=24, items=1, optional=2, recursion=0, has_decimals=True),
    SizeBudget(string_length=20, items=1, optional=1, recursion=0, has_decimals=False),
    SizeBudget(string_length=16, items=1, optional=0, recursion=0, has_decimals=False),
    SizeBudget(string_length=8, items=1, optional=0, recursion=0, has_decimals=False),
    SizeBudget(string_length=4, items=0, optional=0, recursion=0, has_decimals=False),
)
