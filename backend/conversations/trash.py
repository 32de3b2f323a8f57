"""Deleted conversations: for some days they are in the trash, and can be restored."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update

from backend.conversations.batches import Batches
from backend.conversations.conversation import ListedConversation
from backend.conversations.repository import ConversationRepository
from backend.conversations.rows import (
    conversation_not_found,
    get_conversation_row,
    is_complete,
    is_visible,
)
from backend.database.database import Database
from backend.database.tables import conversations
from backend.database.types import utc_now

_MAX_HIDDEN = 500  # conversations that are hidden in one transaction


class Trash:
    """Keeps deleted conversations for so many days; for 0 days, none is kept."""

    def __init__(self, database: Database, days: float) -> None:
        self._database = database
        self._batches = Batches(database)
        self._lifetime = timedelta(days=days)
        self.has_hidden = asyncio.Event()  # `purge` should be called soon

    @property
    def restorable_after(self) -> datetime:
        """The time since which conversations were deleted that can be restored."""
        return utc_now() - self._lifetime

    async def delete(self, conversation_id: str, *, is_permanent: bool = False) -> datetime | None:
        """Delete a conversation; return until when it can be restored, or None if it cannot.

        One that is in the trash already can only be deleted for good.

        Raises:
            ConversationNotFoundError: It does not exist.
        """
        if is_permanent or not self._lifetime:
            await ConversationRepository(self._database).delete(conversation_id)
            return None
        deleted_at = utc_now()
        async with self._database.write_transaction() as connection:
            await get_conversation_row(connection, conversation_id, for_update=True)
            query = update(conversations).where(conversations.c.id == conversation_id)
            await connection.execute(query.values(deleted_at=deleted_at))
        return deleted_at + self._lifetime

    async def delete_all(self, *, is_permanent: bool = False) -> int:
        """Delete all conversations that exist now, and return how many they were.

        If it `is_permanent`, also what is in the trash. Nobody sees them then; as this may take
        minutes, `purge` deletes them.
        """
        if is_permanent or not self._lifetime:
            ids = await self._ids(is_complete())
            await self._hide(ids)
            self.has_hidden.set()
            return len(ids)
        ids = await self._ids(is_visible())
        return await self._batches.update(ids, is_visible(), {"deleted_at": utc_now()})

    async def restore(self, conversation_id: str) -> ListedConversation:
        """Take a conversation out of the trash, if it is there, and return it.

        Raises:
            ConversationNotFoundError: It does not exist, or was deleted too long ago.
        """
        async with self._database.write_transaction() as connection:
            row = await get_conversation_row(
                connection, conversation_id, for_update=True, may_be_deleted=True
            )
            if row["deleted_at"] is not None and row["deleted_at"] <= self.restorable_after:
                raise conversation_not_found()
            query = update(conversations).where(conversations.c.id == conversation_id)
            await connection.execute(query.values(deleted_at=None))
        return ListedConversation.model_validate({**row, "deleted_at": None})

    async def purge(self) -> None:
        """Delete what is hidden, and for good what was deleted too long ago to be restored.

        That is also what a process has left that ended in the middle of an import or a deletion.
        """
        self.has_hidden.clear()
        is_expired = conversations.c.deleted_at <= self.restorable_after
        await self._hide(await self._ids(is_expired, is_complete()))
        await self._batches.discard_abandoned()

    async def _hide(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), _MAX_HIDDEN):
            async with self._database.write_transaction() as connection:
                hidden = ids[start : start + _MAX_HIDDEN]
                await self._batches.hide(connection, hidden, is_abandoned=True)

    async def _ids(self, *conditions: ColumnElement[bool]) -> Sequence[str]:
        async with self._database.read_transaction() as connection:
            return (
                (await connection.execute(select(conversations.c.id).where(*conditions)))
                .scalars()
                .all()
            )
