"""Read tables in text (.csv, .tsv): a line a row, each value with its column's name."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain, islice

from backend.files.reading.blocks import column_labels, labelled_row
from backend.files.reading.decoding import whole_lines
from backend.files.reading.errors import damaged_file
from backend.files.reading.source import Source
from backend.files.reading.text_writer import TextWriter

_SAMPLE_LINES = 50
_DELIMITERS = (",", ";", "\t", "|")
_NUMBER = re.compile(r"[-+]?[\d.,\s%$€£]*\d[\d.,\s%$€£]*")


def read_table(source: Source, writer: TextWriter) -> None:
    csv.field_size_limit(source.limits.max_line_characters)
    lines = whole_lines(source)
    sample = list(islice(lines, _SAMPLE_LINES))
    delimiter = "\t" if source.extension == ".tsv" else _find_delimiter(sample)
    labels: list[str] = []
    for number, cells in enumerate(_rows(chain(sample, lines), delimiter)):
        if number == 0 and _is_header(cells):
            labels = column_labels(cells)
            writer.write(" | ".join(cells) + "\n")
        elif labels:
            writer.write(labelled_row(labels, cells) + "\n")
        else:
            writer.write(" | ".join(cells) + "\n")


def _rows(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    """Yield the rows that are not empty, with the white space in their cells collapsed."""
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        for row in rows:
            cells = [" ".join(cell.split()) for cell in row]
            if any(cells):
                yield cells
    except csv.Error as error:
        reason = f"line {rows.line_num:,}: {error}"
        raise damaged_file("a table (CSV)", reason) from error


def _find_delimiter(sample: list[str]) -> str:
    """Return the delimiter by which most rows of the sample have the same number of cells."""
    return max(_DELIMITERS, key=lambda delimiter: _agreement(sample, delimiter))


def _agreement(sample: list[str], delimiter: str) -> tuple[int, int]:
    counts = [len(row) for row in _sample_rows(sample, delimiter) if row]
    if not counts or counts[0] < 2:
        return (0, 0)
    return (sum(count == counts[0] for count in counts), counts[0])


def _sample_rows(sample: list[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO("".join(sample), newline=""), delimiter=delimiter))
    except csv.Error:
        return []


def _is_header(cells: list[str]) -> bool:
    """Return True if a first row names the columns: distinct, and none of them a number.

    One name may be missing, as that of a column of row numbers is.
    """
    return (
        len(cells) > 1
        and len(set(cells)) == len(cells)
        and not any(_NUMBER.fullmatch(cell) for cell in cells)
    )
