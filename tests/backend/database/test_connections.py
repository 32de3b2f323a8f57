"""Connections are closed whenever their task is cancelled, and before the database is."""

import asyncio
import gc
import os
import shutil
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.database import FILE_NAME, Database, open_database
from backend.errors import DatabaseUnavailableError
from backend.settings import Settings
from tests.support.requests import MODEL_ID
from tests.support.waiting import wait_until

Transaction = Callable[[Database], AbstractAsyncContextManager[AsyncConnection]]
TRANSACTIONS = [Database.read_transaction, Database.write_transaction]


def open_files(path: Path) -> int:
    """Return how often this process has the file open."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(os.path.realpath(link) == str(path) for link in links)


def has_database_threads() -> bool:
    return any("_connection_worker" in thread.name for thread in threading.enumerate())


async def run_transaction(database: Database, transaction: Transaction) -> None:
    async with transaction(database) as connection:
        await connection.execute(text("SELECT 1"))
        await connection.execute(text("SELECT 2"))


async def cancel_after(
    folder: Path, transaction: Transaction, turns: int, *, is_awaited: bool
) -> None:
    """Cancel transactions after some turns of the event loop, then close the database.

    The first uses the connection that is open, the second opens another one.
    """
    async with open_database(Settings(model_id=MODEL_ID, data_dir=folder)) as database:
        tasks = [asyncio.create_task(run_transaction(database, transaction)) for _ in range(2)]
        for turn in range(turns):
            await asyncio.sleep(0.001 if turn % 5 == 4 else 0)  # the connections' threads work
        for task in tasks:
            task.cancel()
        if is_awaited:
            await asyncio.wait(tasks)


@pytest.mark.parametrize("is_awaited", [True, False])
@pytest.mark.parametrize("transaction", TRANSACTIONS)
def test_no_connection_is_left_to_the_garbage_collector(
    migrated_database: Path, tmp_path: Path, transaction: Transaction, *, is_awaited: bool
) -> None:
    shutil.copy(migrated_database, tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for turns in range(0, 40, 2):
            asyncio.run(cancel_after(tmp_path, transaction, turns, is_awaited=is_awaited))
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    wait_until(lambda: not has_database_threads())
    assert open_files(tmp_path / FILE_NAME) == 0


@pytest.mark.anyio
async def test_cancelled_writer_releases_its_lock(data_dir: Path) -> None:
    async with open_database(Settings(model_id=MODEL_ID, data_dir=data_dir)) as database:
        for turns in range(20):
            task = asyncio.create_task(run_transaction(database, Database.write_transaction))
            for _ in range(turns):
                await asyncio.sleep(0.0002)
            task.cancel()
            async with asyncio.timeout(5):
                await run_transaction(database, Database.write_transaction)


@pytest.mark.anyio
async def test_closing_waits_for_transactions_and_refuses_more(data_dir: Path) -> None:
    steps = []

    async def write(database: Database) -> None:
        async with database.write_transaction() as connection:
            steps.append("begun")
            await asyncio.sleep(0.2)
            await connection.execute(text("INSERT INTO presets VALUES ('p', '{}', 1)"))
            with pytest.raises(DatabaseUnavailableError, match="shutting down"):
                await run_transaction(database, Database.read_transaction)
        steps.append("written")

    settings = Settings(model_id=MODEL_ID, data_dir=data_dir)
    async with open_database(settings) as database:
        task = asyncio.create_task(write(database))
        await asyncio.sleep(0.1)
    assert steps == ["begun", "written"]
    await task
    async with open_database(settings) as database, database.read_transaction() as connection:
        assert (await connection.execute(text("SELECT name FROM presets"))).scalar() == "p"


@pytest.mark.anyio
async def test_cancelled_task_does_not_wait_for_its_connection(data_dir: Path) -> None:
    async with open_database(Settings(model_id=MODEL_ID, data_dir=data_dir)) as database:
        task = asyncio.create_task(run_transaction(database, Database.read_transaction))
        await asyncio.sleep(0)
        started_at = time.monotonic()
        task.cancel()
        await asyncio.wait([task])
        assert time.monotonic() - started_at < 0.5
        await run_transaction(database, Database.write_transaction)


@pytest.mark.anyio
async def test_file_that_is_not_a_database_leaves_no_connection(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"Something else entirely. " * 100)
    with pytest.raises(SystemExit, match="SMOLCHAT_DATA_DIR"):
        async with open_database(Settings(model_id=MODEL_ID, data_dir=tmp_path)):
            pass
    wait_until(lambda: not has_database_threads())
    assert open_files(tmp_path / FILE_NAME) == 0
