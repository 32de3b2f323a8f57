"""Fixtures of the backend's tests: a migrated database in SQLite and in Postgres."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.database.database import Database, open_database
from backend.settings import Settings
from tests.support.certificates import no_certificates
from tests.support.requests import MODEL_ID

__all__ = ["no_certificates"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def database_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings for each kind of database."""
    if request.param == "sqlite":
        return Settings(model_id=MODEL_ID, data_dir=tmp_path)
    return Settings(model_id=MODEL_ID, database_url=request.getfixturevalue("postgres"))


@pytest.fixture
async def database(database_settings: Settings) -> AsyncIterator[Database]:
    async with open_database(database_settings) as database:
        yield database
