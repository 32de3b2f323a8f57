"""Narrow a number schema to what a grammar can express: integer bounds or a list of values."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any, Self

from backend.json_schema.errors import SchemaTooLargeError

MAX_VALUES = 128  # more of them slow a grammar down
MAX_INTEGER = 999_999_999  # of an unbounded range
MAX_SAFE_INTEGER = 2**53  # parsers disagree on larger ones
STEPS = ("0.01", "0.05", "0.1")  # of decimals in a range: the finest with few enough values

Schema = dict[str, Any]


@dataclass(frozen=True)
class NumberRange:
    """The bounds of a number, whether each is inclusive, and `multipleOf` as the step."""

    low: Decimal | None
    high: Decimal | None
    is_low_inclusive: bool
    is_high_inclusive: bool
    step: Decimal | None

    @classmethod
    def from_schema(cls, schema: Schema) -> Self:
        low, is_low_inclusive = _bound(schema, "minimum", "exclusiveMinimum", -1)
        high, is_high_inclusive = _bound(schema, "maximum", "exclusiveMaximum", 1)
        divisor = schema.get("multipleOf")
        step = None if divisor is None else _to_decimal(divisor)
        return cls(low, high, is_low_inclusive, is_high_inclusive, step)

    @property
    def is_unbounded(self) -> bool:
        return self.low is self.high is self.step is None

    @property
    def is_integral(self) -> bool:
        """Return True if every number in the range is an integer."""
        # Not `% 1`: its result may have more digits than decimals are calculated with.
        return self.step is not None and self.step == self.step.to_integral_value()

    @property
    def is_from_zero(self) -> bool:
        """Return True if 0 is the lowest number in the range."""
        return self.low == 0 and self.is_low_inclusive

    def integer_schema(self) -> Schema | None:
        """Return a schema of integers in the range, or None if it has none that can be enforced.

        Raises:
            SchemaTooLargeError: A number has too many digits to calculate with.
        """
        with _digit_limit():
            return self._integer_schema()

    def decimal_schema(self) -> Schema | None:
        """Return evenly spaced numbers of the range, or None if they would be too many.

        Raises:
            SchemaTooLargeError: A number has too many digits to calculate with.
        """
        with _digit_limit():
            return self._decimal_schema()

    def _integer_schema(self) -> Schema | None:
        bounds = self._integer_bounds()
        if bounds is None:
            return None
        minimum, maximum = bounds
        if minimum > MAX_SAFE_INTEGER or maximum < -MAX_SAFE_INTEGER:
            value = minimum if self.low is not None else maximum
            return {"enum": [value]} if self.step is None or value % self.step == 0 else None
        minimum, maximum = max(minimum, -MAX_SAFE_INTEGER), min(maximum, MAX_SAFE_INTEGER)
        if self.step is None or Decimal(1) % self.step == 0:
            return {"type": "integer", "minimum": minimum, "maximum": maximum}
        return _enum(
            [value for value in self._multiples(self.step) if value == value.to_integral_value()]
        )

    def _decimal_schema(self) -> Schema | None:
        if self.low is None or self.high is None:
            return None
        steps = map(Decimal, STEPS) if self.step is None else [self.step]
        for step in steps:
            if self.high - self.low <= step * (MAX_VALUES - 1):
                bounds = (self.low, self.high)
                ends = [] if self.step else [end for end in bounds if self._contains(end)]
                return _enum(sorted({*self._multiples(step), *ends}))
        return None

    def _integer_bounds(self) -> tuple[int, int] | None:
        low, high = self.low, self.high
        minimum = None if low is None else int(low.to_integral_value(ROUND_CEILING))
        maximum = None if high is None else int(high.to_integral_value(ROUND_FLOOR))
        if minimum is not None and minimum == low and not self.is_low_inclusive:
            minimum += 1
        if maximum is not None and maximum == high and not self.is_high_inclusive:
            maximum -= 1
        if minimum is None:
            is_low = maximum is not None and maximum <= -MAX_INTEGER
            minimum = (maximum or 0) - MAX_INTEGER if is_low else -MAX_INTEGER
        if maximum is None:
            maximum = MAX_INTEGER if minimum < MAX_INTEGER else minimum + MAX_INTEGER
        return (minimum, maximum) if minimum <= maximum else None

    def _multiples(self, step: Decimal) -> list[Decimal]:
        """Return the multiples in the range; if they are too many, those closest to zero."""
        low = -step * MAX_VALUES if self.low is None else self.low
        high = step * MAX_VALUES if self.high is None else self.high
        first = int((low / step).to_integral_value(ROUND_CEILING))
        last = int((high / step).to_integral_value(ROUND_FLOOR))
        if self.low is None and last < 0:
            first = last - MAX_VALUES
        if self.high is None and first > 0:
            last = first + MAX_VALUES
        if last - first >= MAX_VALUES:
            first = max(first, 0) if last >= 0 else last - MAX_VALUES + 1
            first = min(first, last)
        multiples = [step * factor for factor in range(first, min(last, first + MAX_VALUES) + 1)]
        return [value for value in multiples if self._contains(value)]

    def _contains(self, value: Decimal) -> bool:
        is_above = (
            self.low is None or value > self.low or (self.is_low_inclusive and value == self.low)
        )
        is_below = (
            self.high is None
            or value < self.high
            or (self.is_high_inclusive and value == self.high)
        )
        return is_above and is_below


@contextmanager
def _digit_limit() -> Iterator[None]:
    try:
        yield
    except (InvalidOperation, OverflowError):
        raise SchemaTooLargeError(
            "The bounds or multipleOf of a number have too many digits. Use smaller numbers."
        ) from None


def _bound(
    schema: Schema, keyword: str, exclusive_keyword: str, sign: int
) -> tuple[Decimal | None, bool]:
    """Return the effective bound, and whether it is inclusive."""
    bound, exclusive = schema.get(keyword), schema.get(exclusive_keyword)
    if isinstance(exclusive, bool):  # draft 4
        return (None if bound is None else _to_decimal(bound)), not exclusive
    if exclusive is None:
        return (None if bound is None else _to_decimal(bound)), True
    if bound is None:
        return _to_decimal(exclusive), False
    inclusive_bound, exclusive_bound = _to_decimal(bound), _to_decimal(exclusive)
    if sign * exclusive_bound.compare(inclusive_bound) <= 0:
        return exclusive_bound, False
    return inclusive_bound, True


def _enum(values: list[Decimal]) -> Schema | None:
    """Return an enum of the values that a JSON number represents exactly."""
    numbers = [
        int(value) if value == value.to_integral_value() else float(value) for value in values
    ]
    exact = [
        number
        for number, value in zip(numbers, values, strict=True)
        if _to_decimal(number) == value
    ]
    return {"enum": exact} if exact else None


def _to_decimal(number: Any) -> Decimal:
    return Decimal(str(number))
