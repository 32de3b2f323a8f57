"""The converter of units: what it understands, and that its library evaluates nothing."""

import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pint import UnitRegistry

from backend.tools.builtin.convert_units import convert, convert_units
from backend.tools.builtin.unit_text import MAX_CHARACTERS
from backend.tools.dispatch import run_call
from backend.tools.tool import ToolError
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("value", "source", "target", "result"),
    [
        (5, "miles", "km", "5 miles = 8.04672 km"),
        (1, "MILE", "Kilometers", "1 MILE = 1.609344 Kilometers"),
        (98.6, "°F", "°C", "98.6 °F = 37 °C"),
        (32, "f", "c", "32 f = 0 c"),
        (
            -40,
            "degrees Fahrenheit",
            "degrees Celsius",
            "-40 degrees Fahrenheit = -40 degrees Celsius",
        ),
        (0, "Celsius", "K", "0 Celsius = 273.15 K"),
        (100, "km/h", "m/s", "100 km/h ≈ 27.77777778 m/s"),
        (36, "kilometers per hour", "m/s", "36 kilometers per hour = 10 m/s"),
        (36, "kmh", "m/s", "36 kmh = 10 m/s"),
        (8, "fl oz", "mL", "8 fl oz = 236.5882365 mL"),
        (8, "fl. oz.", "ml", "8 fl. oz. = 236.5882365 ml"),
        (1, "cup", "tablespoons", "1 cup = 16 tablespoons"),
        (2, "oz.", "grams", "2 oz. = 56.69904625 grams"),
        (70, "kg", "lbs", "70 kg ≈ 154.3235835 lbs"),
        (1500, "sq. ft.", "m²", "1500 sq. ft. = 139.35456 m²"),
        (1, "square foot", "in^2", "1 square foot = 144 in^2"),
        (1, "meters cubed", "liters", "1 meters cubed = 1000 liters"),
        (1, "US gallon", "litres", "1 US gallon = 3.785411784 litres"),
        (1, "UK gallon", "L", "1 UK gallon = 4.54609 L"),
        (1, "nautical mile", "m", "1 nautical mile = 1852 m"),
        (30, "mpg", "L/100 km", "30 mpg ≈ 7.840486111 L/100 km"),
        (10, "km/h", "min/km", "10 km/h = 6 min/km"),
        (1, "N m", "J", "1 N m = 1 J"),
        (1, "kWh", "MJ", "1 kWh = 3.6 MJ"),
        (2, "GB", "mb", "2 GB = 2000 mb"),
        (8, "Mb", "MB", "8 Mb = 1 MB"),
        (1, "GiB", "MiB", "1 GiB = 1024 MiB"),
        (6, "'", '"', "6 ' = 72 \""),
        (5, "ft", "M", "5 ft = 1.524 M"),
        (1, "year", "days", "1 year = 365.25 days"),
        (0, "m", "ft", "0 m = 0 ft"),
    ],
)
def test_units_as_people_write_them(value: float, source: str, target: str, result: str) -> None:
    assert convert(value, source, target) == result


@pytest.mark.parametrize(
    ("value", "source", "target", "reason"),
    [
        (1, "meter", "kg", "meter cannot be converted to kg: they measure different things"),
        (1, "foo", "kg", "'foo' is unknown"),
        (1, "USD", "EUR", "'USD' is unknown"),
        (0, "mpg", "L/100 km", "inverse of zero"),
        (1, "degC/m", "degF/m", "different things"),
        (1, "dB", "m", "different things"),
        (1, "m*m*m*m*m*m*m", "m", "at most 6 factors"),
    ],
)
def test_what_cannot_be_converted_is_an_error(
    value: float, source: str, target: str, reason: str
) -> None:
    with pytest.raises(ToolError, match=reason.replace("*", r"\*")):
        convert(value, source, target)


@pytest.mark.parametrize(
    "unit",
    [
        "__import__('os').system('id')",
        "m**9**9**9",
        "9**9**9",
        "10**(10**10)",
        "m^99999",
        "(((((((((m)))))))))",
        "m if 1 else s",
        "lambda: m",
        "m.__class__",
        "[m]",
        "m; s",
        "m\0",
        "\ud800",
        "m" * 41,
        "/" * 40,
        "1e400 m",
        "kilokilokilokilokilokilokilokilometer",
        "µ" * 40,
        "",
        " ",
    ],
)
@pytest.mark.anyio
async def test_hostile_unit_is_an_error(unit: str) -> None:
    started = time.perf_counter()
    arguments = {"value": 1, "from_unit": unit, "to_unit": "m"}
    result = await run_call(convert_units, arguments, max_characters=1000, seconds=20)
    assert result.is_error
    assert len(result.text) < 400
    assert time.perf_counter() - started < 10  # of which the first import takes most


@pytest.mark.parametrize("value", [1e308, 5e-324, -1e308, 10**300])
@pytest.mark.parametrize("units", [("square quettameter^9", "square quectometer^9"), ("m", "nm")])
def test_extreme_values_are_converted(value: float, units: tuple[str, str]) -> None:
    for source, target in (units, units[::-1]):
        assert len(convert(value, source, target)) < 150


unit_parts = st.sampled_from(
    [
        "m",
        "km",
        "°F",
        "degC",
        "dBm",
        "pH",
        "square",
        "per",
        "/",
        "*",
        "^3",
        "2",
        "-2",
        " ",
        "oz",
        "hbar",
    ]
)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.one_of(st.lists(unit_parts, max_size=8).map("".join), st.text(max_size=MAX_CHARACTERS)),
)
def test_any_text_is_a_unit_or_an_error(value: float, unit: str) -> None:
    for source, target in ((unit, "m"), ("km", unit), (unit, unit)):
        try:
            text = convert(value, source, target)
        except ToolError as error:
            text = str(error)
        assert 0 < len(text) < 300


def test_every_unit_of_the_library_is_converted_or_refused() -> None:
    for name in dir(UnitRegistry(cache_folder=None)):
        for source, target in ((name, "m"), (name, name)):
            try:
                convert(2, source, target)
            except ToolError:
                continue


@pytest.mark.slow
def test_library_is_imported_when_a_unit_is_converted() -> None:
    code = "import sys, backend.main; print('pint' in sys.modules)"
    result: Any = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
