"""Reads units as people write them: km/h, fl oz, square feet, L/100 km, °F.

Only names are left to the library of units: its own parser evaluates expressions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backend.tools.tool import ToolError

MAX_CHARACTERS = 40
MAX_FACTORS = 6
# What a unit means to most people, where the library takes it for another, or does not know it.
_ALIASES = {
    "c": "degC",
    "f": "degF",
    "k": "kelvin",
    "centigrade": "degC",
    "m": "meter",
    "g": "gram",
    "l": "liter",
    "h": "hour",
    "s": "second",
    "'": "foot",
    '"': "inch",
    "kmh": "kph",
    "kmph": "kph",
    "mpg": "mile/gallon",
    "fl oz": "fluid_ounce",
    "floz": "fluid_ounce",
    "sqft": "square foot",
    "sqm": "square meter",
    "kb": "kilobyte",
    "mb": "megabyte",
    "gb": "gigabyte",
    "tb": "terabyte",
}
_BITS = {"Kb": "kilobit", "Mb": "megabit", "Gb": "gigabit", "Tb": "terabit"}
_DEGREES = re.compile(
    r"^(?:degrees?|deg\.?|°|º)\s*(?=(?:c|f|k|celsius|fahrenheit|kelvin)$)", re.IGNORECASE
)
_COUNTRIES = re.compile(
    r"\b(?:u\.?s\.?|american)(?= )|\b(?P<british>u\.?k\.?|british)(?= )", re.IGNORECASE
)
_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3, "squared": 2, "cubed": 3}
_SYMBOLS = str.maketrans(
    {
        "²": "^2",
        "³": "^3",
        "·": "*",
        "\N{MULTIPLICATION SIGN}": "*",
        "\N{DOT OPERATOR}": "*",
        "\N{MINUS SIGN}": "-",
        "\N{PRIME}": "'",
        "\N{DOUBLE PRIME}": '"',
    }
)
_FACTOR = re.compile(
    r"(?P<scale>\d{1,6})?\s*(?P<words>[^\W\d_]+\.?(?:[ _][^\W\d_]+\.?)*)"
    r"\s*(?:(?:\^|\*\*)?\s*(?P<power>-?[1-9]))?"
)
_OPERATOR = re.compile(r"\s*(/|\bper\b|\*(?!\*))\s*")


@dataclass(frozen=True)
class Factor:
    """A unit's name to a power, and a number before it: 100 km is 100 and kilometer."""

    words: str
    power: int
    scale: int = 1


def read_factors(text: str) -> list[Factor]:
    """Return the factors of a unit.

    Raises:
        ToolError: The text is too long or not a unit.
    """
    text = " ".join(text.translate(_SYMBOLS).split())
    if not 0 < len(text) <= MAX_CHARACTERS:
        raise ToolError(f"A unit has 1 to {MAX_CHARACTERS} characters.")
    factors = list(_factors(_without_alias(text), text))
    if len(factors) > MAX_FACTORS:
        raise ToolError(f"A unit has at most {MAX_FACTORS} factors.")
    return factors


def _without_alias(text: str) -> str:
    text = _COUNTRIES.sub(lambda match: "imperial" if match["british"] else "", text).strip()
    text = _DEGREES.sub("", text)
    return _BITS.get(text) or _ALIASES.get(text.lower().replace(".", ""), text)


def _factors(text: str, original: str) -> Iterator[Factor]:
    sign = 1
    for number, part in enumerate(_OPERATOR.split(text)):
        if number % 2:
            sign = 1 if part == "*" else -1
            continue
        if (match := _FACTOR.fullmatch(part)) is None:
            raise ToolError(f"{original!r} is not a unit. Write it like km/h, square feet or °F.")
        words, power = _powers(match["words"])
        scale = int(match["scale"] or 1) or 1
        yield Factor(words, sign * power * int(match["power"] or 1), scale)


def _powers(words: str) -> tuple[str, int]:
    """Return words without "square" and the like, and the power that they mean."""
    power, kept = 1, list[str]()
    for word in words.split():
        factor = _POWERS.get(word.lower().rstrip("."))
        power, kept = (power * factor, kept) if factor else (power, [*kept, word])
    return " ".join(kept), power
