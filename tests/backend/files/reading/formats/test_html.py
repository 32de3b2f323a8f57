"""HTML is read as a browser shows it, no matter how it is written."""

import pytest

from tests.backend.files.reading.conftest import ReadBytes

PAGE = """<!doctype html><html><head><title>Not shown</title><style>p {}</style></head><body>
<h1>The  <em>first</em>
heading</h1><p>One<br>two<p>Three &amp; <b>fo</b>ur
<script>document.write("no")</script><ul><li>item<li>item</ul>
<pre>def f():
    pass</pre>
<h2>Table</h2>
<table><tr><th>Name<th>Age</tr><tr><td><p>Ada</p></td><td>36</td></tr><tr><td>Bob<td></table>
<table><tr><td>a<td><table><tr><td>b<td>c</table></table>
</body></html>"""


def test_blocks_headings_and_tables(read: ReadBytes) -> None:
    document = read("a.html", PAGE.encode())

    assert document.text == (
        "The first heading\n\nOne\ntwo\n\nThree & four\n\nitem\n\nitem\n\n"
        "def f():\n    pass\n\nTable\n\nName | Age\nName: Ada; Age: 36\nName: Bob\n\n"
        "a | b | c\n\n"
    )
    assert [section.heading for section in document.sections] == ["The first heading", "Table"]


@pytest.mark.parametrize(
    "content",
    [
        "<p>Zoë".encode(),
        "<p>Zoë".encode("utf-16"),
        "<p>Zoë".encode("cp1252"),
        '<meta charset="iso-8859-2"><p>Zoë'.encode("iso-8859-2"),
        '<meta charset="no-such"><p>Zoë'.encode("cp1252"),
        '<?xml version="1.0" encoding="UTF-8"?><html><body><p>Zoë</p></body></html>'.encode(),
    ],
)
def test_encodings(read: ReadBytes, content: bytes) -> None:
    assert read("a.html", content).text == "Zoë\n\n"


@pytest.mark.parametrize(
    "content",
    [
        b"<div>" * 100_000 + b"deepest" + b"</div>" * 100_000,
        b"<table><tr><td>" * 5_000 + b"deepest",
        b"deepest" + b"<b>" * 300_000,
        b"deepest" + b"<<<<" * 100_000,
        b"deepest" + b"<!--" * 300_000,
        b"deepest" + b"<![CDATA[" * 100_000,
        b"deepest" + b"<?" * 300_000,
        b"deepest" + b"</" * 300_000,
        b"<p " + b"a=b " * 200_000 + b">deepest",
        b"deepest<script>" + b"x" * 300_000,
    ],
)
def test_hostile_html_is_read_to_its_deepest_text(read: ReadBytes, content: bytes) -> None:
    assert read("a.html", content).text.startswith("deepest")


def test_document_without_text_is_empty(read: ReadBytes) -> None:
    with pytest.raises(Exception, match="no text in it"):
        read("a.html", b"<p></p><script>x</script>")
