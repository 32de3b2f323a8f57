"""A file's kind is found by its content, and a refusal says what to do."""

from collections.abc import Callable

import pytest

from backend.files.reading.errors import ReadError
from tests.backend.files.reading.conftest import ReadBytes
from tests.support.office import archive
from tests.support.pdf import text_pdf

ReadErrors = Callable[..., ReadError]


def test_content_counts_more_than_the_extension(read: ReadBytes) -> None:
    assert read("report.txt", text_pdf(["Some words."])).text == "Some words.\n\n"
    assert read("page", b"<!DOCTYPE html><p>Words <b>in</b> bold").text == "Words in bold\n\n"
    assert read("data.txt", b"a,b\n1,2\n").text == "a,b\n1,2\n"


@pytest.mark.parametrize("name", ["main.py", "Makefile", "server.log", "notes.TXT", "x.unknown"])
def test_text_of_any_name_is_read_as_it_is(read: ReadBytes, name: str) -> None:
    text = "def f():\n\treturn '# no heading'\n"
    document = read(name, text.encode())
    assert document.text == text
    assert [section.heading for section in document.sections] == [None]


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("a.txt", b"", "empty", "no text in it"),
        ("a.txt", b" \r\n\t ", "empty", "no text in it"),
        ("a.pdf", b"", "empty", "no text in it"),
        ("a.pdf", b"plain words", "wrong_extension", "rename this one to .txt"),
        ("a.docx", b"<html><p>x", "wrong_extension", "rename this one to .html"),
        ("a.pdf", b"\x89PNG\r\n\x1a\n", "wrong_extension", "a picture (PNG), although"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "unsupported_kind", "a picture (PNG)"),
        ("a.zip", archive({"a.txt": "words"}), "unsupported_kind", "Unpack it"),
        ("a.docx", archive({"a.txt": "words"}), "damaged", "parts of it are missing"),
        ("a.docx", b"PK\x03\x04 and no more", "damaged", "a Word document"),
        ("a.pdf", bytes(range(256)), "damaged", "a PDF"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "unsupported_kind", "Save it as .docx"),
        ("a.rtf", b"{\\rtf1 words}", "unsupported_kind", "rich text"),
        ("a.gz", b"\x1f\x8b\x08", "unsupported_kind", "gzip"),
    ],
)
def test_refusals(read_error: ReadErrors, name: str, content: bytes, code: str, words: str) -> None:
    error = read_error(name, content)
    assert error.code == code
    assert words in error.message


def test_encrypted_word_document_is_told_by_its_container(read_error: ReadErrors) -> None:
    content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
    error = read_error("secret.docx", content)
    assert error.code == "encrypted"
    assert "without a password" in error.message
