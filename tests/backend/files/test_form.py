"""A form is read as it arrives, whatever is in it."""

from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import FileTooLargeError, InvalidRequestError
from backend.files.form import MAX_NAME_CHARACTERS, UploadedFile, UploadForm, safe_filename
from tests.support.uploads import FORM_TYPE, field, file_part, form, part

TYPE = FORM_TYPE["Content-Type"]


def read(body: bytes, *, chunk: int = 2**16, max_bytes: int = 1000) -> tuple[UploadedFile, bytes]:
    file = BytesIO()
    upload = UploadForm(TYPE, file, max_bytes)
    for start in range(0, len(body), chunk):
        upload.write(body[start : start + chunk])
    return upload.finish(), file.getvalue()


@given(st.binary(max_size=200), st.integers(1, 40))
def test_file_is_written_byte_by_byte_as_it_was_sent(content: bytes, chunk: int) -> None:
    body = form(field("purpose", "assistants"), file_part(content))
    upload, written = read(body, chunk=chunk)
    assert written == content
    assert (upload.bytes, upload.fields) == (len(content), {"purpose": "assistants"})


@given(st.binary(max_size=100), st.integers(1, 40))
def test_noise_is_refused_or_read_but_never_fails(noise: bytes, chunk: int) -> None:
    body = form(file_part(b"text"))
    middle = len(body) // 2
    for damaged in (noise, noise + body, body[:middle] + noise + body[middle:]):
        with suppress(InvalidRequestError):
            read(damaged, chunk=chunk)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not complete"),
        (form(file_part(b"x"))[:-8], "not complete"),
        (form(field("purpose", "x")), "no file"),
        (form(field("file", "text")), "no filename"),
        (form(file_part(b"a"), file_part(b"b")), "more than one file"),
        (form(*[field(f"f{n}", "") for n in range(1000)]), "more than 16 parts"),
        (form(field("purpose", "x" * 2000)), "longer than 1,024 bytes"),
        (form(part(b"", *["A: b"] * 50)), "header"),
        (form(part(b"", "A: " + "b" * 5000)), "header"),
        (form(part(b"", "A" * 5000)), "header"),
        (b"no form at all", "not valid"),
    ],
)
def test_bad_form_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        read(body)


def test_file_that_is_too_large_is_refused_before_its_end() -> None:
    upload = UploadForm(TYPE, BytesIO(), 10)
    with pytest.raises(FileTooLargeError, match="SMOLCHAT_MAX_FILE_BYTES"):
        upload.write(form(file_part(b"x" * 11))[:-20])


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=" + "x" * 300]
)
def test_form_needs_a_boundary(content_type: str) -> None:
    with pytest.raises(InvalidRequestError, match="boundary"):
        UploadForm(content_type, BytesIO(), 10)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\me\notes.txt", "notes.txt"),
        ("report.pdf\x00.exe", "report.pdf_.exe"),
        ("a\r\nSet-Cookie: x", "a__Set-Cookie: x"),
        ("cod\u202etxt.exe", "cod_txt.exe"),
        ("..", "file"),
        ("", "file"),
        ("日本.txt", "日本.txt"),
    ],
)
def test_filename_is_shown_on_one_line_without_folders(sent: str, shown: str) -> None:
    assert safe_filename(sent) == shown


def test_long_filename_keeps_its_extension() -> None:
    shown = safe_filename("x" * 5000 + ".pdf")
    assert len(shown) == MAX_NAME_CHARACTERS
    assert shown.endswith("x.pdf")
