"""Writes a text as a file of the kind that its name has: HTML, Word, PDF, a table, a log."""

import csv
import html
import io
import json
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import PurePath

import docx

_LINE_CHARACTERS = 90
_PAGE_LINES = 55
_PDF_ESCAPES = re.compile(r"([\\()])")


def encode(name: str, text: str) -> bytes:
    """Return the bytes of a file with this name and text, whose paragraphs are apart by a line."""
    write = _WRITERS.get(PurePath(name).suffix)
    return write(text.split("\n\n")) if write else text.encode()


def _html(paragraphs: Sequence[str]) -> bytes:
    body = "".join(f"<p>{html.escape(paragraph)}</p>\n" for paragraph in paragraphs)
    return f"<!doctype html><title>History</title><body>{body}</body>".encode()


def _docx(paragraphs: Sequence[str]) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _csv(paragraphs: Sequence[str]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([("entry", "text"), *enumerate(paragraphs, 1)])
    return file.getvalue().encode()


def _jsonl(paragraphs: Sequence[str]) -> bytes:
    return "".join(json.dumps({"text": paragraph}) + "\n" for paragraph in paragraphs).encode()


def _log(paragraphs: Sequence[str]) -> bytes:
    lines = [f"[{number:05}] {paragraph}\n" for number, paragraph in enumerate(paragraphs)]
    return "".join(lines).encode()


def _pdf(paragraphs: Sequence[str]) -> bytes:
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += [*textwrap.wrap(paragraph, _LINE_CHARACTERS), ""]
    starts = range(0, len(lines), _PAGE_LINES)
    return pdf_of_contents([_page(lines[start : start + _PAGE_LINES]) for start in starts])


def pdf_of_contents(
    pages: Sequence[bytes], *, filter_name: bytes = b"", repeated: int = 1
) -> bytes:
    """Return a PDF whose pages have these content streams, in Helvetica, so many times."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(len(pages)))
    kids = b" ".join([kids] * repeated)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages) * repeated),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, content in enumerate(pages):
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * n),
            b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), filter_name, content),
        ]
    return _join(objects)


def _page(lines: Sequence[str]) -> bytes:
    escaped = [_PDF_ESCAPES.sub(r"\\\1", line) for line in lines]
    shown = "".join(f"({line}) Tj T*\n" for line in escaped)
    return f"BT /F1 10 Tf 14 TL 50 790 Td\n{shown}ET".encode("cp1252", errors="replace")


def _join(objects: Sequence[bytes]) -> bytes:
    file, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        places.append(b"%010d 00000 n \n" % len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start, size = len(file), len(objects) + 1
    file += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, b"".join(places))
    file += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(file)


_WRITERS: dict[str, Callable[[Sequence[str]], bytes]] = {
    ".html": _html,
    ".docx": _docx,
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".log": _log,
    ".pdf": _pdf,
}
KINDS = (".md", ".txt", *_WRITERS)
