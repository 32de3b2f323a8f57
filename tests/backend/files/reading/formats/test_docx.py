"""Word documents are read in their order, with tables, and without what is not shown."""

import io
from collections.abc import Callable

import docx
import pytest
from docx.document import Document
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls

from backend.files.reading.errors import ReadError
from tests.backend.files.reading.conftest import ReadBytes
from tests.support.office import archive

ReadErrors = Callable[..., ReadError]

RELATIONS = """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Target="word/document.xml"
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/>
</Relationships>"""
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def save(document: Document) -> bytes:
    data = io.BytesIO()
    document.save(data)
    return data.getvalue()


def package(xml: str) -> bytes:
    return archive({"_rels/.rels": RELATIONS, "word/document.xml": xml})


def test_paragraphs_headings_and_tables_in_their_order(read: ReadBytes) -> None:
    document = docx.Document()
    document.add_heading("The title", 0)
    document.add_paragraph("One\ttab and\nline")
    document.add_heading("Part", 2)
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ["Name", "Age", "Ada", "36"], strict=True):
        cell.text = text
    document.add_paragraph("The end")
    content = read("a.docx", save(document))

    assert content.text == (
        "The title\n\nOne tab and\nline\n\nPart\n\nName | Age\nAda | 36\n\nThe end\n\n"
    )
    assert [section.heading for section in content.sections] == ["The title", "Part"]


def test_table_with_header_row_and_nested_table(read: ReadBytes) -> None:
    document = docx.Document()
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ["Name", "Cars", "Ada", ""], strict=True):
        cell.text = text
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    inner = table.cell(1, 1).add_table(1, 2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "red", "blue"

    assert read("a.docx", save(document)).text == "Name | Cars\nName: Ada; Cars: red | blue\n\n"


def test_deleted_and_repeated_text_is_left_out(read: ReadBytes) -> None:
    document = docx.Document()
    document.add_paragraph("Shown")._p.append(
        parse_xml(
            f'<w:r {nsdecls("w")} xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility'
            '/2006"><w:delText>deleted</w:delText><w:instrText>PAGE</w:instrText>'
            "<mc:AlternateContent><mc:Choice><w:t> once</w:t></mc:Choice><mc:Fallback><w:t> twice"
            "</w:t></mc:Fallback></mc:AlternateContent></w:r>"
        )
    )
    assert read("a.docx", save(document)).text == "Shown once\n\n"


def test_truncated_document_is_damaged(read_error: ReadErrors) -> None:
    document = docx.Document()
    document.add_paragraph("words " * 1000)
    content = save(document)
    for size in (5, 100, len(content) // 2, len(content) - 10):
        assert read_error("a.docx", content[:size]).code == "damaged"


def test_xml_that_ends_early_is_damaged(read_error: ReadErrors) -> None:
    xml = f'<w:document xmlns:w="{WORD}"><w:body><w:p><w:r><w:t>half of it</w:t></w:r></w:p>'
    error = read_error("a.docx", package(xml))
    assert error.code == "damaged"
    assert "XML, line 1" in error.message


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE d [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE d SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_entities_are_refused(read_error: ReadErrors, doctype: str) -> None:
    xml = f'{doctype}<w:document xmlns:w="{WORD}"><w:p><w:r><w:t>&b;</w:t></w:r></w:p></w:document>'
    assert read_error("a.docx", package(xml)).code == "bomb"


def test_zip_bombs_are_refused(read_error: ReadErrors) -> None:
    error = read_error("a.docx", package(" " * 5_000_000))
    assert error.code == "bomb"
    assert "unpacks to 5 MB" in error.message

    error = read_error("a.docx", package("<a>words</a>" * 200), max_unpacked_bytes=1000)
    assert error.code == "bomb"


def test_deep_nesting_is_read(read: ReadBytes) -> None:
    inner = "<w:tbl><w:tr><w:tc>" * 500 + "<w:p><w:r><w:t>deepest</w:t></w:r></w:p>"
    xml = f'<w:document xmlns:w="{WORD}">{inner}{"</w:tc></w:tr></w:tbl>" * 500}</w:document>'
    assert read("a.docx", package(xml)).text == "deepest\n\n"
