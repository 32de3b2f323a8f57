"""Excel, PowerPoint, EPUB and OpenDocument files are read by an optional library."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.files.reading.errors import ReadError
from tests.backend.files.reading.conftest import ReadBytes
from tests.support.office import archive, book, open_document, presentation, workbook
from tests.support.paths import ROOT

WITHOUT_LIBRARY = """
import sys
from pathlib import Path
sys.modules["kreuzberg"] = None
from backend.files.reading.errors import ReadError
from backend.files.reading.reader import read_file
from backend.files.reading.source import Source
try:
    read_file(Source(Path(sys.argv[1]), "a.odt"), Path(sys.argv[2]))
except ReadError as error:
    print(error.code, error.message)
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pptx", presentation("Some words")),
        ("a.odt", open_document("Some words")),
        ("a.epub", book("Some words")),
    ],
)
def test_documents_are_read(read: ReadBytes, name: str, content: bytes) -> None:
    assert "Some words" in read(name, content).text


def test_workbook_is_read_as_a_table_for_each_sheet(read: ReadBytes) -> None:
    document = read("a.xlsx", workbook([["Name", "Age"], ["Ada", "36"]]))
    assert "| Ada | 36 |" in document.text
    assert [section.heading for section in document.sections] == ["Figures"]


def test_damaged_documents(read_error: Callable[..., ReadError]) -> None:
    assert read_error("a.xlsx", archive({"xl/workbook.xml": "<no"})).code == "damaged"
    assert read_error("a.xlsx", workbook([["a"]])[:200]).code == "damaged"
    assert read_error("a.odg", archive({"mimetype": "x/y"})).code == "unsupported_kind"
    bomb = archive({"xl/workbook.xml": " " * 5_000_000})
    assert read_error("a.xlsx", bomb).code == "bomb"


def test_refusal_names_the_extra(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(open_document("Some words"))
    command = [sys.executable, "-c", WITHOUT_LIBRARY, str(path), str(tmp_path / "text")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert result.stdout.startswith("unsupported_kind The file is an OpenDocument text (.odt)")
    assert "pip install 'smolchat[documents]'" in result.stdout
