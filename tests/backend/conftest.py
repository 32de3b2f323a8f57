"""A migrated database in SQLite, and in Postgres if it is installed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.database.database import Database, open_database
from backend.settings import Settings
from tests.support.requests import MODEL_ID


@pytest.fixture(params=["sqlite", "postgres"])
def database_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings for each kind of database."""
    if request.param == "sqlite":
        return Settings(model_id=MODEL_ID, data_dir=tmp_path)
    return Settings(model_id=MODEL_ID, database_url=request.getfixturevalue("postgres"))


@pytest.fixture
async def database(database_settings: Settings) -> AsyncIterator[Database]:
    async with open_database(database_settings) as database:
        yield database
