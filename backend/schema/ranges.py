"""Ranges of numbers as a grammar carries them: whole ones by bounds, others by their values."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

MAX_VALUES = 210  # as many as a score from 0 to 10 has in steps of 0.05
MAX_INTEGER = 999_999_999
MAX_DIGITS = 24  # of a number without bounds, as a model writes one

Carried = tuple[dict[str, Any], int, tuple[str, ...]]  # the schema, its longest, what is left


def integers(low: Any, high: Any, step: Any) -> Carried | None:
    """Give whole numbers from `low` to `high`, either of which may be None; None for none."""
    least = -MAX_INTEGER if low is None else int(Decimal(str(low)).to_integral(ROUND_CEILING))
    most = MAX_INTEGER if high is None else int(Decimal(str(high)).to_integral(ROUND_FLOOR))
    if low is None and most < least:
        least = most - MAX_INTEGER
    if high is None and most < least:
        most = least + MAX_INTEGER
    if least > most:
        return None
    longest = max(len(str(least)), len(str(most)))
    bounded: dict[str, Any] = {"type": "integer", "minimum": least, "maximum": most}
    if step is None or Decimal(str(step)) == 1 or not step:
        return bounded, longest, ()
    values = _multiples(Decimal(least), Decimal(most), Decimal(str(step)))
    if values is None:  # those nearest to nothing
        start = max(Decimal(least), Decimal(0)) if most >= 0 else Decimal(least)
        values = _multiples(
            start, start + Decimal(str(step)) * (MAX_VALUES - 2), Decimal(str(step))
        )
    whole = [value for value in values or () if value == int(value) and least <= value <= most]
    return (_values(whole), longest, ()) if whole else None


def numbers(low: Any, high: Any, step: Any) -> Carried | None:
    """Give numbers from `low` to `high`: all, where there are no bounds, else as many as may be."""
    if low is None and high is None and step is None:
        return {"type": "number"}, MAX_DIGITS, ()
    if step is not None:
        return integers(low, high, step) if float(step).is_integer() else _steps(low, high, step)
    if low is not None and high is not None:
        least, most = Decimal(str(low)), Decimal(str(high))
        if least > most:
            return None
        for size in ("0.01", "0.05", "0.1", "0.25", "0.5"):
            values = _multiples(least, most, Decimal(size))
            if values:
                return _values(values), max(len(str(value)) for value in values), ()
    return integers(low, high, None)


def _steps(low: Any, high: Any, step: Any) -> Carried | None:
    size = Decimal(str(step))
    least = (
        Decimal(str(low))
        if low is not None
        else min(Decimal(0), Decimal(str(high or 0)) - size * 100)
    )
    most = Decimal(str(high)) if high is not None else least + size * (MAX_VALUES - 1)
    values = _multiples(least, most, size)
    if values is None:
        values = _multiples(least, least + size * (MAX_VALUES - 1), size)
    if not values:
        return None
    return _values(values), max(len(str(value)) for value in values), ()


def _multiples(least: Decimal, most: Decimal, step: Decimal) -> list[Decimal] | None:
    """Give the multiples from `least` to `most`; None where they are too many."""
    first = int((least / step).to_integral(ROUND_CEILING))
    last = int((most / step).to_integral(ROUND_FLOOR))
    if last - first >= MAX_VALUES:
        return None
    return [step * number for number in range(first, last + 1)]


def _values(values: list[Decimal]) -> dict[str, Any]:
    return {"enum": [int(value) if value == int(value) else float(value) for value in values]}
