"""PDF files are read page by page, with their lines joined into paragraphs."""

from collections.abc import Callable

import pytest

from backend.files.reading.errors import ReadError
from backend.files.reading.formats.pdf import join_lines
from backend.files.reading.text_writer import DocumentFile
from backend.files.retrieval.sentences import split_sentences
from tests.backend.files.reading.conftest import ReadBytes
from tests.support.pdf import empty_pages_pdf, encrypted_pdf, join_pdfs, picture_pdf, text_pdf

ReadErrors = Callable[..., ReadError]

LONG = "A sentence that is too long for a line, so that it has to be broken in the middle of it. "


def test_pages_are_sections(read: ReadBytes) -> None:
    document = read("a.pdf", text_pdf(["Title\n" + LONG * 4, "", "Third"]))

    assert document.text == f"Title\n{(LONG * 4).strip()}\n\nThird\n\n"
    texts = [(section.page, document.text[section.start :][:5]) for section in document.sections]
    assert texts == [(1, "Title"), (3, "Third")]


@pytest.mark.parametrize(
    ("first", "second", "sentences"),
    [
        ("The lighthouse of Corvane was painted white in the", "spring of 1911.", 1),
        ("The lighthouse of Corvane was painted white in 1911.", "then the war came.", 2),
        ("The lighthouse of Corvane was painted white", "New chapter", 2),
    ],
)
def test_sentence_goes_on_on_the_next_page(
    read: ReadBytes, first: str, second: str, sentences: int
) -> None:
    document = read("a.pdf", text_pdf([first, second]))

    assert [section.page for section in document.sections] == [1, 2]
    assert len(split_sentences(document.text)) == sentences


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "A long first line of it\r\nand a second.\r\nNew\r\n",
            "A long first line of it and a second.\nNew",
        ),
        (
            "A list of things here:\r\n- the first\r\n- the second",
            "A list of things here:\n- the first\n- the second",
        ),
        (
            "divi\ufffeded, well-known, well\x02known, A\x02B",
            "divided, well-known, well-known, A-B",
        ),
        ("the last hy\ufffe", "the last hy-"),
        ("\x02" * 9, "-" * 9),
    ],
)
def test_lines_and_divided_words_are_joined(lines: str, expected: str) -> None:
    assert join_lines(lines) == expected


def test_page_without_text_stays_empty() -> None:
    assert join_lines("") == join_lines(" \r\n\r\n") == ""


def test_word_that_is_divided_between_lines(read: ReadBytes) -> None:
    # A line of the test's PDF ends at 90 characters.
    assert "continuation" in read("a.pdf", text_pdf(["x " * 40 + "continu-ation of it"])).text


def test_too_many_pages(read: ReadBytes, read_error: ReadErrors) -> None:
    error = read_error("a.pdf", empty_pages_pdf(10_000))
    assert error.code == "too_many_pages"
    assert "10,000 pages; 5,000 can be read" in error.message
    assert len(read("a.pdf", text_pdf(["x"] * 50), max_pages=50).sections) == 50


def test_pictures_of_pages_are_told(
    read_error: ReadErrors, read_to_file: Callable[..., DocumentFile]
) -> None:
    error = read_error("a.pdf", picture_pdf(3))
    assert error.code == "no_text"
    assert "OCR" in error.message

    document = read_to_file("a.pdf", join_pdfs([text_pdf(["Words"]), picture_pdf(2)]))
    assert document.load().text == "Words\n\n"
    assert document.warning is not None
    assert document.warning.startswith("2 of 3 pages are pictures without text (page 2, 3).")


def test_empty_pages_are_an_empty_file(read_error: ReadErrors) -> None:
    assert read_error("a.pdf", empty_pages_pdf(2)).code == "empty"


def test_encrypted_pdf(read_error: ReadErrors) -> None:
    error = read_error("a.pdf", encrypted_pdf())
    assert error.code == "encrypted"
    assert "without a password" in error.message


def test_damaged_pdfs(read_error: ReadErrors) -> None:
    content = text_pdf(["words"])
    loop = content.replace(b"/Kids [5 0 R]", b"/Kids [2 0 R]")
    for damaged in (b"%PDF-1.7", content[:200], b"%PDF-1.7\n" + bytes(range(256)), loop):
        assert read_error("a.pdf", damaged).code in {"damaged", "empty"}
