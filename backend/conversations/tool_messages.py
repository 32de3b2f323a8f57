"""Stored tool results: the messages between an answer with tool calls and the next answer."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.conversations.api_processes import touch_process, writer_fields
from backend.conversations.conversation import Message
from backend.conversations.rows import check_room, get_conversation_row, get_message_row
from backend.database.database import Database
from backend.database.tables import conversations, messages
from backend.database.types import utc_now
from backend.errors import InvalidRequestError
from backend.json_values import as_dict_list, as_str

MAX_RESULTS = 1000  # of one answer
_RUNNING = "A call of these messages is running already, for another request."


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

    async def results_at_end(self, last: str | None) -> dict[str, RowMapping]:
        """Return the results that end with the message `last`, by their calls.

        Raises:
            InvalidRequestError: One of the calls is running, for another request.
        """
        async with self._database.read_transaction() as connection:
            rows = await result_rows(connection, self.conversation_id, last)
        if any(row["state"] == "writing" for row in rows):
            raise InvalidRequestError(_RUNNING, param="messages")
        return {row["tool_call_id"]: row for row in rows if row["tool_call_id"]}

    async def find_results(
        self, last: str | None, call_ids: Collection[str], *, max_messages: int
    ) -> str | None:
        """Return the last result of the calls that the message `last` has, or is a result of.

        It is that message itself if there is no result yet, and None if that has not all of these
        calls.

        Raises:
            ConversationFullError: There is no room for the results that are missing, and an answer.
        """
        async with self._database.read_transaction() as connection:
            results = await result_rows(connection, self.conversation_id, last)
            calls_id = results[-1]["parent"] if results else last
            calls = await _calls_of(connection, self.conversation_id, calls_id)
            if calls_id is None or not calls >= set(call_ids):
                return None
            if not results:
                results = await _results_after(connection, self.conversation_id, calls_id)
            missing = len(calls - {row["tool_call_id"] for row in results})
            await check_room(connection, self.conversation_id, missing + 1, max_messages)
            return str(results[0]["id"]) if results else last

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

    async def update_unchanged(
        self, message_id: str, read_at: datetime, changes: dict[str, Any]
    ) -> None:
        """Update a result that was last written at `read_at`, as it was read.

        Raises:
            InvalidRequestError: Another request has changed it since.
        """
        query = update(messages).where(
            messages.c.id == message_id, messages.c.updated_at == read_at
        )
        async with self._database.write_transaction() as connection:
            changed = changes | {"updated_at": utc_now()} | writer_fields(self._database, changes)
            updated = await connection.execute(query.values(changed))
        if not updated.rowcount:
            raise InvalidRequestError(_RUNNING, param="messages")

    async def append(self, message: Message, *, after: str | None) -> None:
        """Store a message after another one, as the last one of the active branch.

        Raises:
            ConversationNotFoundError: The conversation does not exist any more.
        """
        row = message.model_dump() | {"conversation": self.conversation_id, "parent": after}
        row["writer"] = self._database.process_id
        async with self._database.write_transaction() as connection:
            await touch_process(connection, self._database)
            await get_conversation_row(connection, self.conversation_id, for_update=True)
            await connection.execute(insert(messages), row)
            query = update(conversations).where(conversations.c.id == self.conversation_id)
            changes = {"current": message.id, "updated_at": message.created_at}
            await connection.execute(query.values(changes))


async def _calls_of(
    connection: AsyncConnection, conversation_id: str, message_id: str | None
) -> set[str]:
    """Return the ids of the calls of a message, or none if there is no such message."""
    query = select(messages.c.tool_calls).where(
        messages.c.id == message_id, messages.c.conversation == conversation_id
    )
    calls = (await connection.execute(query)).scalar_one_or_none()
    return {as_str(call.get("id")) for call in as_dict_list(calls)}


async def _results_after(
    connection: AsyncConnection, conversation_id: str, calls_id: str
) -> list[RowMapping]:
    """Return the newest results that follow the message with their calls, the last one first."""
    last = calls_id
    for _ in range(MAX_RESULTS):
        query = select(messages.c.id).where(messages.c.parent == last, messages.c.role == "tool")
        query = query.order_by(messages.c.number.desc()).limit(1)
        if (next_id := (await connection.execute(query)).scalar_one_or_none()) is None:
            break
        last = next_id
    return await result_rows(connection, conversation_id, last)


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
