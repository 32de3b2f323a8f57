"""Files with random damage are read, or refused: nothing else happens."""

import io
import tempfile
from contextlib import suppress
from pathlib import Path

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.files.reading.errors import ReadError
from backend.files.reading.reader import read_file
from backend.files.reading.source import Source
from tests.support.office import book, open_document, presentation, workbook
from tests.support.pdf import text_pdf


def word() -> bytes:
    document, data = docx.Document(), io.BytesIO()
    document.add_heading("Title")
    document.add_table(2, 2).cell(0, 0).text = "words"
    document.save(data)
    return data.getvalue()


FILES = {
    "a.docx": word(),
    "a.pdf": text_pdf(["Some words.", "More words."]),
    "a.html": b"<table><tr><th>a<td>b<tr><td><table><tr><td>x</table><pre>y</pre></table>" * 3,
    "a.md": b"# Title\n```\ncode\n```\n\nTwo\n===\n" * 3,
    "a.csv": b'a,b\n"1",2\n3,"4"\n' * 3,
    "a.json": b'{"a": [1, {"b": "\\u00e4"}], "c": null}',
    "a.xlsx": workbook([["Name", "Age"], ["Ada", "36"]]),
    "a.pptx": presentation("words"),
    "a.odt": open_document("words"),
    "a.epub": book("words"),
}


@pytest.mark.parametrize("name", FILES)
@given(changes=st.lists(st.tuples(st.integers(0), st.binary(max_size=4)), max_size=8))
def test_damaged_files_are_read_or_refused(name: str, changes: list[tuple[int, bytes]]) -> None:
    content = bytearray(FILES[name])
    for place, data in changes:
        start = place % len(content)
        content[start : start + 4] = data or content[start : start + 4]

    with tempfile.TemporaryDirectory() as folder, suppress(ReadError):
        (path := Path(folder) / "file").write_bytes(content)
        document = read_file(Source(path, name), Path(folder) / "text").load()
        assert document.sections[0].start == 0
        assert document.sections[-1].end == len(document.text)
