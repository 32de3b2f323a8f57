"""Store conversations and their messages, and query them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Select, delete, exists, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.conversations.conversation import (
    Conversation,
    ConversationSummary,
    Message,
    derive_title,
)
from backend.database.database import Database
from backend.database.tables import conversations, messages
from backend.database.types import new_id, utc_now
from backend.errors import ConversationNotFoundError, MessageNotFoundError

_INSERT_BATCH = 500  # rows per statement, so that other tasks run in between

Row = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """The ids of a stored user message and of its answer."""

    conversation_id: str
    user_message_id: str
    answer_message_id: str


class ConversationRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_page(
        self, limit: int, *, search: str = "", after: str | None = None
    ) -> list[ConversationSummary]:
        """Return the most recently used conversations, or those that follow the id `after`.

        Raises:
            ConversationNotFoundError: The conversation `after` does not exist.
        """
        columns = (conversations.c[name] for name in ConversationSummary.model_fields)
        sort_key = tuple_(conversations.c.updated_at, conversations.c.id)
        newest_first = conversations.c.updated_at.desc(), conversations.c.id.desc()
        query = select(*columns).order_by(*newest_first).limit(limit)
        if search:
            query = query.where(_matches_search(search))
        async with self._database.read_transaction() as connection:
            if after is not None:
                last = await _get_conversation_row(connection, after)
                query = query.where(sort_key < (last["updated_at"], last["id"]))
            rows = (await connection.execute(query)).mappings()
            return [ConversationSummary.model_validate(row) for row in rows]

    async def list_ids(self) -> list[str]:
        """Return the ids of all conversations, least recently used first."""
        query = select(conversations.c.id).order_by(conversations.c.updated_at)
        async with self._database.read_transaction() as connection:
            return list((await connection.execute(query)).scalars())

    async def get(self, conversation_id: str) -> Conversation:
        """Return a conversation with all its messages, with changes that are not written yet.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
        """
        query = select(messages).where(messages.c.conversation == conversation_id)
        async with self._database.read_transaction() as connection:
            row = await _get_conversation_row(connection, conversation_id)
            message_rows = (await connection.execute(query.order_by(messages.c.number))).mappings()
        unwritten = self._database.unwritten
        current_rows = [{**row, **unwritten.get(row["id"], {})} for row in message_rows]
        return Conversation.model_validate({**row, "messages": current_rows})

    async def insert_many(self, added: Sequence[Conversation]) -> list[ConversationSummary]:
        """Store conversations under new ids: all of them, or none if one fails."""
        rows, message_rows = await asyncio.to_thread(_assign_ids, added)
        async with self._database.write_transaction() as connection:
            for table, table_rows in ((conversations, rows), (messages, message_rows)):
                for start in range(0, len(table_rows), _INSERT_BATCH):
                    batch = table_rows[start : start + _INSERT_BATCH]
                    await connection.execute(insert(table), batch)
        return [ConversationSummary.model_validate(row) for row in rows]

    async def insert(self, added: Conversation) -> Conversation:
        """Store one conversation under a new id, and return it as stored."""
        [summary] = await self.insert_many([added])
        return await self.get(summary.id)

    async def duplicate(self, conversation_id: str) -> Conversation:
        """Copy a conversation under a new id, and return the copy.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
        """
        original = await self.get(conversation_id)
        title = f"{original.title[:190]} (copy)".strip()
        return await self.insert(original.model_copy(update={"title": title}))

    async def update(self, conversation_id: str, changes: dict[str, Any]) -> Conversation:
        """Set columns of a conversation, and return it.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
            MessageNotFoundError: `current` or `sent_from` is not one of its messages.
        """
        async with self._database.write_transaction() as connection:
            await _get_conversation_row(connection, conversation_id, for_update=True)
            for name in ("current", "sent_from"):
                if (message_id := changes.get(name)) is not None:
                    await _get_message_row(connection, conversation_id, message_id)
            if changes:
                await _update_row(connection, conversation_id, changes)
        return await self.get(conversation_id)

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation and its messages.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
        """
        async with self._database.write_transaction() as connection:
            await _get_conversation_row(connection, conversation_id, for_update=True)
            await connection.execute(
                delete(messages).where(messages.c.conversation == conversation_id)
            )
            await connection.execute(
                delete(conversations).where(conversations.c.id == conversation_id)
            )

    async def delete_message(self, conversation_id: str, message_id: str) -> None:
        """Delete a message and its descendants; `current` moves to a sibling branch if needed.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
            MessageNotFoundError: The message is not in it.
        """
        async with self._database.write_transaction() as connection:
            row = await _get_conversation_row(connection, conversation_id, for_update=True)
            parent = (await _get_message_row(connection, conversation_id, message_id))["parent"]
            deleted_ids = (await connection.execute(_descendants(message_id))).scalars().all()
            descendants = _descendants(message_id).scalar_subquery()
            await connection.execute(delete(messages).where(messages.c.id.in_(descendants)))
            changes: Row = {}
            if row["sent_from"] == message_id:  # an alternative version starts the same context
                changes["sent_from"] = await _latest_child(connection, conversation_id, parent)
            elif row["sent_from"] in deleted_ids:
                changes["sent_from"] = None
            if row["current"] in deleted_ids:
                changes["current"] = await _latest_leaf(connection, conversation_id, parent)
            if changes:
                await _update_row(connection, conversation_id, changes)

    async def create_turn(
        self,
        conversation_id: str,
        user_message: Message,
        answer: Message,
        *,
        after_current: bool = False,
    ) -> Turn:
        """Store a user message and an answer that is about to be generated.

        If `user_message.parent` is the same user message, only the answer is stored: it is being
        regenerated. `after_current` ignores that parent and appends to the active branch.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
            MessageNotFoundError: The parent is not in it.
        """
        async with self._database.write_transaction() as connection:
            row = await _get_conversation_row(connection, conversation_id, for_update=True)
            parent = row["current"] if after_current else user_message.parent
            parent_row = parent and await _get_message_row(connection, conversation_id, parent)
            if parent_row and _is_same_question(parent_row, user_message):
                user_message_id = str(parent)
            else:
                user_message_id = user_message.id
                await _insert(connection, conversation_id, user_message, parent)
            await _insert(connection, conversation_id, answer, user_message_id)
            changes = {"current": answer.id, "updated_at": answer.created_at}
            changes["title"] = row["title"] or derive_title(user_message.content)
            await _update_row(connection, conversation_id, changes)
        return Turn(conversation_id, user_message_id, answer.id)

    async def update_answer(self, message_id: str, changes: dict[str, Any]) -> None:
        """Store the progress of an answer, or how it ended."""
        query = update(messages).where(messages.c.id == message_id)
        async with self._database.write_transaction() as connection:
            await connection.execute(query.values(changes | {"updated_at": utc_now()}))
        self._database.unwritten.pop(message_id, None)

    def hold_answer(self, message_id: str, changes: dict[str, Any]) -> None:
        """Let readers see how an answer ended until `update_answer` can store it."""
        self._database.unwritten[message_id] = changes

    async def mark_interrupted(self) -> None:
        """Mark the answers that were being generated when the last process stopped.

        If another process is still generating one, its next update sets the state back.
        """
        query = update(messages).where(messages.c.state == "writing")
        async with self._database.write_transaction() as connection:
            await connection.execute(query.values(state="interrupted"))


