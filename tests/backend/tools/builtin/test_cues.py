"""Which questions the cues of the built-in tools recognize."""

import time

import pytest

from backend.tools.builtin import BUILT_IN_TOOLS

QUESTIONS = {
    "calculator": [
        "what is 17 % of 2340?",
        "12*(7+5)",
        "Calculate 3 + 4",
        "How much is 15% off 80?",
        "What is 1,234 times 7?",
        "square root of 144",
        "2^10",
        "what is 144 / 12",
        "100 - 58 =",
        "8\N{DIVISION SIGN}2",
        "add 5 and 7",
        "What's 3 x 4?",
        "7-5?",
        "(3+4)*2",
        "45 divided by 9",
    ],
    "current_date_and_time": [
        "what day is it?",
        "What time is it?",
        "What's the date?",
        "what is today's date",
        "what time is it in Tokyo?",
        "Which day is today?",
        "Tell me the current time in Berlin",
        "is it Monday today?",
        "what year is it",
        "What day of the week is it?",
    ],
    "convert_units": [
        "5 miles in km",
        "How many ounces are in a pound?",
        "100 °F in °C",
        "convert 3 cups to ml",
        "What is 70 kg in pounds?",
        "how many feet is 5 meters",
        "100 degrees Fahrenheit to Celsius",
        "How much is 2 gallons in liters?",
        "60 mph in km/h",
    ],
    "": [
        "hi",
        "tell me a joke",
        "what is the capital of France?",
        "How are you today?",
        "What is the time complexity of quicksort?",
        "write a poem about the year in which Rome fell",
        "Born 1990-05-04",
        "Give me 3-5 ideas for a party",
        "I am busy 24/7 these days",
        "Call 555-1234 now",
        "write a haiku 5-7-5",
        "I have 2 dogs in my house",
        "He ran 5 miles in heavy rain",
        "what is 2 factor authentication",
        "list 10 cities in Germany",
        "How much is a house in Berlin?",
        "how many people live in France",
        "it's now or never",
    ],
}


@pytest.mark.parametrize(
    ("question", "name"),
    [(question, name) for name, questions in QUESTIONS.items() for question in questions],
)
def test_cues_recognize_the_questions_of_their_tool(question: str, name: str) -> None:
    recognized = [
        tool.name for tool in BUILT_IN_TOOLS if any(cue.search(question) for cue in tool.cues)
    ]
    assert recognized == [name] * bool(name)


@pytest.mark.parametrize(
    "part", ["1 ", "what is the ", "1 mile ", "((((", "1-1/", " ", "1", "1 mile in", "what's the "]
)
def test_cues_of_a_long_text_take_time_in_proportion(part: str) -> None:
    text = part * (100_000 // len(part))
    started = time.perf_counter()
    for tool in BUILT_IN_TOOLS:
        for cue in tool.cues:
            cue.search(text)
    assert time.perf_counter() - started < 3
