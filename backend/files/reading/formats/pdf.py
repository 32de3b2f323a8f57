"""Read PDF files: their text, a section for each page, with lines joined into paragraphs."""

import re
from collections.abc import Iterator
from contextlib import closing

import pypdfium2
import pypdfium2.raw

from backend.files.reading.errors import ReadError, damaged_file, encrypted_file
from backend.files.reading.source import Source
from backend.files.reading.text_writer import TextWriter

_KIND = "a PDF"
# Shorter lines than this share of the page's long ones end a paragraph.
_FULL_LINE_SHARE = 0.72
_LIST_ITEM = re.compile(r"(?:[-*•‣◦▪–—]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")  # noqa: RUF001
_HYPHENS = ("\ufffe", "\x02")  # how PDFium marks a hyphen at the end of a line
_MAX_LISTED_PAGES = 10


def read_pdf(source: Source, writer: TextWriter) -> None:
    try:
        with closing(pypdfium2.PdfDocument(source.path)) as document:
            _read_pages(document, source, writer)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise encrypted_file("PDF") from error
        raise damaged_file(_KIND) from error


def _read_pages(document: pypdfium2.PdfDocument, source: Source, writer: TextWriter) -> None:
    count = len(document)
    if count > source.limits.max_pages:
        raise ReadError(
            "too_many_pages",
            f"The PDF has {count:,} pages; {source.limits.max_pages:,} can be read. Split it, and "
            "upload the parts.",
        )
    pictures = []  # numbers of the pages that have pictures, but no text
    for number in range(1, count + 1):
        text, has_picture = _read_page(document, number)
        writer.start_section(page=number)
        writer.write(text)
        if has_picture:
            pictures.append(number)
        source.report(number / count)
    if pictures and not writer.has_written:
        raise ReadError(
            "no_text",
            "The PDF has only pictures of its pages, and no text. Run it through a program for "
            "text recognition (OCR), and upload the result.",
        )
    if pictures:
        writer.warning = _pictures_warning(pictures, count)


def _read_page(document: pypdfium2.PdfDocument, number: int) -> tuple[str, bool]:
    """Return the text of a page, and whether there is a picture instead."""
    try:
        with closing(document[number - 1]) as page:
            with closing(page.get_textpage()) as textpage:
                text = join_lines(textpage.get_text_bounded())
            pictures = page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
            return text, not text and next(pictures, None) is not None
    except pypdfium2.PdfiumError as error:
        raise damaged_file(_KIND, f"page {number:,}") from error


def _pictures_warning(numbers: list[int], count: int) -> str:
    listed = ", ".join(map(str, numbers[:_MAX_LISTED_PAGES]))
    more = ", …" if len(numbers) > _MAX_LISTED_PAGES else ""
    return (
        f"{len(numbers):,} of {count:,} pages are pictures without text (page {listed}{more}). To "
        "have them read too, run the PDF through a program for text recognition (OCR)."
    )


def join_lines(text: str) -> str:
    """Return the text of a page with the lines of each paragraph joined."""
    lines = [" ".join(line.split(" ")) for line in re.split(r"\r?\n|\r", text)]
    lines = [line.strip() for line in lines]
    lengths = sorted(len(line) for line in lines if line)
    if not lengths:
        return ""
    full = _FULL_LINE_SHARE * lengths[len(lengths) * 9 // 10]
    paragraphs = _join(lines, full)
    return "\n".join(paragraphs) + "\n\n"


def _join(lines: list[str], full: float) -> Iterator[str]:
    """Yield paragraphs: a line of less than `full` characters ends one."""
    paragraph = ""
    for line in lines:
        is_continued = paragraph and line and not _LIST_ITEM.match(line)
        if paragraph and not is_continued:
            yield paragraph
            paragraph = ""
        if not line:
            continue
        paragraph = _continue(paragraph, line) if paragraph else line
        if len(line) < full and not paragraph.endswith(_HYPHENS):
            yield paragraph
            paragraph = ""
    if paragraph:
        yield paragraph.rstrip("".join(_HYPHENS))


def _continue(paragraph: str, line: str) -> str:
    """Return a paragraph and its next line. A word divided between the two is joined."""
    if paragraph.endswith(_HYPHENS):
        return paragraph[:-1] + line
    return f"{paragraph} {line}"
