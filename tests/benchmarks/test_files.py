"""The benchmark of answers from files: its data and its figures."""

from benchmarks.files import coverage, f1
from benchmarks.files_data import generate


def test_generated_files_have_the_excerpts_of_their_questions() -> None:
    data = generate()
    assert (len(data.files), len(data.questions)) == (8, 200)
    assert all(
        excerpt in data.files[question.file]
        for question in data.questions
        for excerpt in question.excerpts
    )
    assert generate() == data


def test_coverage_is_the_share_of_sequences_of_four_words() -> None:
    assert coverage(["one two three four five"], ["One two, three four."]) == 0.5
    assert coverage(["one two"], ["zero one two three"]) == 1
    assert coverage(["one"], []) == 0


def test_f1_is_about_content_words() -> None:
    assert f1(["the lamp of the ship"], ["a lamp, the ship"]) == 1
    assert f1(["lamp"], []) == 0
