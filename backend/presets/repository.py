"""Named sets of sampling parameters, as they are kept."""

from typing import Any

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.database import Database
from backend.database.tables import presets
from backend.database.types import utc_now
from backend.errors import InvalidRequestError, PresetNotFoundError

MAX_PRESETS = 100  # a list that a person chooses from


class Preset(BaseModel):
    """Sampling parameters under a name."""

    name: str
    parameters: dict[str, Any]
    updated_at: AwareDatetime


class PresetRepository:
    """The presets of this database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_all(self) -> list[Preset]:
        """List them by name, in whatever order the database sorts its texts."""
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(select(presets))).mappings()
            found = [Preset.model_validate(row) for row in rows]
        return sorted(found, key=lambda preset: preset.name)

    async def upsert(self, name: str, parameters: dict[str, Any]) -> Preset:
        """Keep parameters under a name, in place of those that were kept under it.

        Raises:
            InvalidRequestError: there are as many as there may be.
        """
        kept = Preset(name=name, parameters=parameters, updated_at=utc_now())
        query = update(presets).where(presets.c.name == name).values(kept.model_dump())
        async with self._database.write_transaction() as connection:
            await _lock_table(connection)
            if (await connection.execute(query)).rowcount == 0:
                await _check_limit(connection)
                await connection.execute(insert(presets), kept.model_dump())
        return kept

    async def delete(self, name: str) -> None:
        """Forget a preset.

        Raises:
            PresetNotFoundError: there is none of this name.
        """
        async with self._database.write_transaction() as connection:
            gone = await connection.execute(delete(presets).where(presets.c.name == name))
            if gone.rowcount == 0:
                raise PresetNotFoundError(
                    "There is no preset of this name; GET /presets lists all."
                )


async def _lock_table(connection: AsyncConnection) -> None:
    """Wait until nobody else writes presets: of two that add the last one, one is too many.

    SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text("LOCK TABLE presets IN SHARE ROW EXCLUSIVE MODE"))


async def _check_limit(connection: AsyncConnection) -> None:
    count = (await connection.execute(select(func.count()).select_from(presets))).scalar_one()
    if count >= MAX_PRESETS:
        raise InvalidRequestError(
            f"There are {MAX_PRESETS} presets already. Delete one, or replace one.", param="name"
        )
