"""PDF files, written by hand: a page for each text, in Helvetica."""

import io
import zlib
from collections.abc import Sequence
from textwrap import wrap

import pypdfium2

_LINE_CHARACTERS = 90
_PAGE_HEIGHT = 12_000
_PAGE_LINES = (_PAGE_HEIGHT - 80) // 12
_PICTURE = (
    b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 "
    b"/ColorSpace /DeviceGray /Length 1 >>\nstream\n\x80\nendstream"
)


def text_pdf(pages: Sequence[str]) -> bytes:
    """Return a PDF whose pages have these texts, broken into lines."""
    return _pdf([_text_page(page) for page in pages])


def picture_pdf(pages: int = 1) -> bytes:
    """Return a PDF with a picture on each page, as a scanner makes them."""
    return _pdf([(b"q 500 0 0 700 50 50 cm /Im Do Q", True)] * pages)


def empty_pages_pdf(pages: int) -> bytes:
    return _pdf([(b"", False)] * pages)


def bomb_pdf(unpacked_bytes: int) -> bytes:
    """Return a PDF with a page whose content unpacks to so much."""
    packer = zlib.compressobj(9)
    block = b" " * 1024 * 1024
    packed = b"".join(packer.compress(block) for _ in range(unpacked_bytes // len(block)))
    return _pdf([(packed + packer.flush(), False)], filter_name=b"/Filter /FlateDecode")


def encrypted_pdf() -> bytes:
    """Return a PDF that cannot be opened without its password."""
    password = b"<%s>" % (b"5a" * 32)
    encryption = b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O %s /U %s >> /ID [<00> <00>]" % (
        password,
        password,
    )
    return text_pdf(["secret"]).replace(b"/Root 1 0 R", b"/Root 1 0 R " + encryption)


def join_pdfs(contents: Sequence[bytes]) -> bytes:
    joined, data = pypdfium2.PdfDocument.new(), io.BytesIO()
    for content in contents:
        document = pypdfium2.PdfDocument(content)
        joined.import_pages(document)
        document.close()
    joined.save(data)
    joined.close()
    return data.getvalue()


def _text_page(text: str) -> tuple[bytes, bool]:
    lines = []
    for paragraph in text.split("\n"):
        lines += [*wrap(paragraph, _LINE_CHARACTERS), ""]
    assert len(lines) <= _PAGE_LINES, "it does not fit on a page: what is below is not read"
    shown = b"".join(b"(%s) Tj T*\n" % _escape(line) for line in lines)
    return b"BT /F1 10 Tf 12 TL 40 %d Td\n" % (_PAGE_HEIGHT - 40) + shown + b"ET", False


def _escape(line: str) -> bytes:
    text = line.encode("cp1252", "replace")
    return text.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _pdf(contents: Sequence[tuple[bytes, bool]], filter_name: bytes = b"") -> bytes:
    kids = b" ".join(b"%d 0 R" % (5 + 2 * index) for index in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(contents)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        _PICTURE,
    ]
    for index, (content, has_picture) in enumerate(contents):
        picture = b"/XObject << /Im 4 0 R >>" if has_picture else b""
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 %d] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> %s >> >>"
            % (_PAGE_HEIGHT, 6 + 2 * index, picture),
            b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), filter_name, content),
        ]
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    data = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start, size = len(data), len(objects) + 1
    data += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    data += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(data)
