"""Filters on the attributes of files, in OpenAI's shape."""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt, ne
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Value = bool | float | Annotated[str, Field(max_length=512)]
MAX_FILTERS = 100  # in one level


class ComparisonFilter(BaseModel):
    """Compare an attribute with a value. A file without the attribute matches only `ne` and `nin`.

    Values of different types are not equal, and none is the greater one.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: Annotated[str, Field(max_length=64)]
    value: Value | Annotated[list[Value], Field(max_length=MAX_FILTERS)]

    def matches(self, attributes: Mapping[str, Any]) -> bool:
        actual = attributes.get(self.key)
        if isinstance(self.value, list):
            is_in = any(_compare(eq, actual, value) for value in self.value)
            return is_in if self.type in ("in", "eq") else self.type in ("nin", "ne") and not is_in
        if self.type in ("ne", "nin"):
            return not _compare(eq, actual, self.value)
        return _compare(_OPERATORS[self.type], actual, self.value)


class CompoundFilter(BaseModel):
    """All filters match (`and`), or at least one does (`or`)."""

    type: Literal["and", "or"]
    filters: Annotated[list["Filter"], Field(min_length=1, max_length=MAX_FILTERS)]

    def matches(self, attributes: Mapping[str, Any]) -> bool:
        results = (one.matches(attributes) for one in self.filters)
        return all(results) if self.type == "and" else any(results)


Filter = Annotated[ComparisonFilter | CompoundFilter, Field(discriminator="type")]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": eq,
    "in": eq,
    "ne": ne,
    "gt": gt,
    "gte": ge,
    "lt": lt,
    "lte": le,
}


def _compare(operator: Callable[[Any, Any], Any], actual: Any, value: Any) -> bool:
    return _kind(actual) == _kind(value) and bool(operator(actual, value))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else type(value).__name__
