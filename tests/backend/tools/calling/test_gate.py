"""Which questions need a function."""

import re

import pytest

from backend.tools.calling.function import FunctionSpec, read_words
from backend.tools.calling.gate import PASS_SCORE, gate_score

CALCULATOR = FunctionSpec(
    "calculator",
    "Calculate the value of an arithmetic expression.",
    {
        "type": "object",
        "properties": {"expression": {"type": "string"}},
        "required": ["expression"],
    },
    cues=(re.compile(r"\d\s*[-+*/]\s*\(?\d"),),
)
CLOCK = FunctionSpec(
    "current_time",
    "Return the current date and time, in a time zone.",
    {"type": "object", "properties": {"timezone": {"type": "string"}}},
)
SEARCH = FunctionSpec(
    "search_files",
    "Search the user's files, and return the passages that fit a query best.",
    {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
BMI = FunctionSpec(
    "body_mass_index",
    "Compute the body mass index of a person.",
    {
        "type": "object",
        "properties": {"weight": {"type": "number"}, "height": {"type": "number"}},
        "required": ["weight", "height"],
    },
)
FUNCTIONS = [CALCULATOR, CLOCK, SEARCH, BMI]


def passes(question: str) -> bool:
    words = read_words(FUNCTIONS)
    scores = [gate_score(question, *each) for each in zip(FUNCTIONS, words, strict=True)]
    return max(scores) >= PASS_SCORE


@pytest.mark.parametrize(
    "question",
    [
        "hi",
        "thanks, that was helpful",
        "tell me a joke",
        "what is the capital of France?",
        "write a poem about the sea",
        "why is the sky blue?",
        "what can you do?",
        "give me three names for a cat",
        "how old is the universe?",
        "what is the meaning of life?",
        "",
        "你好",
    ],
)
def test_small_talk_is_stopped(question: str) -> None:
    assert not passes(question)


@pytest.mark.parametrize(
    "question",
    [
        "what is 12*(7+5)?",
        "What is the current date and time?",
        "search my files for the rental contract",
        "What is the body mass index for a weight of 80 and a height of 1.8?",
    ],
)
def test_question_for_a_function_passes(question: str) -> None:
    assert passes(question)


def test_question_without_the_required_numbers_scores_less() -> None:
    (words,) = read_words([BMI])
    with_numbers = gate_score("body mass index of a person with 80 and 1.8", BMI, words)
    assert gate_score("body mass index of a person", BMI, words) < with_numbers
