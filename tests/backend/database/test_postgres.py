"""Connections to Postgres: readers and writers do not wait for each other, nor for ever."""

from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from backend.database.database import open_database
from backend.settings import Settings
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio


async def test_readers_have_connections_that_writers_do_not_take(postgres: str) -> None:
    settings = Settings(model_id=MODEL_ID, database_url=SecretStr(postgres))
    async with open_database(settings) as database, AsyncExitStack() as writers:
        for _ in range(8):
            connection = await writers.enter_async_context(database.write_transaction())
            assert (await connection.execute(text("SHOW lock_timeout"))).scalar() == "30s"
        async with database.read_transaction() as connection:
            assert (await connection.execute(text("SHOW lock_timeout"))).scalar() == "30s"
            isolation = await connection.execute(text("SHOW transaction_isolation"))
            assert isolation.scalar() == "repeatable read"
