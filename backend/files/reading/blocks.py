"""Turn headings, paragraphs and tables, as HTML and Word have them, into text."""

from dataclasses import dataclass, field

from backend.files.reading.text_writer import TextWriter

MAX_LABEL_CHARACTERS = 80
# Longer rows come from tables that lay out a page: each paragraph has a line of its own.
_MAX_ROW_CHARACTERS = 2000


def column_labels(header: list[str]) -> list[str]:
    """Return what precedes the values of each column."""
    return [f"{name[:MAX_LABEL_CHARACTERS]}: " if name else "" for name in header]


def labelled_row(labels: list[str], cells: list[str]) -> str:
    """Return the cells of a row, each with its column's label, without those that are empty."""
    values = [label + cell for label, cell in zip(labels, cells, strict=False) if cell]
    return "; ".join(values + [cell for cell in cells[len(labels) :] if cell])


@dataclass
class _Table:
    labels: list[str] = field(default_factory=list)
    rows: int = 0
    is_header: bool = False  # the row that is being read
    cells: list[list[str]] = field(default_factory=list)  # of this row: the paragraphs in each


class BlockWriter:
    """Writes blocks: a paragraph or a row of a table is a line, and an empty line follows it."""

    def __init__(self, writer: TextWriter) -> None:
        self._writer = writer
        self._parts: list[str] = []  # of the paragraph that is being read
        self._tables: list[_Table] = []

    def add_text(self, text: str) -> None:
        self._parts.append(text)

    def end_paragraph(self, *, heading: bool = False, keep_spaces: bool = False) -> None:
        """End the paragraph, if there is text in it."""
        text = "".join(self._parts)
        self._parts.clear()
        text = text.strip("\n") if keep_spaces else _collapse(text)
        if not text.strip():
            return
        if self._tables and self._tables[-1].cells:
            self._tables[-1].cells[-1].append(text)
            return
        if heading:
            self._writer.start_section(heading=text)
        self._writer.write(f"{text}\n\n")

    def start_table(self) -> None:
        self.end_paragraph()
        self._tables.append(_Table())

    def start_row(self) -> None:
        self.end_row()
        if self._tables:
            self._tables[-1].is_header = False

    def start_cell(self) -> None:
        self.end_paragraph()
        if self._tables:
            self._tables[-1].cells.append([])

    def start_html_cell(self, *, is_header: bool) -> None:
        """Start a cell of HTML, where a row is the header if all of its cells are."""
        self.start_cell()
        if self._tables:
            table = self._tables[-1]
            table.is_header = is_header and (table.is_header or len(table.cells) == 1)

    def mark_header(self) -> None:
        """Make the row that is being read the header."""
        if self._tables:
            self._tables[-1].is_header = True

    def end_row(self) -> None:
        self.end_paragraph()
        if not self._tables or not self._tables[-1].cells:
            return
        table = self._tables[-1]
        paragraphs, table.cells = table.cells, []
        for line in _row_lines(table, paragraphs):
            self._write_row(line)

    def end_table(self) -> None:
        self.end_row()
        if self._tables:
            self._tables.pop()
        if not self._tables:
            self._writer.write("\n")

    def finish(self) -> None:
        while self._tables:
            self.end_table()
        self.end_paragraph()

    def _write_row(self, line: str) -> None:
        """Write a row of a table, or add it to the cell that the table is in."""
        outer = self._tables[-2] if len(self._tables) > 1 else None
        if outer and outer.cells:
            outer.cells[-1].append(line)
        else:
            self._writer.write(f"{line}\n")


def _row_lines(table: _Table, paragraphs: list[list[str]]) -> list[str]:
    table.rows += 1
    cells = [" ".join(cell) for cell in paragraphs]
    if sum(map(len, cells)) > _MAX_ROW_CHARACTERS:
        return [line for cell in paragraphs for line in cell]
    if table.rows == 1 and table.is_header and len(cells) > 1:
        table.labels = column_labels(cells)
    elif table.labels:
        return [labelled_row(table.labels, cells)] if any(cells) else []
    return [" | ".join(cells).strip()] if any(cells) else []


def _collapse(text: str) -> str:
    """Return text with single spaces, and without empty lines."""
    if "\n" not in text:
        return " ".join(text.split())
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))
