"""Stored tool results: the messages between an answer with tool calls and the next answer."""

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.conversations.conversation import Message
from backend.conversations.rows import get_conversation_row, get_message_row
from backend.database.database import Database
from backend.database.tables import conversations, messages
from backend.database.types import utc_now

MAX_RESULTS = 1000  # of one answer


class ToolMessages:
    """Stores the messages of one conversation's turns with tools."""

    def __init__(self, database: Database, conversation_id: str) -> None:
        self.conversation_id = conversation_id
        self._database = database

    async def last_id(self, parent: str | None) -> str | None:
        """Return `parent`, or without one the last message of the active branch, if there is one.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
            MessageNotFoundError: The parent is not in it.
        """
        async with self._database.read_transaction() as connection:
            row = await get_conversation_row(connection, self.conversation_id)
            if parent is not None:
                await get_message_row(connection, self.conversation_id, parent)
            last: str | None = parent or row["current"]
            return last

    async def results_at_end(self, last: str | None) -> dict[str, str]:
        """Return the ids of the results that end with the message `last`, by their calls."""
        async with self._database.read_transaction() as connection:
            rows = await result_rows(connection, self.conversation_id, last)
        return {row["tool_call_id"]: row["id"] for row in rows if row["tool_call_id"]}

    async def deny_awaiting(self, last: str, text: str) -> dict[str, str]:
        """Deny the steps at the end of a branch that await approval; `text` is their result.

        Return the ids of these messages, by their calls.
        """
        denied: dict[str, str] = {}
        async with self._database.write_transaction() as connection:
            for row in await result_rows(connection, self.conversation_id, last):
                step = row["step"] or {}
                if step.get("state") == "awaiting_approval":
                    changes = {"content": text, "step": step | {"state": "denied", "result": text}}
                    query = update(messages).where(messages.c.id == row["id"])
                    await connection.execute(query.values(changes | {"updated_at": utc_now()}))
                    denied[row["tool_call_id"]] = row["id"]
        return denied

    async def append(self, message: Message, *, after: str | None) -> None:
        """Store a message after another one, as the last one of the active branch.

        Raises:
            ConversationNotFoundError: The conversation does not exist any more.
        """
        row = message.model_dump() | {"conversation": self.conversation_id, "parent": after}
        async with self._database.write_transaction() as connection:
            await get_conversation_row(connection, self.conversation_id, for_update=True)
            await connection.execute(insert(messages), row)
            query = update(conversations).where(conversations.c.id == self.conversation_id)
            changes = {"current": message.id, "updated_at": message.created_at}
            await connection.execute(query.values(changes))


async def result_rows(
    connection: AsyncConnection, conversation_id: str, last: str | None
) -> list[RowMapping]:
    """Return the results that end with the message `last`, the last one first."""
    rows: list[RowMapping] = []
    while last is not None and len(rows) < MAX_RESULTS:
        query = select(messages).where(
            messages.c.id == last, messages.c.conversation == conversation_id
        )
        row = (await connection.execute(query)).mappings().one_or_none()
        if row is None or row["role"] != "tool":
            break
        rows.append(row)
        last = row["parent"]
    return rows
