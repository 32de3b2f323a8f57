"""Search the titles and messages of all conversations.

The texts are read in short transactions and compared here, on both databases alike. So a search can
end at any time, holds back no checkpoint of SQLite's log, and needs little memory.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Row, Select, bindparam, func, select

from backend.conversations.conversation import ListedConversation
from backend.conversations.listing import EVERYTHING, ConversationLists, ListFilter
from backend.conversations.text_search import TextSearch
from backend.database.database import Database
from backend.database.tables import conversations, messages
from backend.errors import SearchTimeoutError
from backend.settings import Settings

_BATCH_ROWS = 500
# How much of each message is read with its batch, and of a longer one with each further query.
_FIRST_CHARACTERS = 8192
_PART_CHARACTERS = 1_048_576
# How much is compared before other tasks run: some milliseconds of the most complex text.
_SLICE_CHARACTERS = 16_384

_part_of_message = select(
    func.substr(messages.c.content, bindparam("start", type_=Integer), _PART_CHARACTERS)
).where(messages.c.number == bindparam("message"))

# The position and title of a conversation, and the number and the beginning of a message.
_Row = Row[*tuple[Any, ...]]


@dataclass(frozen=True)
class _Position:
    """The last message that was searched; without `number`, the end of the conversation."""

    conversation: list[Any]  # its position in the list
    number: int | None = None


class ConversationSearch:
    """Runs a few searches at a time, each with a time limit that includes its time in the queue."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._lists = ConversationLists(database)
        self._slots = asyncio.Semaphore(settings.max_searches)
        self._seconds = settings.search_seconds

    async def list_page(
        self,
        text: str,
        limit: int,
        listed: ListFilter = EVERYTHING,
        *,
        after: str | None = None,
    ) -> list[ListedConversation]:
        """Return the first conversations of a list that have the text, each with a snippet.

        Raises:
            ConversationNotFoundError: The conversation `after` does not exist.
            SearchTimeoutError: It takes too long.
        """
        text = text.replace("\0", "")  # no stored text has it: see SafeText
        if not text:
            return await self._lists.page(limit, listed, after=after)
        try:
            async with asyncio.timeout(self._seconds), self._slots:
                snippets = await self._find(TextSearch(text), limit, listed, after)
        except TimeoutError:
            raise SearchTimeoutError(
                f"The search took longer than {self._seconds:g} s (SMOLCHAT_SEARCH_SECONDS). "
                "Try again when fewer searches are running, or raise the limit."
            ) from None
        summaries = await self._lists.by_ids(list(snippets), listed)
        return [
            summary.model_copy(update={"snippet": snippets[summary.id]}) for summary in summaries
        ]

    async def _find(
        self, search: TextSearch, limit: int, listed: ListFilter, after: str | None
    ) -> dict[str, str]:
        """Return the snippets of the conversations with the text by their ids, in their order."""
        position, snippets = None, dict[str, str]()
        if after is not None:
            async with self._database.read_transaction() as connection:
                position = _Position(await listed.find_position(connection, after))
        while rows := await self._read_rows(listed, position):
            for part in _slices(rows):
                for row in _candidates(search, part):
                    if row.id in snippets:
                        continue
                    snippet = await self._find_in_row(search, row)
                    if snippet is not None:
                        snippets[row.id] = snippet
                        if len(snippets) == limit:
                            return snippets
                await asyncio.sleep(0)
            last = rows[-1]
            if len(rows) < _BATCH_ROWS and (position is None or position.number is None):
                break
            number = None if last.id in snippets else last.number
            position = _Position([*last[: len(listed.sort_columns)]], number)
        return snippets

    async def _read_rows(self, listed: ListFilter, position: _Position | None) -> Sequence[_Row]:
        """Return the next rows in the order of the list."""
        query = _rows(listed)
        async with self._database.read_transaction() as connection:
            if position is None:
                return (await connection.execute(query)).all()
            if position.number is not None:
                is_of_it = conversations.c.id == position.conversation[-1]
                later = query.where(is_of_it, messages.c.number > position.number)
                if rows := (await connection.execute(later)).all():
                    return rows
            following = query.where(listed.follows(position.conversation))
            return (await connection.execute(following)).all()

    async def _find_in_row(self, search: TextSearch, row: _Row) -> str | None:
        """Return the text around a match, or None."""
        if (snippet := search.find_snippet(row.title)) is not None:
            return snippet
        if not _is_long(row):
            return search.find_snippet(row.text)
        return await self._find_in_long_message(search, row.number, row.text)

    async def _find_in_long_message(self, search: TextSearch, number: int, text: str) -> str | None:
        """Search a message of which `text` is the beginning, and read it part by part."""
        start, characters_read, is_complete = 0, len(text), False
        while True:
            while window := search.next_window(text, start, is_complete=is_complete):
                end, next_start = window
                if (snippet := search.find_snippet(text, start, end)) is not None:
                    return snippet
                start = next_start
                await asyncio.sleep(0)
            if is_complete:
                return None
            part = await self._read_part(number, characters_read)
            text, start = text[start:] + part, 0
            characters_read += len(part)
            is_complete = len(part) < _PART_CHARACTERS

    async def _read_part(self, number: int, start: int) -> str:
        values = {"message": number, "start": start + 1}
        async with self._database.read_transaction() as connection:
            return (await connection.execute(_part_of_message, values)).scalar_one_or_none() or ""


def _rows(listed: ListFilter) -> Select[*tuple[Any, ...]]:
    """Select messages with their conversations, and conversations without any message."""
    text = func.coalesce(func.substr(messages.c.content, 1, _FIRST_CHARACTERS), "").label("text")
    columns = *listed.sort_columns, conversations.c.title, messages.c.number, text
    is_of_it = messages.c.conversation == conversations.c.id
    query = select(*columns).outerjoin_from(conversations, messages, is_of_it)
    order = [column.desc() for column in listed.sort_columns]
    return query.where(*listed.conditions()).order_by(*order, messages.c.number).limit(_BATCH_ROWS)


def _slices(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    start = characters = 0
    for number, row in enumerate(rows):
        characters += len(row.title) + len(row.text)
        if characters > _SLICE_CHARACTERS:
            yield rows[start : number + 1]
            start, characters = number + 1, 0
    yield rows[start:]


def _candidates(search: TextSearch, rows: Sequence[_Row]) -> Sequence[_Row]:
    """Return the rows that may have a match. They are compared as one text, so mostly none."""
    # No text has NUL: see SafeText.
    if search.has_match("\0".join([f"{row.title}\0{row.text}" for row in rows])):
        return rows
    return [row for row in rows if _is_long(row)]


def _is_long(row: _Row) -> bool:
    """Return True if there may be more of the message than `row.text`."""
    return len(row.text) == _FIRST_CHARACTERS
