"""How much is kept, and what the last answers cost."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import case, func, select

from backend.database.database import Database
from backend.database.tables import conversations, messages
from backend.errors import DatabaseUnavailableError

MAX_RECENT_ANSWERS = 50
# Ours have 400 and the model's id twice; one that was imported may have megabytes.
RECEIPT_CHARACTERS = 4000
_CLOSING_SECONDS = 1.0


@dataclass(frozen=True)
class FinishedAnswer:
    """An answer that was finished, and its receipt as it was stored."""

    model: str | None
    ended_at: datetime
    receipt: dict[str, Any] | None


@dataclass(frozen=True)
class Statistics:
    """What was found; `size_bytes` is None where the database is no file of ours."""

    size_bytes: int | None
    conversations: int
    messages: int
    answers: list[FinishedAnswer]  # newest first


class DatabaseStatistics:
    """Looks at the whole database; all who want to know wait for one look."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.dialect = database.dialect
        self.location = database.location
        self._query_task: asyncio.Task[Statistics] | None = None

    async def collect(self, within_seconds: float) -> Statistics:
        """Count.

        A look that takes longer goes on for those who ask later: to break it off could take as
        long again, and to begin another each time would take all connections.

        Raises:
            StoreUnavailableError: the database is not to be had within that time.
        """
        if self._query_task is None or self._query_task.done():
            self._query_task = asyncio.create_task(self._query())
            self._query_task.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            async with asyncio.timeout(within_seconds):
                return await asyncio.shield(self._query_task)
        except TimeoutError:
            raise DatabaseUnavailableError("The database is busy. Try again in a moment.") from None

    async def close(self) -> None:
        if self._query_task is not None and self._query_task.cancel():
            await asyncio.wait([self._query_task], timeout=_CLOSING_SECONDS)

    async def _query(self) -> Statistics:
        receipt = messages.c.receipt
        short = case((func.length(receipt) <= RECEIPT_CHARACTERS, receipt))
        query = (
            select(messages.c.model, messages.c.updated_at, short)
            .where(messages.c.state == "finished", receipt.is_not(None))
            .order_by(messages.c.updated_at.desc(), messages.c.number.desc())
            .limit(MAX_RECENT_ANSWERS)
        )
        counts = [select(func.count()).select_from(table) for table in (conversations, messages)]
        async with self._database.read_transaction() as connection:
            kept = [(await connection.execute(count)).scalar_one() for count in counts]
            answers = [FinishedAnswer(*row) for row in await connection.execute(query)]
        file = self._database.file
        size = await asyncio.to_thread(_size, file) if file else None
        return Statistics(size, kept[0], kept[1], answers)


def _size(file: Path) -> int | None:
    """Give the bytes of a database, with what is written ahead of it; None where it is no file."""
    found = None
    for part in (file, file.with_name(f"{file.name}-wal")):
        with suppress(OSError):
            found = (found or 0) + part.stat().st_size
    return found
