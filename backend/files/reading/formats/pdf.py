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
# A word that is divided at the end of a line, as PDFium marks it.
_DIVIDED_WORD = re.compile(r"(\w+)[\x02\ufffe]\s*(\w+)")
_COMPOUND = re.compile(r"\w+-\w+")
_MAX_LISTED_PAGES = 10
_SENTENCE_END = re.compile(r"[.!?:…][\"'”’)\]]*\Z")  # noqa: RUF001


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
    before = ""
    for number in range(1, count + 1):
        text, has_picture = _read_page(document, number)
        if before:
            writer.write("\n" if _goes_on(before, text) else "\n\n")
        writer.start_section(page=number)
        writer.write(text)
        before = text
        if has_picture:
            pictures.append(number)
        source.report(number / count)
    if before:
        writer.write("\n\n")
    if pictures and not writer.has_written:
        raise ReadError(
            "no_text",
            "The PDF has only pictures of its pages, and no text. Run it through a program for "
            "text recognition (OCR), and upload the result.",
        )
    if pictures:
        writer.warning = _pictures_warning(pictures, count)


def _goes_on(page: str, next_page: str) -> bool:
    """Return True if the last sentence of a page ends on the next one."""
    return _SENTENCE_END.search(page[-4:]) is None and next_page[:1].islower()


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
    lines = [line.strip() for line in re.split(r"\r?\n|\r", _join_words(text))]
    lengths = sorted(len(line) for line in lines if line)
    if not lengths:
        return ""
    full = _FULL_LINE_SHARE * lengths[len(lengths) * 9 // 10]
    return "\n".join(_paragraphs(lines, full))


def _join_words(text: str) -> str:
    """Return text in which words are whole that were divided between lines.

    The hyphen stays if the page has the word with a hyphen elsewhere, or before a capital letter.
    """
    compounds = set(_COMPOUND.findall(text))

    def join(match: re.Match[str]) -> str:
        compound = f"{match[1]}-{match[2]}"
        is_compound = compound in compounds or not match[2][0].islower()
        return compound if is_compound else match[1] + match[2]

    return _DIVIDED_WORD.sub(join, text).translate({0x02: "-", 0xFFFE: "-"})


def _paragraphs(lines: list[str], full: float) -> Iterator[str]:
    """Yield paragraphs: a line of less than `full` characters, or an empty one, ends one."""
    paragraph: list[str] = []
    for line in lines:
        if paragraph and (not line or _LIST_ITEM.match(line)):
            yield " ".join(paragraph)
            paragraph = []
        if line:
            paragraph.append(line)
        if paragraph and len(line) < full:
            yield " ".join(paragraph)
            paragraph = []
    if paragraph:
        yield " ".join(paragraph)
