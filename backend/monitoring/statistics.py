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
from backend.errors import StoreUnavailableError

ANSWERS = 50
# Ours have 400 and the model's id twice; one that was imported may have megabytes.
RECEIPT_CHARACTERS = 4000
_CLOSING_SECONDS = 1.0


@dataclass(frozen=True)
class Ended:
    """An answer that was finished, and its receipt as it was stored."""

    model: str | None
    ended_at: datetime
    receipt: dict[str, Any] | None


@dataclass(frozen=True)
class Counted:
    """What was found; `size_bytes` is None where the database is no file of ours."""

    size_bytes: int | None
    conversations: int
    messages: int
    answers: list[Ended]  # newest first


class Figures:
    """Looks at the whole database; all who want to know wait for one look."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.kind = database.kind
        self.place = database.place
        self._looking: asyncio.Task[Counted] | None = None

    async def counted(self, within_seconds: float) -> Counted:
        """Count.

        A look that takes longer goes on for those who ask later: to break it off could take as
        long again, and to begin another each time would take all connections.

        Raises:
            StoreUnavailableError: the database is not to be had within that time.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            async with asyncio.timeout(within_seconds):
                return await asyncio.shield(self._looking)
        except TimeoutError:
            raise StoreUnavailableError("The database is busy. Try again in a moment.") from None

    async def close(self) -> None:
        if self._looking is not None and self._looking.cancel():
            await asyncio.wait([self._looking], timeout=_CLOSING_SECONDS)

    async def _look(self) -> Counted:
        receipt = messages.c.receipt
        short = case((func.length(receipt) <= RECEIPT_CHARACTERS, receipt))
        query = (
            select(messages.c.model, messages.c.updated_at, short)
            .where(messages.c.state == "finished", receipt.is_not(None))
            .order_by(messages.c.updated_at.desc(), messages.c.number.desc())
            .limit(ANSWERS)
        )
        counts = [select(func.count()).select_from(table) for table in (conversations, messages)]
        async with self._database.reading() as connection:
            kept = [(await connection.execute(count)).scalar_one() for count in counts]
            answers = [Ended(*row) for row in await connection.execute(query)]
        file = self._database.file
        size = await asyncio.to_thread(_size, file) if file else None
        return Counted(size, kept[0], kept[1], answers)


def _size(file: Path) -> int | None:
    """Give the bytes of a database, with what is written ahead of it; None where it is no file."""
    found = None
    for part in (file, file.with_name(f"{file.name}-wal")):
        with suppress(OSError):
            found = (found or 0) + part.stat().st_size
    return found
