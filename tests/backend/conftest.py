"""Fixtures of the backend tests: databases of both kinds, and an API with a short queue."""

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from backend.database.database import Database, open_database
from backend.settings import Settings
from tests.support.api_server import running_api, settings_for
from tests.support.certificates import no_certificates
from tests.support.fake_model_server import FakeModelServer
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
    gc.collect()  # a connection that was left to it fails this test


@pytest.fixture
def narrow_api_url(model_server: FakeModelServer) -> Iterator[str]:
    """An API that runs one request and lets two more wait."""
    with running_api(settings_for(model_server, max_concurrent=1, max_waiting=2)) as url:
        yield url