async def _get_conversation_row(
    connection: AsyncConnection, conversation_id: str, *, for_update: bool = False
) -> RowMapping:
    query = select(conversations).where(conversations.c.id == conversation_id)
    query = query.with_for_update() if for_update else query  # ignored by SQLite: one writer
    if (row := (await connection.execute(query)).mappings().one_or_none()) is None:
        raise ConversationNotFoundError(
            "Conversation not found; it may have been deleted. GET /conversations lists all."
        )
    return row


async def _get_message_row(
    connection: AsyncConnection, conversation_id: str, message_id: str
) -> RowMapping:
    query = select(messages).where(
        messages.c.id == message_id, messages.c.conversation == conversation_id
    )
    if (row := (await connection.execute(query)).mappings().one_or_none()) is None:
        raise MessageNotFoundError(
            "Message not found in this conversation; it may have been deleted."
        )
    return row


async def _latest_child(
    connection: AsyncConnection, conversation_id: str, parent: str | None
) -> str | None:
    query = select(messages.c.id).where(
        messages.c.conversation == conversation_id, messages.c.parent.is_not_distinct_from(parent)
    )
    query = query.order_by(messages.c.number.desc()).limit(1)
    child_id: str | None = (await connection.execute(query)).scalar_one_or_none()
    return child_id


async def _latest_leaf(
    connection: AsyncConnection, conversation_id: str, message_id: str | None
) -> str | None:
    """Return the end of the newest branch below a message, or of the whole tree if that is None."""
    query = select(messages.c.parent, messages.c.id)
    query = query.where(messages.c.conversation == conversation_id).order_by(messages.c.number)
    latest_child = {row.parent: row.id for row in await connection.execute(query)}
    while message_id in latest_child:
        message_id = latest_child[message_id]
    return message_id


async def _insert(
    connection: AsyncConnection, conversation_id: str, message: Message, parent: str | None
) -> None:
    row = message.model_dump() | {"conversation": conversation_id, "parent": parent}
    await connection.execute(insert(messages), row)


async def _update_row(connection: AsyncConnection, conversation_id: str, changes: Row) -> None:
    query = update(conversations).where(conversations.c.id == conversation_id)
    await connection.execute(query.values(changes))


def _matches_search(search: str) -> Any:
    """Match conversations with the text in their title or in a message, ignoring case."""
    text = search.replace("\0", "").lower()
    in_message = func.lower(messages.c.content).contains(text, autoescape=True)
    return or_(
        func.lower(conversations.c.title).contains(text, autoescape=True),
        exists().where(messages.c.conversation == conversations.c.id, in_message),
    )


def _descendants(message_id: str) -> Select[tuple[str]]:
    """Select the ids of a message and of everything below it."""
    subtree = select(messages.c.id).where(messages.c.id == message_id).cte(recursive=True)
    children = select(messages.c.id).join(subtree, messages.c.parent == subtree.c.id)
    subtree = subtree.union_all(children)
    return select(subtree.c.id)


def _is_same_question(row: RowMapping, message: Message) -> bool:
    stored_content = message.content.replace("\0", "\N{REPLACEMENT CHARACTER}")  # see SafeText
    return (row["role"], row["content"], row["parts"]) == ("user", stored_content, message.parts)


def _assign_ids(added: Sequence[Conversation]) -> tuple[list[Row], list[Row]]:
    """Return the rows of conversations and of their messages, under new ids."""
    rows, message_rows = [], []
    for conversation in added:
        row = conversation.model_dump(exclude={"messages"}) | {"id": new_id()}
        ids: dict[str | None, str] = {message.id: new_id() for message in conversation.messages}
        row["current"] = ids.get(conversation.current) or next(reversed(ids.values()), None)
        row["sent_from"] = ids.get(conversation.sent_from)
        rows.append(row)
        for message in conversation.messages:
            message_row = message.model_dump() | {
                "id": ids[message.id],
                "conversation": row["id"],
                "parent": ids.get(message.parent),
            }
            if message.state == "writing":
                message_row["state"] = "interrupted"
            message_rows.append(message_row)
    return rows, message_rows
