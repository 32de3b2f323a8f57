"""The encoding of a text file is found, whatever its bytes are."""

import codecs
from collections.abc import Callable

import pytest

from backend.files.reading.errors import ReadError
from tests.backend.files.reading.conftest import ReadBytes

TEXT = "The café “Zoë” costs 5 €.\nIt is open.\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        TEXT.encode("cp1252"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode("utf-16"),
    ],
)
def test_encodings(read: ReadBytes, content: bytes) -> None:
    assert read("notes.txt", content).text == TEXT


def test_long_text_is_decoded_across_the_parts_that_are_read(read: ReadBytes) -> None:
    text = "aé🙂\r\n" * 300_000
    assert read("notes.txt", b"x" + text.encode()).text == "x" + text.replace("\r\n", "\n")


def test_utf8_with_a_few_broken_bytes_stays_utf8(read: ReadBytes) -> None:
    content = "für alle Wörter über größere Bäche, öfter früher später. ".encode() * 3
    text = read("server.log", content + b"\xff\n").text
    assert text.startswith("für alle")
    assert text.endswith("\ufffd\n")


def test_colors_in_a_log_are_left_out(read: ReadBytes) -> None:
    assert read("build.log", b"\x1b[1;31merror\x1b[0m: no\n").text == "error: no\n"


def test_nul_bytes_in_a_log_are_replaced(read: ReadBytes) -> None:
    assert read("a.log", b"many words before it " * 5 + b"\0\n").text.endswith(" \ufffd\n")


def test_utf8_that_is_cut_within_a_letter(read: ReadBytes) -> None:
    text = "Übergrößenträger, äußerst schön geblümt, prüfen"
    assert read("a.txt", text.encode() + b"\xc3").text == text + "\ufffd"


def test_binary_file_is_refused(read_error: Callable[..., ReadError]) -> None:
    error = read_error("data.bin", bytes(range(256)) * 100)
    assert error.code == "unsupported_kind"
    assert "Export it as PDF" in error.message


def test_line_of_megabytes_is_read(read: ReadBytes) -> None:
    text = "word " * 1_000_000
    assert read("long.md", text.encode()).text == text


def test_row_that_is_too_long_is_refused(read_error: Callable[..., ReadError]) -> None:
    error = read_error("long.csv", b"a,b\n1,2\n" + b"x" * 2000, max_line_characters=1000)
    assert error.code == "too_large"
    assert "Line 3 of the file" in error.message
