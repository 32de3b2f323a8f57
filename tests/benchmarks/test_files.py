"""The benchmark of answers from files: its data and its figures."""

from pathlib import Path

from backend.files.reading.limits import ReadLimits
from backend.files.reading.reader import read_file
from backend.files.reading.source import Source
from benchmarks.files import coverage, f1, words
from benchmarks.files_data import generate
from benchmarks.files_kinds import encode


def test_generated_files_have_the_excerpts_of_their_questions() -> None:
    data = generate()
    assert (len(data.files), len(data.questions)) == (8, 200)
    assert all(
        excerpt in data.files[question.file]
        for question in data.questions
        for excerpt in question.excerpts
    )
    assert generate() == data


def test_files_have_their_texts(tmp_path: Path) -> None:
    """Each kind is read as the text it was made of, but for spaces and what the kind adds."""
    for name, text in generate().files.items():
        path = tmp_path / name
        path.write_bytes(encode(name, text))
        read = read_file(Source(path, name, ReadLimits()), tmp_path / "text")
        first = words(text)[:200]
        assert set(first) <= set(words(read.load().text)), name


def test_coverage_is_the_share_of_sequences_of_four_words() -> None:
    assert coverage(["one two three four five"], ["One two, three four."]) == 0.5
    assert coverage(["one two"], ["zero one two three"]) == 1
    assert coverage(["one"], []) == 0


def test_f1_is_about_content_words() -> None:
    assert f1(["the lamp of the ship"], ["a lamp, the ship"]) == 1
    assert f1(["lamp"], []) == 0
