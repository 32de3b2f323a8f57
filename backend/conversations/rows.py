"""Rows of conversations and messages by their ids."""

from sqlalchemy import ColumnElement, RowMapping, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.tables import conversations, messages, pending_batches
from backend.errors import ConversationNotFoundError, MessageNotFoundError


def is_visible() -> ColumnElement[bool]:
    """Return the condition that a conversation is not part of a pending batch."""
    pending = select(pending_batches.c.id)
    return or_(conversations.c.batch.is_(None), conversations.c.batch.not_in(pending))


async def get_conversation_row(
    connection: AsyncConnection, conversation_id: str, *, for_update: bool = False
) -> RowMapping:
    """Return a conversation.

    Raises:
        ConversationNotFoundError: It does not exist.
    """
    query = select(conversations).where(conversations.c.id == conversation_id, is_visible())
    query = query.with_for_update() if for_update else query  # ignored by SQLite: one writer
    if (row := (await connection.execute(query)).mappings().one_or_none()) is None:
        raise ConversationNotFoundError(
            "Conversation not found; it may have been deleted. GET /conversations lists all."
        )
    return row


async def get_message_row(
    connection: AsyncConnection, conversation_id: str, message_id: str
) -> RowMapping:
    """Return a message of a conversation.

    Raises:
        MessageNotFoundError: It is not in it.
    """
    query = select(messages).where(
        messages.c.id == message_id, messages.c.conversation == conversation_id
    )
    if (row := (await connection.execute(query)).mappings().one_or_none()) is None:
        raise MessageNotFoundError(
            "Message not found in this conversation; it may have been deleted."
        )
    return row
