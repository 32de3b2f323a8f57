"""Store presets, which are named sets of sampling parameters."""

from typing import Any

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.database import Database
from backend.database.tables import presets
from backend.database.types import utc_now
from backend.errors import InvalidRequestError, PresetNotFoundError

MAX_PRESETS = 100  # more would not be usable as a list to choose from


class Preset(BaseModel):
    name: str
    parameters: dict[str, Any]
    updated_at: AwareDatetime


class PresetRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_all(self) -> list[Preset]:
        """Return all presets, sorted by name in code point order, whatever the collation."""
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(select(presets))).mappings()
            stored = [Preset.model_validate(row) for row in rows]
        return sorted(stored, key=lambda preset: preset.name)

    async def upsert(self, name: str, parameters: dict[str, Any]) -> Preset:
        """Store a preset, replacing one of the same name.

        Raises:
            InvalidRequestError: The limit of `MAX_PRESETS` is reached.
        """
        preset = Preset(name=name, parameters=parameters, updated_at=utc_now())
        query = update(presets).where(presets.c.name == name).values(preset.model_dump())
        async with self._database.write_transaction() as connection:
            await _lock_table(connection)
            if (await connection.execute(query)).rowcount == 0:
                await _check_limit(connection)
                await connection.execute(insert(presets), preset.model_dump())
        return preset

    async def delete(self, name: str) -> None:
        """Delete a preset.

        Raises:
            PresetNotFoundError: No preset has this name.
        """
        async with self._database.write_transaction() as connection:
            result = await connection.execute(delete(presets).where(presets.c.name == name))
            if result.rowcount == 0:
                raise PresetNotFoundError("Preset not found. GET /presets lists all presets.")


async def _lock_table(connection: AsyncConnection) -> None:
    """Block other writers, so that concurrent inserts cannot exceed the limit.

    SQLite allows only one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text("LOCK TABLE presets IN SHARE ROW EXCLUSIVE MODE"))


async def _check_limit(connection: AsyncConnection) -> None:
    count = (await connection.execute(select(func.count()).select_from(presets))).scalar_one()
    if count >= MAX_PRESETS:
        raise InvalidRequestError(
            f"The limit of {MAX_PRESETS} presets is reached. Delete or replace one.", param="name"
        )
