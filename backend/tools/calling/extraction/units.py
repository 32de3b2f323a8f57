"""Units of measurement in texts: which of them mean the same."""

import re

from backend.tools.calling.words import fold, stem

_NAMES = """
    kilogram kg kilo kilos|gram g|pound lb lbs|meter metre m|centimeter centimetre cm|
    millimeter millimetre mm|kilometer kilometre km|mile mi|foot feet ft|inch inches|
    second sec s|minute min|hour hr h|day|week|month|year yr|night|kelvin k|celsius c|fahrenheit f|
    volt v|ampere amp amps a|ohm|coulomb|watt w|hertz hz|newton n|joule j|pascal pa|
    atm atmosphere|liter litre l|mole mol|degree|percent percentage
"""
_UNIT_OF_WORD = {
    (stem(word) if len(word) > 3 else word): names.split()[0]
    for names in _NAMES.split("|")
    for word in names.split()
}
_SHORT = re.compile(r"\b(?:in|of)\s+\(?([a-z]{1,2})\b")  # "in m", but not "a triangle"
_WORD = re.compile(r"[a-z]{3,}")


def unit_of(word: str) -> str:
    """Return the unit that a word right after a number stands for, or an empty string."""
    name = fold(word).split("/")[0].rstrip(".\u00b2\u00b3^")
    return _UNIT_OF_WORD.get(name) or _UNIT_OF_WORD.get(stem(name), "")


def units_in(text: str) -> frozenset[str]:
    """Return the units that a name or a description mentions."""
    lower = fold(text)
    return frozenset(filter(None, map(unit_of, _WORD.findall(lower) + _SHORT.findall(lower))))
