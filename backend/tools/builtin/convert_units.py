"""The converter of units."""

import re
from fractions import Fraction
from functools import cache
from threading import Lock
from typing import Annotated, Any

from pydantic import Field

from backend.tools.builtin.number_text import Number, number_text
from backend.tools.builtin.unit_text import MAX_CHARACTERS, Factor, read_factors
from backend.tools.function_tool import function_tool
from backend.tools.tool import ToolError

# To recognize questions; more units than these can be converted.
_PREFIX = r"(?:(?:square|cubic|sq|cu|nautical|fluid|fl|metric|light|degrees?)[. ]{1,2}|°\s?)?"
_UNIT = _PREFIX + (
    r"(?:miles?|mi|mph|yards?|yd|feet|foot|ft|inch(?:es)?|in|(?:kilo|centi|milli)?met(?:er|re)s?"
    r"|[kcmµ]?m[²³23]?|(?:milli)?lit(?:er|re)s?|m?l|gallons?|quarts?|pints?|cups?|ounces?|oz"
    r"|tablespoons?|teaspoons?|tbsp|tsp|pounds?|lbs?|stones?|(?:kilo|milli)?grams?|k?g|tons?"
    r"|tonnes?|celsius|fahrenheit|kelvin|[cfk]|km/h|kph|kmh|m/s|knots?|acres?|hectares?|bytes?"
    r"|(?:kilo|mega|giga)bytes?|[kmgt]i?b|seconds?|minutes?|hours?|days?|weeks?|months?|years?"
    r"|joules?|k?cal(?:ories)?|k?wh?|horsepower|hp|psi|bar|pascals?)(?!\w)"
)
_CUES = (
    rf"\d\s?{_UNIT}.{{0,20}}\b(?:in|to|into|as)\s(?:a\s)?{_UNIT}",  # 5 miles in km
    rf"\bhow\s(?:many|much)\s{_UNIT}.{{0,20}}\b(?:in|is|are|make|equals?)\b.{{0,20}}\b{_UNIT}",
    rf"\bconvert\b.{{0,30}}\b{_UNIT}",
)
_VALUE = r"(?P<value>-?\d+(?:,\d{3})*(?:\.\d+)?)"
_TO = rf"{_VALUE}\s?(?P<source>{_UNIT})\s(?:in|to|into|as)\s(?:an?\s)?(?P<target>{_UNIT})"
_HOW_MANY = (
    rf"\bhow\s(?:many|much)\s(?P<target>{_UNIT})\s(?:(?:are|is)\s)?(?:there\s)?(?:in\s)?"
    rf"{_VALUE}\s?(?P<source>{_UNIT})"
)
_CONVERSIONS = [re.compile(pattern, re.IGNORECASE) for pattern in (_TO, _HOW_MANY)]
_MAX_QUESTION_CHARACTERS = 2_000
_lock = Lock()


def _extract_arguments(question: str) -> dict[str, Any] | None:
    for pattern in _CONVERSIONS:
        if match := pattern.search(question[:_MAX_QUESTION_CHARACTERS]):
            value = float(match["value"].replace(",", ""))
            return {"value": value, "from_unit": match["source"], "to_unit": match["target"]}
    return None


@function_tool(
    title="Unit converter",
    read_only=True,
    seconds=20,  # the first time, the library is imported
    cues=_CUES,
    extract_arguments=_extract_arguments,
)
def convert_units(
    value: Annotated[float, Field(description="The number to convert.")],
    from_unit: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_CHARACTERS,
            description="The unit of the number: miles, °F.",
        ),
    ],
    to_unit: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_CHARACTERS,
            description="The unit to convert it to: km, °C.",
        ),
    ],
) -> str:
    """Convert a value from one unit of measurement to another.

    For length, area, volume, weight, temperature, speed, time, energy, pressure and data size.
    """
    return convert(value, from_unit, to_unit)


def convert(value: float, from_unit: str, to_unit: str) -> str:
    """Return a converted value as an equation.

    Raises:
        ToolError: A unit is unknown, or they measure different things.
    """
    number = Fraction(str(value))
    source, target = read_factors(from_unit), read_factors(to_unit)
    with _lock:
        result = _convert(number, source, target)
    if result is None:
        raise ToolError(
            f"{from_unit} cannot be converted to {to_unit}: they measure different things."
        )
    text, is_exact = number_text(result)
    return f"{number_text(number)[0]} {from_unit} {'=' if is_exact else '≈'} {text} {to_unit}"


@cache
def _registry() -> Any:
    from pint import UnitRegistry  # noqa: PLC0415  # a second and 30 MB, for those who use it

    return UnitRegistry(cache_folder=None, non_int_type=Fraction)


def _convert(value: Fraction, source: list[Factor], target: list[Factor]) -> Number | None:
    """Return the converted value, or None if the units measure different things."""
    from pint import PintError  # noqa: PLC0415

    registry = _registry()
    (source_scale, source_units), (target_scale, target_units) = map(_units, (source, target))
    try:
        dimensions, inverse = map(registry.get_dimensionality, (source_units, target_units**-1))
        if dimensions != inverse or dimensions == target_units.__class__():
            converted = registry.convert(value * source_scale, source_units, target_units)
        else:  # miles per gallon in liters per 100 km, or km/h in minutes per km
            converted = 1 / registry.convert(value * source_scale, source_units, target_units**-1)
    except ZeroDivisionError:
        raise ToolError("The inverse of zero is not a number.") from None
    except (PintError, TypeError):  # numpy, where installed, has no logarithm of a fraction
        return None
    result: Number = converted / target_scale
    return result


def _units(factors: list[Factor]) -> tuple[Fraction, Any]:
    """Return a number and units, whose product the factors are."""
    scale, units = Fraction(1), _registry().UnitsContainer()
    for factor in factors:
        scale *= Fraction(factor.scale) ** (1 if factor.power > 0 else -1)
        for name in _names(factor.words):
            units *= _registry().UnitsContainer({name: factor.power})
    return scale, units


def _names(words: str) -> list[str]:
    """Return the names of a unit of several words, or of several units.

    Raises:
        ToolError: One is unknown.
    """
    if name := _name(words.replace(" ", "_")):
        return [name]
    names = [_name(word) for word in words.split()]
    if not names or not all(names):
        raise ToolError(f"The unit {words!r} is unknown.")
    return [name for name in names if name]


def _name(word: str) -> str | None:
    """Return the name of a unit, which may be its symbol, a plural, or in another case."""
    word = word.replace(".", "")
    parse = _registry().parse_unit_name
    candidates = parse(word) or parse(word.lower()) or parse(word, case_sensitive=False)
    return "".join(candidates[0][:2]) if candidates else None
