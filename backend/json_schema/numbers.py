"""Numbers as a grammar can carry them: whole ones by their bounds, others by their values."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Self

MAX_VALUES = 128  # more of them slow a grammar down
MAX_WHOLE = 999_999_999
MAX_CARRIED = 2**53  # beyond, not every reader has the same number
STEPS = ("0.01", "0.05", "0.1")  # of decimals in a range; the finest that does not give too many

Schema = dict[str, Any]


@dataclass(frozen=True)
class NumberRange:
    """The bounds of a number, each with whether it belongs to the range, and its divisor."""

    low: Decimal | None
    high: Decimal | None
    has_low: bool
    has_high: bool
    step: Decimal | None

    @classmethod
    def from_schema(cls, schema: Schema) -> Self:
        low, has_low = _bound(schema, "minimum", "exclusiveMinimum", -1)
        high, has_high = _bound(schema, "maximum", "exclusiveMaximum", 1)
        step = schema.get("multipleOf")
        return cls(low, high, has_low, has_high, None if step is None else _to_decimal(step))

    @property
    def is_unbounded(self) -> bool:
        return self.low is self.high is self.step is None

    @property
    def is_integral(self) -> bool:
        """Tell whether no number of it has decimals."""
        return self.step is not None and self.step % 1 == 0

    def integer_schema(self) -> Schema | None:
        """Give whole numbers of the range; None if it has none that is carried."""
        whole = self._whole()
        if whole is None:
            return None
        least, most = whole
        if least > MAX_CARRIED or most < -MAX_CARRIED:
            end = least if self.low is not None else most
            return {"enum": [end]} if self.step is None or end % self.step == 0 else None
        least, most = max(least, -MAX_CARRIED), min(most, MAX_CARRIED)
        if self.step is None or Decimal(1) % self.step == 0:
            return {"type": "integer", "minimum": least, "maximum": most}
        return _enum(
            [value for value in self._multiples(self.step) if value == value.to_integral_value()]
        )

    def decimal_schema(self) -> Schema | None:
        """Give numbers of the range at even steps; None if all that it has would be too many."""
        if self.low is None or self.high is None:
            return None
        steps = map(Decimal, STEPS) if self.step is None else [self.step]
        for step in steps:
            if self.high - self.low <= step * (MAX_VALUES - 1):
                ends = [] if self.step else [end for end in (self.low, self.high) if self._has(end)]
                return _enum(sorted({*self._multiples(step), *ends}))
        return None

    def _whole(self) -> tuple[int, int] | None:
        low, high = self.low, self.high
        least = None if low is None else int(low.to_integral_value(ROUND_CEILING))
        most = None if high is None else int(high.to_integral_value(ROUND_FLOOR))
        if least is not None and least == low and not self.has_low:
            least += 1
        if most is not None and most == high and not self.has_high:
            most -= 1
        if least is None:
            least = -MAX_WHOLE if most is None or most > -MAX_WHOLE else most - MAX_WHOLE
        if most is None:
            most = MAX_WHOLE if least < MAX_WHOLE else least + MAX_WHOLE
        return (least, most) if least <= most else None

    def _multiples(self, step: Decimal) -> list[Decimal]:
        """Give the multiples in the range, or those nearest to nothing where there are many."""
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
        multiples = [step * number for number in range(first, min(last, first + MAX_VALUES) + 1)]
        return [value for value in multiples if self._has(value)]

    def _has(self, value: Decimal) -> bool:
        is_above = self.low is None or value > self.low or (self.has_low and value == self.low)
        is_below = self.high is None or value < self.high or (self.has_high and value == self.high)
        return is_above and is_below


def _bound(
    schema: Schema, name: str, exclusive_name: str, sign: int
) -> tuple[Decimal | None, bool]:
    """Give the bound that holds, and whether it belongs to the range."""
    bound, exclusive = schema.get(name), schema.get(exclusive_name)
    if isinstance(exclusive, bool):  # as in draft 4
        return (None if bound is None else _to_decimal(bound)), not exclusive
    if exclusive is None:
        return (None if bound is None else _to_decimal(bound)), True
    if bound is None or (bound - exclusive) * sign >= 0:
        return _to_decimal(exclusive), False
    return _to_decimal(bound), True


def _enum(values: list[Decimal]) -> Schema | None:
    read = [int(one) if one == one.to_integral_value() else float(one) for one in values]
    same = [number for number, one in zip(read, values, strict=True) if _to_decimal(number) == one]
    return {"enum": same} if same else None


def _to_decimal(number: Any) -> Decimal:
    return Decimal(str(number))
