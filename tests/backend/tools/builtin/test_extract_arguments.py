"""The arguments that a question states outright, so that no model has to write them."""

from typing import Any

import pytest

from backend.tools.builtin.calculator import calculator
from backend.tools.builtin.convert_units import convert_units
from backend.tools.builtin.current_time import current_date_and_time

SUMS = [
    ("What is 17 % of 2340?", "17 % of 2340 = 397.8"),
    ("12*(7+5)", "12*(7+5) = 144"),
    ("How much is 128 divided by 16, please?", "128 divided by 16 = 8"),
    ("What's the square root of 1764?", "square root of 1764 = 42"),
    ("What is 2 to the power of 16?", "2 to the power of 16 = 65536"),
    ("Add 1999 and 2024.", "1999 + 2024 = 4023"),
    ("What is the sum of 11, 22, 33 and 44?", "11 + 22 + 33 + 44 = 110"),
    ("Multiply 12 by 1,000.", "12 * 1,000 = 12000"),
    ("Divide 1 by 8.", "1 / 8 = 0.125"),
    ("What is -15 + 40?", "-15 + 40 = 25"),
    ("How much is 5 factorial?", "factorial(5) = 120"),
    ("What is half of 375?", "375 / 2 = 187.5"),
    ("What is 20 % more than 85?", "85 + 20 % = 102"),
    ("I bought 3 shirts at 19.99 euros each. What do I pay?", "3 * 19.99 = 59.97"),
    ("How much is 9/16 as a decimal?", "9/16 = 0.5625"),
    ("The bill is 86.40. How much is a 10 % of 86.40 tip?", "10 % of 86.40 = 8.64"),
]
NO_SUMS = [
    "hi", "Tell me a joke.", "Call me at 555-1234.", "What happened on 2026-11-29?",
    "Who won in 1998 and 2002?", "I have 3 of them.", "", "()" * 1000, "+-*/",
]  # fmt: skip
CONVERSIONS = [
    ("How many kilometres are 5 miles?", (5, "miles", "kilometres")),
    ("5 miles in km", (5, "miles", "km")),
    ("Convert 100 °F to °C", (100, "°F", "°C")),
    ("how many ounces are in 2.5 pounds?", (2.5, "pounds", "ounces")),
    ("What's 1,200 feet in metres?", (1200, "feet", "metres")),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("question", "result"), SUMS)
async def test_arithmetic_is_read_and_calculated(question: str, result: str) -> None:
    arguments = calculator.extract_arguments(question)
    assert arguments is not None
    assert (await calculator.run(arguments)).text == result


@pytest.mark.parametrize("question", NO_SUMS)
def test_question_without_arithmetic_states_none(question: str) -> None:
    assert calculator.extract_arguments(question) is None


@pytest.mark.parametrize(("question", "conversion"), CONVERSIONS)
def test_conversion_is_read(question: str, conversion: tuple[Any, ...]) -> None:
    arguments = convert_units.extract_arguments(question)
    assert arguments is not None
    assert tuple(arguments.values()) == conversion


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ("What day is it?", {}),
        ("What time is it in Tokyo?", {"time_zone": "Tokyo"}),
        ("What time is it in New York right now?", {"time_zone": "New York"}),
        ("What time is it in Narnia?", None),
        ("What is the time complexity of quicksort?", None),
        ("Tell me about the time of Napoleon.", None),
    ],
)
def test_time_zone_is_read(question: str, arguments: Any) -> None:
    assert current_date_and_time.extract_arguments(question) == arguments


@pytest.mark.parametrize("statement", ["What is 2 + 2?", "5 miles in km", "What day is it?"])
@pytest.mark.parametrize("tool", [calculator, convert_units, current_date_and_time])
def test_only_the_start_of_a_long_question_is_read(tool: Any, statement: str) -> None:
    assert tool.extract_arguments("word, " * 1000 + statement) is None
