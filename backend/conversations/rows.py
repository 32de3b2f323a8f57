"""Rows of conversations and messages by their ids."""

from sqlalchemy import ColumnElement, RowMapping, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.tables import conversations, messages, pending_batches
from backend.errors import ConversationFullError, ConversationNotFoundError, MessageNotFoundError


def is_visible() -> ColumnElement[bool]:
    """Return the condition that a conversation is neither pending nor in the trash."""
    return and_(conversations.c.deleted_at.is_(None), is_complete())


def is_complete() -> ColumnElement[bool]:
    """Return the condition that a conversation is not part of a pending batch."""
    pending = select(pending_batches.c.id)
    return or_(conversations.c.batch.is_(None), conversations.c.batch.not_in(pending))


async def get_conversation_row(
    connection: AsyncConnection,
    conversation_id: str,
    *,
    for_update: bool = False,
    may_be_deleted: bool = False,
) -> RowMapping:
    """Return a conversation; one in the trash only if it `may_be_deleted`.

    Raises:
        ConversationNotFoundError: It does not exist.
    """
    is_found = is_complete() if may_be_deleted else is_visible()
    query = select(conversations).where(conversations.c.id == conversation_id, is_found)
    query = query.with_for_update() if for_update else query  # ignored by SQLite: one writer
    if (row := (await connection.execute(query)).mappings().one_or_none()) is None:
        raise conversation_not_found()
    return row


def conversation_not_found() -> ConversationNotFoundError:
    return ConversationNotFoundError(
        "Conversation not found; it may have been deleted. GET /conversations lists all."
    )


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


async def check_room(
    connection: AsyncConnection, conversation_id: str, added: int, max_messages: int | None
) -> None:
    """Check that a conversation may have so many more messages.

    Raises:
        ConversationFullError: It has too many.
    """
    if max_messages is None:
        return
    allowed = max_messages - added
    if allowed < 0 or await count_messages(connection, conversation_id, allowed + 1) > allowed:
        raise ConversationFullError(
            f"A conversation may have {max_messages:,} messages "
            "(SMOLCHAT_MAX_CONVERSATION_MESSAGES). Continue in a new one."
        )


async def count_messages(connection: AsyncConnection, conversation_id: str, limit: int) -> int:
    """Return how many messages a conversation has, or `limit` if they are more."""
    query = select(messages.c.number).where(messages.c.conversation == conversation_id)
    counted = select(func.count()).select_from(query.limit(limit).subquery())
    return int((await connection.execute(counted)).scalar_one())
