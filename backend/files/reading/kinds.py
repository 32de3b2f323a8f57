"""Find out what kind of file it is: by its content first, by its extension second."""

from typing import Literal

from backend.files.reading.archive import open_archive
from backend.files.reading.decoding import find_encoding
from backend.files.reading.errors import ReadError, damaged_file, empty_file, encrypted_file
from backend.files.reading.source import Source

Kind = Literal["text", "markdown", "table", "json", "jsonl", "html", "docx", "pdf", "other"]

_TEXT_KINDS: dict[str, Kind] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "table",
    ".tsv": "table",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
}
# Extensions of files that are not text, and what they should be.
_BINARY_EXTENSIONS = {
    ".pdf": "a PDF",
    ".docx": "a Word document",
    ".xlsx": "an Excel workbook",
    ".pptx": "a PowerPoint presentation",
    ".epub": "an EPUB book",
    ".odt": "an OpenDocument text",
}
_HEAD_BYTES = 4096
_PDF_HEADER_BYTES = 1024  # readers take a PDF that begins within these
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# How files begin that cannot be read, and what they are.
_UNSUPPORTED = (
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"II*\0", "a picture (TIFF)"),
    (b"MM\0*", "a picture (TIFF)"),
    (b"RIFF", "a picture, a sound or a video"),
    (b"\x1f\x8b", "a compressed file (gzip)"),
    (b"7z\xbc\xaf", "an archive (7-Zip)"),
    (b"Rar!", "an archive (RAR)"),
    (b"BZh", "a compressed file (bzip2)"),
    (b"\xfd7zXZ", "a compressed file (xz)"),
    (b"SQLite format 3\0", "a database (SQLite)"),
    (b"PAR1", "a table in Parquet's format"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"ID3", "a sound (MP3)"),
    (b"OggS", "a sound"),
    (b"fLaC", "a sound (FLAC)"),
    (b"{\\rtf", "a document in rich text format (RTF)"),
    (b"%!PS", "a document in PostScript"),
)
_EXPORT = "Export it as PDF, Word (.docx), HTML or text, and upload that."


def find_kind(source: Source) -> Kind:
    """Return the kind of a file.

    Raises:
        ReadError: It cannot be read: it is empty, of another kind, or not what its name says.
    """
    with source.path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise empty_file()
    if b"%PDF-" in head[:_PDF_HEADER_BYTES]:
        return "pdf"
    if head.startswith(_ZIP):
        return _zip_kind(source)
    _check_supported(source, head)
    if source.extension in _BINARY_EXTENSIONS:
        raise _not_as_named(source, head)
    return _TEXT_KINDS.get(source.extension) or ("html" if _looks_like_html(head) else "text")


def _zip_kind(source: Source) -> Kind:
    name = _BINARY_EXTENSIONS.get(source.extension, "a ZIP archive")
    with open_archive(source, name) as archive:
        names = set(archive.namelist())
    if {"word/document.xml", "word/document2.xml"} & names:
        return "docx"
    if {"xl/workbook.xml", "ppt/presentation.xml", "mimetype"} & names:
        return "other"
    if source.extension in _BINARY_EXTENSIONS:
        raise damaged_file(_BINARY_EXTENSIONS[source.extension], "parts of it are missing")
    raise ReadError(
        "unsupported_kind", "The file is an archive (ZIP). Unpack it, and upload what is in it."
    )


def _check_supported(source: Source, head: bytes) -> None:
    if head.startswith(_OLE):
        raise _ole_error(source)
    content = next((name for start, name in _UNSUPPORTED if head.startswith(start)), None)
    if content and source.extension in _BINARY_EXTENSIONS:
        raise ReadError(
            "wrong_extension",
            f"The file is {content}, although its name ends in {source.extension}. {_EXPORT}",
        )
    if content:
        raise ReadError(
            "unsupported_kind", f"The file is {content}, which cannot be read. {_EXPORT}"
        )


def _ole_error(source: Source) -> ReadError:
    """Return the error for an old Office document, or a new one that is encrypted."""
    name = "EncryptedPackage".encode("utf-16-le")
    with source.path.open("rb") as file:
        if any(name in part for part in iter(lambda: file.read(1024 * 1024), b"")):
            return encrypted_file("document")
    return ReadError(
        "unsupported_kind",
        "The file is a document of an old version of Office (.doc, .xls, .ppt). Save it as .docx "
        "or PDF, and upload that.",
    )


def _not_as_named(source: Source, head: bytes) -> ReadError:
    expected = _BINARY_EXTENSIONS[source.extension]
    if find_encoding(source.path) is None:
        return damaged_file(expected)
    content, extension = ("HTML", ".html") if _looks_like_html(head) else ("text", ".txt")
    return ReadError(
        "wrong_extension",
        f"The file is {content}, although its name ends in {source.extension}: it is not "
        f"{expected}. Upload the {source.extension} file itself, or rename this one to "
        f"{extension}.",
    )


def _looks_like_html(head: bytes) -> bool:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].lower()
    return start.startswith((b"<!doctype html", b"<html"))
