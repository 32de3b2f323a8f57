"""Statements need the connection's thread once, and what SQLAlchemy reads of them is there."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from backend.database.database import Database
from backend.database.sqlite import sqlite_engines

pytestmark = pytest.mark.anyio


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    readers, writers = sqlite_engines(URL.create("sqlite+aiosqlite", database=str(tmp_path / "a")))
    async with writers.begin() as connection:
        await connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
    yield writers
    await writers.dispose()
    await readers.dispose()


async def test_rows_counts_and_ids_of_statements(engine: AsyncEngine) -> None:
    insert = text("INSERT INTO t(name) VALUES (:name)")
    async with engine.begin() as connection:
        await connection.execute(insert, [{"name": "a"}, {"name": "b"}])
        assert (await connection.execute(insert, {"name": "c"})).lastrowid == 3
        assert (await connection.execute(text("UPDATE t SET name = name || id"))).rowcount == 3
        rows = (await connection.execute(text("SELECT * FROM t ORDER BY id"))).mappings().all()
    assert [dict(row) for row in rows] == [
        {"id": n, "name": f"{c}{n}"} for n, c in ((1, "a"), (2, "b"), (3, "c"))
    ]


async def test_failed_statement_is_an_error_and_is_rolled_back(engine: AsyncEngine) -> None:
    insert = text("INSERT INTO t(name) VALUES ('a')")
    with pytest.raises(IntegrityError):
        async with engine.begin() as connection:
            await connection.execute(insert)
            await connection.execute(insert)
    async with engine.begin() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM t"))).scalar_one() == 0


async def test_statement_needs_the_thread_once(
    engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "aiosqlite")
    async with engine.begin() as connection:
        await connection.execute(text("SELECT 1"))
    calls = [record for record in caplog.records if record.message.startswith("executing")]
    assert len(calls) == 3  # BEGIN, the statement, COMMIT


@pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)
async def test_only_durable_transactions_wait_for_the_disk(database: Database) -> None:
    levels = []
    for is_durable in (True, False, True):
        async with database.write_transaction(is_durable=is_durable) as connection:
            levels.append((await connection.execute(text("PRAGMA synchronous"))).scalar_one())
    assert levels == [2, 1, 2]  # FULL, NORMAL, FULL
