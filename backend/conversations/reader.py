"""Read conversations of any length from one snapshot, a few messages at a time."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.conversations.citations import mark_deleted, marked
from backend.conversations.conversation import ConversationFields, Message
from backend.conversations.imports.stored_rows import COLUMNS, STORED
from backend.conversations.rows import get_conversation_row, get_message_row
from backend.database.database import Database
from backend.database.tables import messages
from backend.database.types import JsonText

# The messages that are in memory at once; a single one may be larger.
_GROUP_ROWS, _GROUP_CHARACTERS = 200, 512 * 1024
_INDEX_ROWS = 1000
_SIZE: ColumnElement[int] = reduce(
    add,
    [
        func.coalesce(func.length(one), 0)
        for one in COLUMNS[messages]
        if isinstance(one.type, JsonText) or one.name in ("content", "reasoning")
    ],
)
# By which versions of a message are sorted: one that was edited in place follows its former text.
VERSION_TIME = func.coalesce(messages.c.edited_at, messages.c.created_at)


@dataclass(frozen=True)
class MessagePage:
    """Which messages to read: at most `limit` of those between the ones with these ids.

    They are the first of these, or the last without `after`.
    """

    limit: int
    after: str | None = None
    before: str | None = None


class Exchange(NamedTuple):
    """The texts of a question and of its answer, which may be missing, and who answered."""

    question: str
    answer: str = ""
    model: str | None = None


class OpenConversation:
    """A conversation in a transaction."""

    def __init__(
        self, connection: AsyncConnection, row: RowMapping, unwritten: dict[str, dict[str, Any]]
    ) -> None:
        self.row = row
        self._connection = connection
        self._unwritten = unwritten

    @property
    def fields(self) -> ConversationFields:
        return ConversationFields.model_validate(self.row)

    async def numbers(self) -> AsyncIterator[list[int]]:
        """Yield the numbers of all messages in order, of a few at a time."""
        async for rows in index_pages(self._connection, self.row["id"]):
            for group in _groups([(row.number, row.size) for row in rows]):
                yield group

    async def active_branch(self) -> AsyncIterator[list[int]]:
        """Yield the numbers of the messages from the first to `current`, of a few at a time.

        Without `current` the branch ends at the newest message.
        """
        next_id, branch = self.row["current"], list[tuple[int, int]]()
        pages = index_pages(self._connection, self.row["id"], newest_first=True)
        async for rows in pages:
            next_id = next_id or rows[0].id
            for row in rows:
                if row.id == next_id:
                    branch.append((row.number, row.size))
                    next_id = row.parent
            if next_id is None:
                break
        for group in _groups(branch[::-1]):
            yield group

    async def first_exchange(self) -> Exchange | None:
        """Return the first question of the active branch that has text, and its answer."""
        question = ""
        async for numbers in self.active_branch():
            for message in await self.shown_messages(numbers):
                if not question and message.role == "user":
                    question = message.content.strip()
                elif question and message.role == "assistant" and message.content:
                    return Exchange(question, message.content, message.model)
        return Exchange(question) if question else None

    async def page(self, page: MessagePage) -> tuple[list[list[int]], bool]:
        """Return the numbers of a page's messages in order, in groups, and whether there are more.

        Raises:
            MessageNotFoundError: The message of `after` or `before` is not in the conversation.
        """
        after, before = await self._number(page.after), await self._number(page.before)
        pages = index_pages(
            self._connection,
            self.row["id"],
            after=after,
            before=before,
            newest_first=page.after is None,
            limit=page.limit + 1,
        )
        async for rows in pages:
            selected = sorted((row.number, row.size) for row in rows[: page.limit])
            return list(_groups(selected)), len(rows) > page.limit
        return [], False

    async def _number(self, message_id: str | None) -> int | None:
        if message_id is None:
            return None
        row = await get_message_row(self._connection, self.row["id"], message_id)
        return int(row["number"])

    async def stored_messages(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Return messages as they are stored: times as numbers, JSON as text."""
        table = STORED[messages]
        query = select(*(table.c[one.name] for one in COLUMNS[messages]))
        query = query.where(table.c.number.in_(numbers)).order_by(table.c.number)
        rows = [dict(row) for row in (await self._connection.execute(query)).mappings()]
        if any(row["annotations"] for row in rows):
            await mark_deleted(self._connection, rows)
        return rows

    async def shown_messages(self, numbers: Sequence[int]) -> list[Message]:
        """Return messages without token probabilities, which may be large, with all changes."""
        columns = [one for one in COLUMNS[messages] if one.name != "logprobs"]
        query = select(*columns).where(messages.c.number.in_(numbers)).order_by(messages.c.number)
        rows = (await self._connection.execute(query)).mappings()
        shown = [Message.model_validate({**row, **self.unwritten(row["id"])}) for row in rows]
        has_citations = any(message.annotations for message in shown)
        return await marked(self._connection, shown) if has_citations else shown

    def unwritten(self, message_id: str) -> dict[str, Any]:
        """Return the changes of a message that could not be written yet."""
        return self._unwritten.get(message_id, {})


@asynccontextmanager
async def open_conversation(
    database: Database, conversation_id: str
) -> AsyncIterator[OpenConversation]:
    """Open a conversation for reading.

    Raises:
        ConversationNotFoundError: It does not exist.
    """
    async with database.read_transaction() as connection:
        row = await get_conversation_row(connection, conversation_id)
        yield OpenConversation(connection, row, database.unwritten)


async def index_pages(
    connection: AsyncConnection,
    conversation_id: str,
    *,
    after: int | None = None,
    before: int | None = None,
    newest_first: bool = False,
    limit: int | None = None,
) -> AsyncIterator[Sequence[Any]]:
    """Yield number, id, parent, version time and size of a conversation's messages, many at a time.

    They are those between the numbers `after` and `before`. `limit` is how many to yield at once.
    """
    number = messages.c.number
    columns = messages.c.id, messages.c.parent, VERSION_TIME.label("version_time")
    query = select(number, *columns, _SIZE.label("size"))
    query = query.where(messages.c.conversation == conversation_id)
    query = query.order_by(number.desc() if newest_first else number).limit(limit or _INDEX_ROWS)
    while True:
        page = query if after is None else query.where(number > after)
        page = page if before is None else page.where(number < before)
        rows = (await connection.execute(page)).all()
        if rows:
            yield rows
        if len(rows) < (limit or _INDEX_ROWS):
            return
        after, before = (after, rows[-1].number) if newest_first else (rows[-1].number, before)


def _groups(sizes: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    """Yield the numbers of messages, of as many as may be in memory at once."""
    group, group_size = list[int](), 0
    for number, size in sizes:
        if group and (len(group) == _GROUP_ROWS or group_size + size > _GROUP_CHARACTERS):
            yield group
            group, group_size = [], 0
        group.append(number)
        group_size += size
    if group:
        yield group
