"""SQLite's files and connections: who may read them, how long they get, who waits for whom."""

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, event

from backend.conversations.conversation import Conversation, Message
from backend.conversations.listing import ConversationLists, ListFilter
from backend.conversations.repository import ConversationRepository
from backend.conversations.search import ConversationSearch
from backend.conversations.trash import Trash
from backend.database.database import FILE_NAME, open_database
from backend.database.sqlite import LogLimiter, log_file
from backend.database.types import utc_now
from backend.settings import Settings
from tests.support.conversations import read_conversation, store_conversation
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """The usual umask, with which other users may read new files."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def settings_for(folder: Path) -> Settings:
    return Settings(model_id=MODEL_ID, data_dir=folder)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_new_database_files_are_private(tmp_path: Path) -> None:
    by_url = tmp_path / "by_url"
    by_url.mkdir()
    url_settings = Settings(model_id=MODEL_ID, database_url=SecretStr(f"sqlite:///{by_url}/x.db"))
    for settings in (settings_for(tmp_path / "data"), url_settings):
        async with open_database(settings) as database:
            await store_conversation(ConversationRepository(database), Conversation())
            assert database.file is not None
            name = database.file.name
            names = [name, f"{name}-wal", f"{name}-shm"]
            assert modes(database.file.parent) == dict.fromkeys(names, 0o600)


async def test_only_the_default_file_is_made_private_later(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = data_dir / FILE_NAME
    file.chmod(0o664)
    shared = Settings(model_id=MODEL_ID, database_url=SecretStr(f"sqlite:///{file}"))
    async with open_database(shared) as database:
        await store_conversation(ConversationRepository(database), Conversation())
    assert modes(data_dir)[FILE_NAME] == 0o664
    with caplog.at_level(logging.WARNING):
        async with open_database(settings_for(data_dir)):
            assert set(modes(data_dir).values()) == {0o600}
    assert "was readable by other users" in caplog.text


async def test_closed_database_is_one_file(data_dir: Path) -> None:
    async with open_database(settings_for(data_dir)) as database:
        await store_conversation(ConversationRepository(database), Conversation())
        async with database.write_transaction() as connection:
            limit = await connection.exec_driver_sql("PRAGMA journal_size_limit")
            assert 0 < limit.scalar_one() <= 64 * 1024 * 1024
    assert modes(data_dir) == {FILE_NAME: 0o600}


async def test_long_log_is_shortened_when_its_readers_have_ended(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = data_dir / FILE_NAME
    with closing(sqlite3.connect(file)) as reader, closing(sqlite3.connect(file)) as writer:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM presets").fetchall()
        writer.execute("INSERT INTO presets VALUES ('p', ?, 1)", ["x" * 1_000_000])
        writer.commit()
        unlimited = LogLimiter(file)
        unlimited.check()
        await unlimited.close()
        assert log_file(file).stat().st_size > 1_000_000
        for _ in range(2):
            limiter = LogLimiter(file, max_bytes=500_000, interval_seconds=0)
            limiter.check()
            await limiter.close()
            if reader.in_transaction:
                assert log_file(file).stat().st_size > 1_000_000
                assert "a program keeps reading it" in caplog.text
                reader.rollback()
        assert log_file(file).stat().st_size == 0
        assert writer.execute("SELECT length(parameters) FROM presets").fetchone() == (1_000_000,)


async def test_readers_do_not_wait_for_writers_of_a_locked_database(data_dir: Path) -> None:
    async with open_database(settings_for(data_dir)) as database:
        repository = ConversationRepository(database)
        lock = sqlite3.connect(data_dir / FILE_NAME, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        writes = [
            asyncio.create_task(store_conversation(repository, Conversation(title=str(number))))
            for number in range(30)
        ]
        await asyncio.sleep(0.1)
        started_at = time.monotonic()
        assert [await ConversationLists(database).page(10) for _ in range(20)] == [[]] * 20
        assert time.monotonic() - started_at < 5
        assert not any(write.done() for write in writes)
        lock.close()
        await asyncio.gather(*writes)
        titles = [summary.title for summary in await ConversationLists(database).page(50)]
        assert sorted(titles, key=int) == [str(number) for number in range(30)]


async def test_queries_of_lists_pages_and_deletes_use_indexes(data_dir: Path) -> None:
    statements: list[tuple[str, tuple[Any, ...]]] = []

    @event.listens_for(Engine, "before_cursor_execute")
    def record(*arguments: Any) -> None:
        _connection, _cursor, statement, parameters, *_ = arguments
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            statements.append((statement, parameters))

    settings = settings_for(data_dir)
    async with open_database(settings) as database:
        repository = ConversationRepository(database)
        messages = [Message(role="user"), Message(role="assistant", content="Hi")]
        messages[1].parent = messages[0].id
        ids = [
            (await store_conversation(repository, Conversation(messages=messages))).id
            for _ in range(3)
        ]
        first, second, _ = await ConversationLists(database).page(10)
        await ConversationLists(database).page(10, after=first.id)
        for listed in (
            ListFilter(folder="Work"),
            ListFilter(pinned=False),
            ListFilter(deleted_after=utc_now()),
        ):
            await ConversationLists(database).page(10, listed)
        await Trash(database, 1).purge()
        await ConversationSearch(database, settings).list_page("hi", 10, after=second.id)
        await repository.update_answer(messages[1].id, {"content": "Hello"})
        root = (await read_conversation(repository, ids[0])).messages[0].id
        await repository.delete_message(ids[0], root)
        await repository.delete(ids[1])
    event.remove(Engine, "before_cursor_execute", record)
    with closing(sqlite3.connect(data_dir / FILE_NAME)) as connection:
        for statement, parameters in statements:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            for *_, step in plan:
                is_scan = step.startswith(("SCAN messages", "SCAN conversations"))
                assert not is_scan or " INDEX " in step, (statement, step)
    assert len(statements) > 10
