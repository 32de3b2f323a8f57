"""Count what the database holds outside the trash, and collect receipts of recent answers."""

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
# Our own receipts have about 400 besides the model's id; an imported one may have megabytes.
MAX_RECEIPT_CHARACTERS = 4000
_CLOSE_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True)
class FinishedAnswer:
    """A finished answer with its receipt as stored."""

    model: str | None
    ended_at: datetime
    receipt: dict[str, Any] | None


@dataclass(frozen=True)
class Statistics:
    """Counts and recent answers; `size_bytes` is None if the database is not a local file."""

    size_bytes: int | None
    conversations: int
    messages: int
    answers: list[FinishedAnswer]  # newest first


class DatabaseStatistics:
    """Runs one statistics query at a time, shared by all concurrent callers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.dialect = database.dialect
        self.location = database.location
        self._query_task: asyncio.Task[Statistics] | None = None

    async def collect(self, within_seconds: float) -> Statistics:
        """Return the statistics.

        A query that takes longer keeps running, and later callers wait for its result: cancelling
        it could block as long again, and one query per caller would exhaust the connections.

        Raises:
            DatabaseUnavailableError: The database failed or did not respond in time.
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
            await asyncio.wait([self._query_task], timeout=_CLOSE_TIMEOUT_SECONDS)

    async def _query(self) -> Statistics:
        receipt = messages.c.receipt
        short_receipt = case((func.length(receipt) <= MAX_RECEIPT_CHARACTERS, receipt))
        query = (
            select(messages.c.model, messages.c.updated_at, short_receipt)
            .where(messages.c.state == "finished", receipt.is_not(None))
            .order_by(messages.c.updated_at.desc(), messages.c.number.desc())
            .limit(MAX_RECENT_ANSWERS)
        )
        deleted = select(conversations.c.id).where(conversations.c.deleted_at.is_not(None))
        count_queries = [
            select(func.count()).select_from(table).where(column.not_in(deleted))
            for table, column in (
                (conversations, conversations.c.id),
                (messages, messages.c.conversation),
            )
        ]
        async with self._database.read_transaction() as connection:
            counts = [(await connection.execute(count)).scalar_one() for count in count_queries]
            answers = [FinishedAnswer(*row) for row in await connection.execute(query)]
        file = self._database.file
        return Statistics(
            size_bytes=await asyncio.to_thread(_file_size, file) if file else None,
            conversations=counts[0],
            messages=counts[1],
            answers=answers,
        )


def _file_size(file: Path) -> int | None:
    """Return the bytes of a SQLite file and its write-ahead log, or None if there is no file."""
    size = None
    for path in (file, file.with_name(f"{file.name}-wal")):
        with suppress(OSError):
            size = (size or 0) + path.stat().st_size
    return size
