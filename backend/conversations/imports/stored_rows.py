"""Conversations as rows of the database, in files that pass them from process to process.

Each line of a file is a batch of rows in JSON: the values as the database stores them, in the order
of `COLUMNS`.
"""

from collections.abc import Callable, Iterable
from typing import IO, Any

from pydantic_core import from_json, to_json
from sqlalchemy import Column, Table, TableClause
from sqlalchemy import column as untyped_column
from sqlalchemy import table as untyped_table

from backend.conversations.conversation import ConversationFields, ConversationSummary, Message
from backend.conversations.formats.imported_chat import UnusableChatError
from backend.database.tables import conversations, messages
from backend.database.types import new_id

MAX_BATCH_ROWS, MAX_BATCH_BYTES = 500, 512 * 1024
MAX_SUMMARIES = 1_000  # conversations that the reply to an import lists

# Without `number`, which the database sets, `batch`, which is added when rows are inserted, and
# what is not true of a copy: `deleted_at`, `writer` and `progress`.
COLUMNS: dict[Table, list[Column[Any]]] = {
    table: [
        column
        for column in table.c
        if column.name not in ("number", "batch", "deleted_at", "writer", "progress")
    ]
    for table in (conversations, messages)
}
# The same tables without the types of their columns, to write and read rows as they are stored.
STORED: dict[Table, TableClause] = {
    table: untyped_table(table.name, *(untyped_column(column.name) for column in table.c))
    for table in COLUMNS
}
_BINDERS: dict[Table, list[tuple[str, Callable[[Any, Any], Any]]]] = {
    table: [(column.name, column.type.process_bind_param) for column in columns]  # type: ignore[attr-defined]
    for table, columns in COLUMNS.items()
}
Row = dict[str, Any]


class BatchWriter:
    """Writes rows of one table."""

    def __init__(self, file: IO[bytes], table: Table, max_row_bytes: int) -> None:
        self._file = file
        self._table = table
        self._max_row_bytes = max_row_bytes
        self._rows: list[bytes] = []
        self._size = 0

    def add(self, row: Row) -> None:
        """Add a row.

        Raises:
            UnusableChatError: It is too large.
        """
        encoded = to_json([*stored_row(self._table, row).values()])
        if len(encoded) > self._max_row_bytes:
            raise UnusableChatError(
                f"It has a message of more than {self._max_row_bytes:,} bytes "
                "(SMOLCHAT_MAX_IMPORT_MESSAGE_BYTES)."
            )
        if self._size + len(encoded) > MAX_BATCH_BYTES or len(self._rows) == MAX_BATCH_ROWS:
            self.flush()
        self._rows.append(encoded)
        self._size += len(encoded)

    def flush(self) -> None:
        if self._rows:
            self._file.write(b"[%s]\n" % b",".join(self._rows))
        self._rows, self._size = [], 0

    def position(self) -> tuple[int, list[bytes]]:
        """Return where the file ends, and the rows that are not in it yet."""
        return self._file.tell(), self._rows.copy()

    def truncate(self, position: int, rows: list[bytes]) -> None:
        """Remove the rows that were added after `position` returned this."""
        self._rows, self._size = rows, sum(map(len, rows))
        self._file.seek(position)
        self._file.truncate()


class RowWriter:
    """Writes conversations under new ids: their rows to one file, their messages' to another."""

    def __init__(
        self,
        conversation_file: IO[bytes],
        message_file: IO[bytes],
        *,
        max_row_bytes: int,
        take_images: Callable[[Message], Message] = lambda message: message,
    ) -> None:
        self._take_images = take_images
        self.summaries: list[ConversationSummary] = []
        self._conversations = BatchWriter(conversation_file, conversations, max_row_bytes)
        self._messages = BatchWriter(message_file, messages, max_row_bytes)

    def write(self, conversation: ConversationFields, added: Iterable[Message]) -> None:
        """Write a conversation; nothing of it, if reading its messages fails."""
        conversation_id, start = new_id(), self._messages.position()
        ids: dict[str | None, str] = {}
        try:
            for message in added:
                ids[message.id] = new_id()
                row = _message_row(self._take_images(message), conversation_id, ids)
                self._messages.add(row)
            row = conversation.model_dump() | {"id": conversation_id}
            row["current"] = ids.get(conversation.current) or next(reversed(ids.values()), None)
            row["sent_from"] = ids.get(conversation.sent_from)
            self._conversations.add(row)
        except BaseException:
            self._messages.truncate(*start)
            raise
        if len(self.summaries) < MAX_SUMMARIES:
            self.summaries.append(ConversationSummary.model_validate(row))

    def flush(self) -> None:
        self._conversations.flush()
        self._messages.flush()


def stored_row(table: Table, row: Row) -> Row:
    """Return the values of a row as the database stores them."""
    return {
        name: None if (value := row.get(name)) is None else bind(value, None)
        for name, bind in _BINDERS[table]
    }


def read_batch(line: bytes, table: Table) -> list[Row]:
    """Return the rows of a line."""
    names = [column.name for column in COLUMNS[table]]
    return [dict(zip(names, values, strict=True)) for values in from_json(line)]


def _message_row(message: Message, conversation_id: str, ids: dict[str | None, str]) -> Row:
    row = message.model_dump()
    row |= {"id": ids[message.id], "conversation": conversation_id}
    row["parent"] = ids.get(message.parent)
    if message.state == "writing":
        row["state"] = "interrupted"
    return row
