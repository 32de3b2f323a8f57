"""Edit the text of a stored message in place, and keep its former version beside it."""

from typing import Any

from sqlalchemy import RowMapping, insert, update

from backend.conversations.conversation import Message
from backend.conversations.imports.stored_rows import COLUMNS
from backend.conversations.rows import check_room, get_conversation_row, get_message_row
from backend.database.database import Database
from backend.database.tables import messages
from backend.database.types import new_id, utc_now
from backend.errors import InvalidRequestError, MessageBeingWrittenError
from backend.images.store import add_references

# What a message says about its text, and would be wrong about another.
_OF_ITS_TEXT = ("logprobs", "receipt", "error", "annotations", "retrieval")


class MessageEditor:
    """Edits messages of conversations, of which each has at most `max_messages`."""

    def __init__(self, database: Database, max_messages: int) -> None:
        self._database = database
        self._max_messages = max_messages

    async def edit(self, conversation_id: str, message_id: str, content: str) -> Message:
        """Change the text of a message, and return the message.

        It keeps its id and what follows it. The former version becomes a sibling without replies,
        and keeps what belongs to its text, such as the receipt.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
            MessageNotFoundError: The message is not in it.
            InvalidRequestError: It is the result of a tool.
            MessageBeingWrittenError: It is an answer that is not over.
            ConversationFullError: The conversation has no room for the former version.
        """
        async with self._database.write_transaction() as connection:
            await get_conversation_row(connection, conversation_id, for_update=True)
            row = await get_message_row(connection, conversation_id, message_id)
            _check_editable(row)
            if content != row["content"]:
                await check_room(connection, conversation_id, 1, self._max_messages)
                former = {column.name: row[column.name] for column in COLUMNS[messages]}
                former["id"] = new_id()
                await connection.execute(insert(messages), former)
                await add_references(connection, [former])
                changed = update(messages).where(messages.c.id == message_id)
                await connection.execute(changed.values(_changes(row, content)))
                row = await get_message_row(connection, conversation_id, message_id)
        return Message.model_validate(row)


def _check_editable(row: RowMapping) -> None:
    if row["role"] == "tool":
        raise InvalidRequestError("The result of a tool cannot be edited.")
    if row["state"] == "writing":
        raise MessageBeingWrittenError("The message is still being written. Stop it, or wait.")


def _changes(row: RowMapping, content: str) -> dict[str, Any]:
    now = utc_now()
    changes: dict[str, Any] = {"content": content, "parts": _parts(row["parts"], content)}
    changes |= {"updated_at": now, "edited_at": now} | dict.fromkeys(_OF_ITS_TEXT)
    return changes | ({"state": "finished"} if row["state"] else {})


def _parts(parts: list[dict[str, Any]] | None, content: str) -> list[dict[str, Any]] | None:
    """Return the parts of a message with the text `content`, and with its images as they are."""
    if parts is None:
        return None
    others = [part for part in parts if part.get("type") != "text"]
    return [{"type": "text", "text": content}, *others]
