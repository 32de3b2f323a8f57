"""Which function fits a question best."""

import re
import time

from backend.tools.calling.function import MAX_TEXT_CHARACTERS, FunctionSpec, read_words
from backend.tools.calling.pick import pick_functions

WEATHER = FunctionSpec("get_weather", "Return the weather forecast of a city.")
STOCKS = FunctionSpec("getStockPrice", "Return the price of a share of a company.")
TIMER = FunctionSpec("timer", "Starts it.", cues=(re.compile(r"\bin \d+ minutes\b"),))
FUNCTIONS = [WEATHER, STOCKS, TIMER]


def pick(question: str) -> str:
    return FUNCTIONS[pick_functions(question, FUNCTIONS, read_words(FUNCTIONS))[0]].name


def test_function_with_the_words_of_the_question_is_picked() -> None:
    assert pick("what are the stock prices of Apple?") == "getStockPrice"
    assert pick("forecasts for cities") == "get_weather"


def test_cue_wins_over_words() -> None:
    assert pick("tell me the weather forecast in 5 minutes") == "timer"


def test_megabytes_of_functions_are_ranked_quickly() -> None:
    functions = [
        FunctionSpec(f"función_{number}_日本\u202e", "word " * 1_600, {"properties": {"a": None}})
        for number in range(127)
    ]
    functions.append(FunctionSpec("needle", "Find the needle."))
    started_at = time.process_time()
    words = read_words(functions)
    assert pick_functions("find the needle", functions, words)[0] == 127
    assert time.process_time() - started_at < 5
    assert sum(len(" ".join(each.description)) for each in words) < MAX_TEXT_CHARACTERS


def test_parameters_that_are_no_schema_have_no_words() -> None:
    odd = FunctionSpec("odd", "", {"properties": {"a": 1, "b": {"enum": 3, "items": []}}})
    assert read_words([odd])[0].parameters == ("a", "b")
