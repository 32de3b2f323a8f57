"""A text reads the same from Markdown, HTML, Word and PDF."""

import io
import re
from itertools import pairwise

import docx
import pytest
from markdown_it import MarkdownIt

from tests.backend.files.reading.conftest import ReadBytes
from tests.support.pdf import text_pdf

MARKDOWN = """# The lighthouse at Skerry Point

The lighthouse was built between 1871 and 1874 by Agnes Moncrieff, who had designed two others
on the same coast. Its lamp burned whale oil at first; paraffin replaced it in 1889, and
electricity in 1934.

## The keepers

There were always three keepers. They took turns of four hours, and nobody was allowed to read
while on watch, since the lamp had to be wound up every thirty-five minutes ("without fail",
said the rules).

- The first keeper was responsible for the lamp.
- The second keeper kept the journal and the stores.
- The third keeper, usually the youngest, cooked.

## What it cost

| Year | Oil in gallons | Cost in pounds |
|------|----------------|----------------|
| 1875 | 820            | 41             |
| 1885 | 790            | 38             |

In all, the tower cost 9,400 pounds, which was less than the commissioners had feared.
"""


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def blocks() -> list[tuple[str, str]]:
    """Return the kind and the text of each block of the Markdown."""
    tokens = MarkdownIt().enable("table").parse(MARKDOWN)
    return [
        (before.tag, token.content.replace("\n", " "))
        for before, token in pairwise(tokens)
        if token.type == "inline"
    ]


def html() -> bytes:
    return str(MarkdownIt().enable("table").render(MARKDOWN)).encode()


def word() -> bytes:
    document, data = docx.Document(), io.BytesIO()
    for tag, text in blocks():
        if tag.startswith("h"):
            document.add_heading(text, int(tag[1:]))
        elif tag not in {"th", "td"}:
            document.add_paragraph(text)
    cells = [text for tag, text in blocks() if tag in {"th", "td"}]
    table = document.add_table(3, 3)
    for cell, text in zip(table._cells, cells, strict=True):
        cell.text = text
    document.save(data)
    return data.getvalue()


def pdf() -> bytes:
    return text_pdf(["\n".join(text for _, text in blocks())])


@pytest.mark.parametrize(
    ("name", "content"), [("a.html", html()), ("a.docx", word()), ("a.pdf", pdf())]
)
def test_twins_have_the_words_of_the_markdown(read: ReadBytes, name: str, content: bytes) -> None:
    expected = words(read("a.md", MARKDOWN.encode()).text)
    twin = words(read(name, content).text)

    assert set(twin) == set(expected)
    assert len(twin) == pytest.approx(len(expected), rel=0.12)  # rows repeat the header


@pytest.mark.parametrize(("name", "content"), [("a.html", html()), ("a.docx", word())])
def test_twins_have_the_headings_of_the_markdown(
    read: ReadBytes, name: str, content: bytes
) -> None:
    expected = [section.heading for section in read("a.md", MARKDOWN.encode()).sections]
    assert [section.heading for section in read(name, content).sections] == expected
