"""Questions that are about all of a file, and words of questions."""

import pytest

from backend.files.retrieval.question import question_words, with_previous
from backend.files.retrieval.questions import Task, recognize


@pytest.mark.parametrize(
    ("question", "task"),
    [
        ('How many times is "climate change" mentioned?', Task.COUNT),
        ("Count the mentions of Berlin", Task.COUNT),
        ("How many pages does the document have?", Task.COUNT),
        ("List all the people in the report", Task.MENTIONS),
        ("Could you please find every place where tax is discussed?", Task.MENTIONS),
        ("What are the first 3 paragraphs?", Task.FIRST),
        ("How does the book end?", Task.LAST),
        ("What is the last sentence of the file?", Task.LAST),
        ("Summarise this document", Task.SUMMARISE),
        ("Give me an overview of these files", Task.SUMMARISE),
        ("What is this paper about?", Task.SUMMARISE),
    ],
)
def test_question_about_all_of_a_file_is_recognized(question: str, task: Task) -> None:
    recognized = recognize(question)
    assert recognized is not None
    assert recognized.task == task


@pytest.mark.parametrize(
    "question",
    [
        "How many people live in Berlin?",
        "Who was the first president?",
        "When did they last meet?",
        "What did the summary judgment say?",
        "Which list of demands was sent?",
        "How often does the committee meet?",
        "What is the final score?",
        "",
    ],
)
def test_ordinary_question_is_not(question: str) -> None:
    assert recognize(question) is None


def test_phrase_and_number_are_read() -> None:
    counted = recognize("How many times does it mention 'carbon tax'?")
    first = recognize("Show the first 12 lines")
    assert counted is not None
    assert first is not None
    assert counted.phrase == "carbon tax"
    assert first.n == 12


def test_question_words_leave_out_stop_words_unless_there_are_no_others() -> None:
    assert [word.form for word in question_words("What are the fees of banks?")] == [
        "fees",
        "banks",
    ]
    assert [word.form for word in question_words("Who is who?")] == ["who", "is"]
    assert question_words("?!") == []


def test_words_of_the_previous_question_count_half() -> None:
    words = with_previous(question_words("And its fees?"), question_words("Which bank has fees?"))
    assert [(word.form, word.weight) for word in words] == [("fees", 1.0), ("bank", 0.5)]
