"""Add and delete many rows in short transactions, in between which others write.

Conversations belong to a batch while this takes. Nobody sees them as long as the batch is pending;
without its row they are all visible at once, or gone.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.conversations.imports.stored_rows import STORED, Row
from backend.database.database import Database
from backend.database.tables import conversations, messages, pending_batches
from backend.database.types import new_id, utc_now
from backend.errors import DatabaseUnavailableError
from backend.images.store import add_references

# After this time without a transaction, the process that worked on a batch is gone.
ABANDONED_AFTER = timedelta(seconds=120)
# Of one transaction.
_DELETED_ROWS, _DELETED_CONVERSATIONS, _UPDATED_CONVERSATIONS = 500, 50, 500

logger = logging.getLogger(__name__)


class Batches:
    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def adding(self) -> AsyncIterator[str]:
        """Yield the id of a new batch, whose conversations become visible at the end.

        If that is not reached, they are deleted.

        Raises:
            DatabaseUnavailableError: The database failed.
        """
        batch = new_id()
        async with self._database.write_transaction() as connection:
            row = {"id": batch, "touched_at": utc_now()}
            await connection.execute(insert(pending_batches), row)
        try:
            yield batch
            async with self._database.write_transaction() as connection:
                query = delete(pending_batches).where(pending_batches.c.id == batch)
                _check_found((await connection.execute(query)).rowcount)
        except BaseException:
            # Completed also if this task is cancelled once more.
            await asyncio.shield(asyncio.create_task(self._discard_failed(batch)))
            raise

    async def insert(self, batch: str, into: Table, rows: list[Row]) -> None:
        """Insert rows in the form of `COLUMNS`, then leave the database to others for a while."""
        started_at = time.monotonic()
        if into is conversations:
            rows = [row | {"batch": batch} for row in rows]
        async with self._database.write_transaction() as connection:
            query = update(pending_batches).where(pending_batches.c.id == batch)
            touched = await connection.execute(query.values(touched_at=utc_now()))
            _check_found(touched.rowcount)
            await connection.execute(insert(STORED[into]), rows)
            if into is messages:
                await add_references(connection, rows)
        await _pause(started_at)

    async def discard(self, batch: str) -> None:
        """Delete the conversations of a pending batch, and the batch."""
        in_batch = select(conversations.c.id).where(conversations.c.batch == batch)
        is_done = False
        while not is_done:
            started_at = time.monotonic()
            async with self._database.write_transaction() as connection:
                query = in_batch.limit(_DELETED_CONVERSATIONS)
                ids = (await connection.execute(query)).scalars().all()
                # The last first: a message is referred to by its replies.
                last = select(messages.c.number).where(messages.c.conversation.in_(ids))
                last = last.order_by(messages.c.number.desc()).limit(_DELETED_ROWS)
                deleted = await connection.execute(
                    delete(messages).where(messages.c.number.in_(last.scalar_subquery()))
                )
                if not deleted.rowcount:
                    await connection.execute(
                        delete(conversations).where(conversations.c.id.in_(ids))
                    )
                if is_done := not ids:
                    await connection.execute(
                        delete(pending_batches).where(pending_batches.c.id == batch)
                    )
            await _pause(started_at)
        self._database.messages_deleted.set()

    async def update(
        self, ids: Sequence[str], condition: ColumnElement[bool], values: dict[str, Any]
    ) -> int:
        """Set columns of those conversations that meet a condition; return how many they are."""
        updated = 0
        for start in range(0, len(ids), _UPDATED_CONVERSATIONS):
            started_at = time.monotonic()
            are_these = conversations.c.id.in_(ids[start : start + _UPDATED_CONVERSATIONS])
            query = update(conversations).where(are_these, condition).values(values)
            async with self._database.write_transaction() as connection:
                updated += (await connection.execute(query)).rowcount
            await _pause(started_at)
        return updated

    async def hide(
        self, connection: AsyncConnection, ids: Sequence[str], *, is_abandoned: bool = False
    ) -> str:
        """Make conversations a pending batch, so that `discard` deletes them; return the batch.

        If it `is_abandoned`, `discard_abandoned` does.
        """
        touched_at = utc_now() - (2 * ABANDONED_AFTER if is_abandoned else timedelta())
        row = {"id": new_id(), "touched_at": touched_at}
        await connection.execute(insert(pending_batches), row)
        query = update(conversations).where(conversations.c.id.in_(ids))
        await connection.execute(query.values(batch=row["id"]))
        return str(row["id"])

    async def discard_abandoned(self) -> None:
        """Delete what was left by processes that ended in the middle of a batch."""
        query = select(pending_batches.c.id)
        query = query.where(pending_batches.c.touched_at < utc_now() - ABANDONED_AFTER)
        async with self._database.read_transaction() as connection:
            abandoned = (await connection.execute(query)).scalars().all()
        for batch in abandoned:
            await self.discard(batch)

    async def _discard_failed(self, batch: str) -> None:
        try:
            await self.discard(batch)
        except DatabaseUnavailableError:
            logger.error("A batch of conversations is left, and deleted later.")  # noqa: TRY400


async def _pause(started_at: float) -> None:
    """Let others write who look for their turn now and then, as SQLite does."""
    await asyncio.sleep((time.monotonic() - started_at) / 2)


def _check_found(count: int) -> None:
    """Check that a batch is still pending.

    Raises:
        DatabaseUnavailableError: Another process took it for abandoned.
    """
    if not count:
        raise DatabaseUnavailableError("Writing to the database took too long. Try again.")
