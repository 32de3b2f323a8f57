"""Questions that ask for several functions."""

from backend.tools.calling.clauses import split_question


def test_requests_joined_by_and_are_split() -> None:
    question = "What is the weather in Oslo and what time is it there? Then set a timer."
    assert split_question(question) == [
        "What is the weather in Oslo",
        "what time is it there?",
        "Then set a timer.",
    ]


def test_and_between_values_does_not_split() -> None:
    question = "Compare bread and butter, then 3 and 4"
    assert split_question(question) == [question]
