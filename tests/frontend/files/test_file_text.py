"""What is said about files: names, sizes, places, and texts with marks."""

import pytest

from files.file_text import marked_html, place_text, short_name, size_text
from files.highlight import matching_words


def test_long_name_keeps_its_end() -> None:
    name = short_name("a" * 300 + ".pdf")
    assert (len(name), name[-4:]) == (81, ".pdf")
    assert short_name("x\u202efdp.exe\n y") == r"x\u202efdp.exe y"
    assert short_name(" ") == "Unnamed file"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KB"), (256 * 1024**2, "256 MB"),
     (1024**2 - 1, "1.0 MB"), (5 * 1024**5, "5120 TB")],
)  # fmt: skip
def test_size(size: int, text: str) -> None:
    assert size_text(size) == text


def test_place() -> None:
    assert place_text(3, "On\nbees") == "page 3 · On bees"
    assert place_text(None, None) == ""


def test_marks_are_cut_to_the_text_and_the_text_is_escaped() -> None:
    html = marked_html("<b>&\u202e", [(-5, 3), (1, 99)])
    assert html == r"<mark>&lt;b&gt;</mark><mark>&amp;\u202e</mark>"


@pytest.mark.parametrize(
    ("text", "question", "marked"),
    [
        ("Bees live here", "Where does a bee live?", ["Bees", "live"]),
        ("She was counting", "how many were counted", ["counting"]),
        ("Café Élan", "cafe elan", ["Café", "Élan"]),
        ("the cat", "the", ["the"]),
        ("a portal", "porcelain", []),
        ("nothing", "", []),
    ],
)
def test_words_of_a_question_are_found_in_other_forms(
    text: str, question: str, marked: list[str]
) -> None:
    assert [text[start:end] for start, end in matching_words(text, question)] == marked
