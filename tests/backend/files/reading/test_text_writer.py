"""The text is normalized and measured in code points, and its sections cover it."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.files.reading.document import Section
from backend.files.reading.errors import ReadError
from backend.files.reading.text_writer import MAX_SECTIONS, DocumentFile, TextWriter, normalize

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


def write(path: Path, parts: list[str], max_bytes: int = 10_000_000) -> DocumentFile:
    with path.open("wb") as file:
        writer = TextWriter(file, max_bytes)
        for number, part in enumerate(parts, start=1):
            writer.start_section(page=number)
            writer.write(part)
        return writer.finish(path)


@given(st.lists(ANY_TEXT), st.integers(0, 50), st.integers(0, 50))
def test_slices_and_sections_are_those_of_the_text(parts: list[str], start: int, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder) / "text", parts)
        document = file.load()

        assert document.text == "".join(map(normalize, parts))
        covered = [document.text[section.start : section.end] for section in document.sections]
        assert covered == [normalize(part) for part in parts if part]
        assert file.text.slice(start, start + size) == document.text[start : start + size]


def test_slice_of_a_long_text_with_wide_characters(tmp_path: Path) -> None:
    text = "añ🙂\n" * 100_000
    file = write(tmp_path / "text", [text])

    assert file.text.characters == len(text)
    assert len(file.text.places) > 5
    for start in (0, 65_535, 65_536, 65_537, 399_990):
        assert file.text.slice(start, start + 10) == text[start : start + 10]
    assert "".join(file.text.parts()) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc\x0bd\x0ce\x85f\u2028g\u2029h", "a\nb\nc\nd\ne\nf\ng\nh"),
        ("NUL\0, bell\a, delete\x7f", "NUL\ufffd, bell\ufffd, delete\ufffd"),
        ("half \ud83d of a pair", "half \ufffd of a pair"),
        ("tab\t, שלום, \u202eright to left\u202c, é", "tab\t, שלום, \u202eright to left\u202c, é"),
    ],
)
def test_normalize(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_more_text_than_allowed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="more than 1 MB of text") as caught:
        write(tmp_path / "text", ["x" * (1024 * 1024 + 1)], max_bytes=1024 * 1024)
    assert caught.value.code == "too_large"


def test_number_of_sections_is_bounded(tmp_path: Path) -> None:
    sections = write(tmp_path / "text", ["x"] * (MAX_SECTIONS + 10)).sections

    assert len(sections) == MAX_SECTIONS
    assert sections[-1] == Section(MAX_SECTIONS - 1, MAX_SECTIONS + 10, page=MAX_SECTIONS)
