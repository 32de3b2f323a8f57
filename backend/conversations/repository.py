"""Store conversations and their messages, and query them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.conversations.api_processes import touch_process, writer_fields
from backend.conversations.batches import Batches
from backend.conversations.conversation import (
    Conversation,
    Message,
    derive_title,
)
from backend.conversations.imports.stored_rows import stored_row
from backend.conversations.reader import VERSION_TIME, index_pages, open_conversation
from backend.conversations.rows import (
    check_room,
    count_messages,
    get_conversation_row,
    get_message_row,
    is_visible,
)
from backend.database.database import Database
from backend.database.tables import conversations, messages
from backend.database.types import new_id, utc_now
from backend.images.parts import image_names
from backend.images.store import add_references

_MAX_DELETED = 500  # messages that are deleted in one transaction

Row = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """The ids of a stored user message and of its answer."""

    conversation_id: str
    user_message_id: str
    answer_message_id: str


class ConversationRepository:
    """Queries conversations, of which each has at most `max_messages` messages."""

    def __init__(self, database: Database, max_messages: int | None = None) -> None:
        self._database = database
        self._max_messages = max_messages

    async def list_ids(self) -> list[str]:
        """Return the ids of all conversations, least recently used first."""
        query = select(conversations.c.id).where(is_visible()).order_by(conversations.c.updated_at)
        async with self._database.read_transaction() as connection:
            return list((await connection.execute(query)).scalars())

    async def check_exists(self, conversation_id: str) -> None:
        """Check that a conversation exists.

        Raises:
            ConversationNotFoundError: It does not.
        """
        async with self._database.read_transaction() as connection:
            await get_conversation_row(connection, conversation_id)

    async def insert(self, added: Conversation) -> None:
        """Store a conversation without messages."""
        row = added.model_dump(exclude={"messages"})
        async with self._database.write_transaction() as connection:
            await connection.execute(insert(conversations), row)

    async def duplicate(self, conversation_id: str) -> str:
        """Copy a conversation under a new id, and return this id.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
            ConversationFullError: It has more messages than a conversation may have.
        """
        async with self._database.read_transaction() as connection:
            await get_conversation_row(connection, conversation_id)
            await check_room(connection, conversation_id, 0, self._max_messages)
        batches, ids = Batches(self._database), dict[str | None, str]()
        async with (
            open_conversation(self._database, conversation_id) as original,
            batches.adding() as batch,
        ):
            row = dict(original.row) | {"id": new_id()}
            row["title"] = f"{row['title'][:190]} (copy)".strip()
            references = {row[name] for name in ("current", "sent_from")} - {None}
            ids |= {reference: new_id() for reference in references}
            row |= {name: ids.get(row[name]) for name in ("current", "sent_from")}
            await batches.insert(batch, conversations, [stored_row(conversations, row)])
            async for numbers in original.numbers():
                copies = await original.stored_messages(numbers)
                for message in copies:
                    ids.setdefault(message["id"], new_id())
                    message |= {"id": ids[message["id"]], "parent": ids.get(message["parent"])}
                    message["conversation"] = row["id"]
                    if message["state"] == "writing":
                        message["state"] = "interrupted"
                await batches.insert(batch, messages, copies)
        return str(row["id"])

    async def update(self, conversation_id: str, changes: dict[str, Any]) -> None:
        """Set columns of a conversation.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
            MessageNotFoundError: `current` or `sent_from` is not one of its messages.
        """
        async with self._database.write_transaction() as connection:
            await get_conversation_row(connection, conversation_id, for_update=True)
            for name in ("current", "sent_from"):
                if (message_id := changes.get(name)) is not None:
                    await get_message_row(connection, conversation_id, message_id)
            if changes:
                await _update_row(connection, conversation_id, changes)

    async def replace_title(self, conversation_id: str, title: str, new_title: str) -> str:
        """Set the title, if it still is the one that is given; return the title it has now.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
        """
        async with self._database.write_transaction() as connection:
            row = await get_conversation_row(connection, conversation_id, for_update=True)
            if row["title"] != title:
                return str(row["title"])
            await _update_row(connection, conversation_id, {"title": new_title})
        return new_title

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation and its messages for good; one with very many is hidden first.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
        """
        batches, batch = Batches(self._database), None
        async with self._database.write_transaction() as connection:
            await get_conversation_row(
                connection, conversation_id, for_update=True, may_be_deleted=True
            )
            if await count_messages(connection, conversation_id, _MAX_DELETED + 1) > _MAX_DELETED:
                batch = await batches.hide(connection, [conversation_id])
            else:
                of_it = messages.c.conversation == conversation_id
                await connection.execute(delete(messages).where(of_it))
                is_it = conversations.c.id == conversation_id
                await connection.execute(delete(conversations).where(is_it))
        if batch:
            await batches.discard(batch)
        self._database.messages_deleted.set()

    async def delete_message(self, conversation_id: str, message_id: str) -> None:
        """Delete a message and its descendants; `current` moves to a sibling branch if needed.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
            MessageNotFoundError: The message is not in it.
        """
        async with self._database.write_transaction() as connection:
            row = await get_conversation_row(connection, conversation_id, for_update=True)
            parent = (await get_message_row(connection, conversation_id, message_id))["parent"]
            descendants = _descendants(message_id)
            references = messages.c.id.in_([row["current"], row["sent_from"]])
            query = select(messages.c.id).where(references, messages.c.id.in_(descendants))
            deleted_ids = (await connection.execute(query)).scalars().all()
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
        self._database.messages_deleted.set()

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
            ConversationFullError: It has as many messages as a conversation may have.
        """
        async with self._database.write_transaction() as connection:
            row = await get_conversation_row(connection, conversation_id, for_update=True)
            await check_room(connection, conversation_id, 2, self._max_messages)
            parent = row["current"] if after_current else user_message.parent
            parent_row = parent and await get_message_row(connection, conversation_id, parent)
            if parent_row and _is_same_question(parent_row, user_message):
                user_message_id = str(parent)
            else:
                user_message_id = user_message.id
                await _insert(connection, conversation_id, user_message, parent)
            await touch_process(connection, self._database)
            writer = self._database.process_id
            await _insert(connection, conversation_id, answer, user_message_id, writer=writer)
            changes = {"current": answer.id, "updated_at": answer.created_at}
            text = user_message.content or image_names(user_message.parts)
            changes["title"] = row["title"] or derive_title(text)
            await _update_row(connection, conversation_id, changes)
        return Turn(conversation_id, user_message_id, answer.id)

    async def update_answer(self, message_id: str, changes: dict[str, Any]) -> None:
        """Store the progress of an answer, or how it ended."""
        query = update(messages).where(messages.c.id == message_id)
        changed = changes | {"updated_at": utc_now()} | writer_fields(self._database, changes)
        async with self._database.write_transaction() as connection:
            await connection.execute(query.values(changed))
        self._database.unwritten.pop(message_id, None)

    def hold_answer(self, message_id: str, changes: dict[str, Any]) -> None:
        """Let readers see how an answer ended until `update_answer` can store it."""
        self._database.unwritten[message_id] = changes


async def _latest_child(
    connection: AsyncConnection, conversation_id: str, parent: str | None
) -> str | None:
    query = select(messages.c.id).where(
        messages.c.conversation == conversation_id, messages.c.parent.is_not_distinct_from(parent)
    )
    query = query.order_by(VERSION_TIME.desc(), messages.c.number.desc()).limit(1)
    child_id: str | None = (await connection.execute(query)).scalar_one_or_none()
    return child_id


async def _latest_leaf(
    connection: AsyncConnection, conversation_id: str, message_id: str | None
) -> str | None:
    """Return the end of the newest branch below a message, or of the whole tree if that is None."""
    latest_child: dict[str | None, Any] = {}
    async for rows in index_pages(connection, conversation_id):
        for row in rows:
            latest = latest_child.setdefault(row.parent, row)
            if row.version_time >= latest.version_time:
                latest_child[row.parent] = row
    while message_id in latest_child:
        message_id = latest_child[message_id].id
    return message_id


async def _insert(
    connection: AsyncConnection,
    conversation_id: str,
    message: Message,
    parent: str | None,
    *,
    writer: str | None = None,
) -> None:
    row = message.model_dump() | {"conversation": conversation_id, "parent": parent}
    row["writer"] = writer
    await connection.execute(insert(messages), row)
    await add_references(connection, [row], ends_hold=True)


async def _update_row(connection: AsyncConnection, conversation_id: str, changes: Row) -> None:
    query = update(conversations).where(conversations.c.id == conversation_id)
    await connection.execute(query.values(changes))


def _descendants(message_id: str) -> Select[tuple[str]]:
    """Select the ids of a message and of everything below it."""
    subtree = select(messages.c.id).where(messages.c.id == message_id).cte(recursive=True)
    children = select(messages.c.id).join(subtree, messages.c.parent == subtree.c.id)
    subtree = subtree.union_all(children)
    return select(subtree.c.id)


def _is_same_question(row: RowMapping, message: Message) -> bool:
    stored_content = message.content.replace("\0", "\N{REPLACEMENT CHARACTER}")  # see SafeText
    return (row["role"], row["content"], row["parts"]) == ("user", stored_content, message.parts)
