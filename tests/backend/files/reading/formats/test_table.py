"""A row of a table is a line in which each value has its column's name."""

from collections.abc import Callable

import pytest

from backend.files.reading.errors import ReadError
from tests.backend.files.reading.conftest import ReadBytes


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'name,age,city\nAda,36,"London, UK"\n\nBob,,Rome\n'),
        ("a.csv", 'name;age;city\nAda;36;"London, UK"\nBob;;Rome\n'),
        ("a.tsv", "name\tage\tcity\r\nAda\t36\tLondon, UK\r\nBob\t\tRome\r\n"),
        ("a.csv", '"name"|"age"|"city"\n"Ada"|"36"|"London,\n UK"\n"Bob"||"Rome"'),
    ],
)
def test_rows_have_the_names_of_their_columns(read: ReadBytes, name: str, content: str) -> None:
    assert read(name, content.encode()).text == (
        "name | age | city\nname: Ada; age: 36; city: London, UK\nname: Bob; city: Rome\n"
    )


def test_table_without_header(read: ReadBytes) -> None:
    assert read("a.csv", b"1,2.5\n3,4\n").text == "1 | 2.5\n3 | 4\n"


def test_row_with_more_cells_than_the_header(read: ReadBytes) -> None:
    assert read("a.csv", b"a,b\n1,2,3\n").text == "a | b\na: 1; b: 2; 3\n"


def test_long_field_is_read(read: ReadBytes) -> None:
    assert len(read("a.csv", b"a,b\n" + b"x" * 200_000 + b",2\n").text) > 200_000


def test_quotation_mark_that_is_not_closed_is_damaged(
    read_error: Callable[..., ReadError],
) -> None:
    rows = b"1,2\n" * 1000
    error = read_error("a.csv", b'a,b\n1,"2\n' + rows, max_line_characters=1000)
    assert error.code == "damaged"
    assert "field larger than field limit" in error.message


def test_nul_bytes_in_a_table(read: ReadBytes) -> None:
    assert read("a.csv", b"name,value\nAda,1\0\n" + b"Bob,2\n" * 20).text.startswith(
        "name | value\nname: Ada; value: 1\ufffd\n"
    )
