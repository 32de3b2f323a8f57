"""What is asked of the stored conversations, and what is changed in them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Select, delete, exists, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.conversations.conversation import Conversation, ConversationSummary, Message
from backend.database.database import Database
from backend.database.tables import conversations, messages
from backend.database.types import new_id, utc_now
from backend.errors import ConversationNotFoundError, MessageNotFoundError

_TITLE_CHARACTERS = 80
_INSERT_BATCH = 500  # written at once; others have their turn between

Row = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """A question and its answer, as they were stored."""

    conversation: str
    user_message: str
    answer_message: str


class ConversationRepository:
    """The conversations of this database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_page(
        self, limit: int, *, search: str = "", after: str | None = None
    ) -> list[ConversationSummary]:
        """List the newest; those that follow the conversation `after`, if there is one.

        Raises:
            ConversationNotFoundError: there is no conversation `after`.
        """
        columns = (conversations.c[name] for name in ConversationSummary.model_fields)
        place = tuple_(conversations.c.updated_at, conversations.c.id)
        newest = conversations.c.updated_at.desc(), conversations.c.id.desc()
        query = select(*columns).order_by(*newest).limit(limit)
        if search:
            query = query.where(_matches_search(search))
        async with self._database.read_transaction() as connection:
            if after is not None:
                last = await _get_conversation_row(connection, after, is_written=False)
                query = query.where(place < (last["updated_at"], last["id"]))
            rows = (await connection.execute(query)).mappings()
            return [ConversationSummary.model_validate(row) for row in rows]

    async def list_ids(self) -> list[str]:
        """List all, oldest first."""
        query = select(conversations.c.id).order_by(conversations.c.updated_at)
        async with self._database.read_transaction() as connection:
            return list((await connection.execute(query)).scalars())

    async def get(self, conversation: str) -> Conversation:
        """Give a whole conversation.

        Raises:
            ConversationNotFoundError: there is none of this id.
        """
        query = select(messages).where(messages.c.conversation == conversation)
        async with self._database.read_transaction() as connection:
            head = await _get_conversation_row(connection, conversation, is_written=False)
            rows = (await connection.execute(query.order_by(messages.c.number))).mappings()
            return Conversation.model_validate({**head, "messages": list(rows)})

    async def insert_many(self, added: Sequence[Conversation]) -> list[ConversationSummary]:
        """Store conversations as they are, but under ids of their own; all of them, or none."""
        heads, rows = await asyncio.to_thread(_assign_ids, added)
        async with self._database.write_transaction() as connection:
            for table, kept in ((conversations, heads), (messages, rows)):
                for start in range(0, len(kept), _INSERT_BATCH):
                    await connection.execute(insert(table), kept[start : start + _INSERT_BATCH])
        return [ConversationSummary.model_validate(head) for head in heads]

    async def update(self, conversation: str, changes: dict[str, Any]) -> Conversation:
        """Set what a conversation is to have from now on.

        Raises:
            ConversationNotFoundError: there is none of this id.
            MessageNotFoundError: it is to name a message that is not in it.
        """
        query = update(conversations).where(conversations.c.id == conversation)
        async with self._database.write_transaction() as connection:
            await _get_conversation_row(connection, conversation)
            for name in ("current", "sent_from"):
                if (named := changes.get(name)) is not None:
                    await _get_message_row(connection, conversation, named)
            if changes:
                await connection.execute(query.values(changes))
        return await self.get(conversation)

    async def delete(self, conversation: str) -> None:
        """Forget a conversation.

        Raises:
            ConversationNotFoundError: there is none of this id.
        """
        async with self._database.write_transaction() as connection:
            await _get_conversation_row(connection, conversation)
            await connection.execute(
                delete(messages).where(messages.c.conversation == conversation)
            )
            await connection.execute(
                delete(conversations).where(conversations.c.id == conversation)
            )

    async def delete_message(self, conversation: str, message: str) -> None:
        """Forget a message and all that follows it; what else was said there is read then.

        Raises:
            ConversationNotFoundError: there is no such conversation.
            MessageNotFoundError: there is no such message in it.
        """
        async with self._database.write_transaction() as connection:
            head = await _get_conversation_row(connection, conversation)
            parent = (await _get_message_row(connection, conversation, message))["parent"]
            gone = (await connection.execute(_descendants(message))).scalars().all()
            below = _descendants(message).scalar_subquery()
            await connection.execute(delete(messages).where(messages.c.id.in_(below)))
            changes: Row = {}
            if head["sent_from"] == message:  # another version marks the same place
                changes["sent_from"] = await _latest_child(connection, conversation, parent)
            elif head["sent_from"] in gone:
                changes["sent_from"] = None
            if head["current"] in gone:
                changes["current"] = await _latest_leaf(connection, conversation, parent)
            if changes:
                query = update(conversations).where(conversations.c.id == conversation)
                await connection.execute(query.values(changes))

    async def create_turn(
        self, conversation: str, asked: Message, answer: Message, *, follows_on: bool = False
    ) -> Turn:
        """Store a question, and an answer that is yet to be written.

        A question that `asked.parent` already is, is asked again. `follows_on` puts it where the
        conversation was left.

        Raises:
            ConversationNotFoundError: there is no such conversation.
            MessageNotFoundError: the parent is not in it.
        """
        async with self._database.write_transaction() as connection:
            head = await _get_conversation_row(connection, conversation)
            parent = head["current"] if follows_on else asked.parent
            place = parent and await _get_message_row(connection, conversation, parent)
            if place and _is_same_question(place, asked):
                question = str(parent)
            else:
                question = asked.id
                await _insert(connection, conversation, asked, parent)
            await _insert(connection, conversation, answer, question)
            changes = {"current": answer.id, "updated_at": answer.created_at}
            changes["title"] = head["title"] or _derive_title(asked.content)
            query = update(conversations).where(conversations.c.id == conversation)
            await connection.execute(query.values(changes))
        return Turn(conversation, question, answer.id)

    async def update_answer(self, message: str, changes: dict[str, Any]) -> None:
        """Write how far an answer has come, or how it ended."""
        query = update(messages).where(messages.c.id == message)
        async with self._database.write_transaction() as connection:
            await connection.execute(query.values(changes | {"updated_at": utc_now()}))

    async def mark_interrupted(self) -> None:
        """Say of the answers that were being written when the last process ended how they ended.

        An answer that another process is writing here takes that back with its next words.
        """
        query = update(messages).where(messages.c.state == "writing")
        async with self._database.write_transaction() as connection:
            await connection.execute(query.values(state="interrupted"))


