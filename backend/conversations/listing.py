"""List conversations page by page: pinned ones first, then the most recently used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.conversations.conversation import ListedConversation
from backend.conversations.rows import (
    conversation_not_found,
    get_conversation_row,
    is_complete,
    is_visible,
)
from backend.database.database import Database
from backend.database.tables import conversations, messages

_writing = select(messages.c.conversation).where(messages.c.state == "writing")
SUMMARY_COLUMNS = [
    conversations.c.id.in_(_writing).label("active"),
    *(
        conversations.c[name]
        for name in (
            "id",
            "title",
            "model",
            "pinned",
            "folder",
            "created_at",
            "updated_at",
            "deleted_at",
        )
    ),
]


@dataclass(frozen=True)
class ListFilter:
    """Which conversations to list: all, unless a field is set.

    An empty `folder` is for those in none. With `deleted_after`, the list has what is in the trash
    since that time instead, latest first.
    """

    pinned: bool | None = None
    folder: str | None = None
    deleted_after: datetime | None = None

    @property
    def sort_columns(self) -> list[Column[Any]]:
        """The columns by which the list is sorted, each descending."""
        columns = conversations.c
        if self.deleted_after is not None:
            return [columns.deleted_at, columns.id]
        return [columns.pinned, columns.updated_at, columns.id]

    def conditions(self) -> list[ColumnElement[bool]]:
        columns = conversations.c
        conditions = [is_visible()]
        if self.deleted_after is not None:
            conditions = [columns.deleted_at > self.deleted_after, is_complete()]
        if self.pinned is not None:
            conditions.append(columns.pinned == self.pinned)
        if self.folder is not None:
            conditions.append(columns.folder == self.folder if self.folder else _is_in_no_folder())
        return conditions

    def follows(self, position: Sequence[Any]) -> ColumnElement[bool]:
        """Return the condition that a conversation is listed after the one at a position."""
        return tuple_(*self.sort_columns) < tuple(position)

    async def find_position(self, connection: AsyncConnection, conversation_id: str) -> list[Any]:
        """Return the position of a conversation, also of one that was deleted since it was listed.

        Raises:
            ConversationNotFoundError: It does not exist.
        """
        row = await get_conversation_row(connection, conversation_id, may_be_deleted=True)
        position = [row[column.name] for column in self.sort_columns]
        if None in position:  # it has been restored
            raise conversation_not_found()
        return position


EVERYTHING = ListFilter()


class ConversationLists:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, limit: int, listed: ListFilter = EVERYTHING, *, after: str | None = None
    ) -> list[ListedConversation]:
        """Return the first conversations, or those that follow the id `after`.

        Raises:
            ConversationNotFoundError: The conversation `after` does not exist.
        """
        order = [column.desc() for column in listed.sort_columns]
        query = select(*SUMMARY_COLUMNS).where(*listed.conditions()).order_by(*order).limit(limit)
        async with self._database.read_transaction() as connection:
            if after is not None:
                query = query.where(listed.follows(await listed.find_position(connection, after)))
            rows = (await connection.execute(query)).mappings()
            return [ListedConversation.model_validate(row) for row in rows]

    async def by_ids(self, ids: Sequence[str], listed: ListFilter) -> list[ListedConversation]:
        """Return the conversations with these ids, in this order, without those that are gone."""
        is_listed = conversations.c.id.in_(ids), *listed.conditions()
        query = select(*SUMMARY_COLUMNS).where(*is_listed)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).mappings()
            summaries = {row["id"]: ListedConversation.model_validate(row) for row in rows}
        return [summaries[one_id] for one_id in ids if one_id in summaries]


def _is_in_no_folder() -> ColumnElement[bool]:
    return conversations.c.folder.is_(None)
