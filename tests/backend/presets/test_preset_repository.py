"""The preset repository, in both databases."""

import asyncio

import pytest

from backend.database.database import Database
from backend.errors import InvalidRequestError, PresetNotFoundError
from backend.presets.repository import MAX_PRESETS, PresetRepository


@pytest.mark.anyio
async def test_preset_limit_holds_under_concurrency(database: Database) -> None:
    repository = PresetRepository(database)
    for number in range(MAX_PRESETS - 1):
        await repository.upsert(f"p{number}", {})
    late_inserts = (repository.upsert(f"late {number}", {"top_k": number}) for number in range(5))
    results = await asyncio.gather(*late_inserts, return_exceptions=True)
    assert [type(result) for result in results].count(InvalidRequestError) == 4
    await asyncio.gather(*(repository.upsert("p1", {"top_k": number}) for number in range(5)))
    stored = await repository.list_all()
    assert [preset.name for preset in stored] == sorted(preset.name for preset in stored)
    assert len(stored) == MAX_PRESETS
    for preset in stored:
        await repository.delete(preset.name)
    with pytest.raises(PresetNotFoundError):
        await repository.delete("p1")