async def _get_conversation_row(
    connection: AsyncConnection, conversation: str, *, is_written: bool = True
) -> RowMapping:
    query = select(conversations).where(conversations.c.id == conversation)
    query = query.with_for_update() if is_written else query  # of SQLite there is one writer only
    if (row := (await connection.execute(query)).mappings().one_or_none()) is None:
        raise ConversationNotFoundError(
            "There is no such conversation; it may have been deleted. GET /conversations lists all."
        )
    return row


async def _get_message_row(
    connection: AsyncConnection, conversation: str, message: str
) -> RowMapping:
    query = select(messages).where(
        messages.c.id == message, messages.c.conversation == conversation
    )
    if (row := (await connection.execute(query)).mappings().one_or_none()) is None:
        raise MessageNotFoundError(
            "There is no such message in this conversation; it may have been deleted."
        )
    return row


async def _latest_child(
    connection: AsyncConnection, conversation: str, parent: str | None
) -> str | None:
    query = select(messages.c.id).where(
        messages.c.conversation == conversation, messages.c.parent.is_not_distinct_from(parent)
    )
    query = query.order_by(messages.c.number.desc()).limit(1)
    found: str | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def _latest_leaf(
    connection: AsyncConnection, conversation: str, message: str | None
) -> str | None:
    """Follow a thread, from a message or from the start, by the newest to its end."""
    query = select(messages.c.parent, messages.c.id)
    query = query.where(messages.c.conversation == conversation).order_by(messages.c.number)
    newest = {row.parent: row.id for row in await connection.execute(query)}
    while message in newest:
        message = newest[message]
    return message


async def _insert(
    connection: AsyncConnection, conversation: str, message: Message, parent: str | None
) -> None:
    row = message.model_dump() | {"conversation": conversation, "parent": parent}
    await connection.execute(insert(messages), row)


def _matches_search(search: str) -> Any:
    """Look for a text in titles and in what was said, whatever its case."""
    wanted = search.replace("\0", "").lower()
    said = func.lower(messages.c.content).contains(wanted, autoescape=True)
    return or_(
        func.lower(conversations.c.title).contains(wanted, autoescape=True),
        exists().where(messages.c.conversation == conversations.c.id, said),
    )


def _descendants(message: str) -> Select[tuple[str]]:
    below = select(messages.c.id).where(messages.c.id == message).cte(recursive=True)
    following = select(messages.c.id).join(below, messages.c.parent == below.c.id)
    below = below.union_all(following)
    return select(below.c.id)


def _is_same_question(row: RowMapping, asked: Message) -> bool:
    told = (row["role"], row["content"], row["parts"])
    return told == ("user", asked.content.replace("\0", "\N{REPLACEMENT CHARACTER}"), asked.parts)


def _derive_title(text: str) -> str:
    """Make a title of the first words of a question."""
    line = " ".join(text[: 4 * _TITLE_CHARACTERS].split())
    if len(line) <= _TITLE_CHARACTERS:
        return line
    return line[: _TITLE_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"


def _assign_ids(added: Sequence[Conversation]) -> tuple[list[Row], list[Row]]:
    heads, rows = [], []
    for conversation in added:
        head = conversation.model_dump(exclude={"messages"}) | {"id": new_id()}
        ids: dict[str | None, str] = {message.id: new_id() for message in conversation.messages}
        head["current"] = ids.get(conversation.current) or next(reversed(ids.values()), None)
        head["sent_from"] = ids.get(conversation.sent_from)
        heads.append(head)
        for message in conversation.messages:
            row = message.model_dump() | {"id": ids[message.id], "conversation": head["id"]}
            row["parent"] = ids.get(message.parent)
            if message.state == "writing":
                row["state"] = "interrupted"
            rows.append(row)
    return heads, rows
