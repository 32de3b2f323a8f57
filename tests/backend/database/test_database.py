"""Opening and migrating the database, and its errors."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine

from backend.conversations.conversation import Conversation, Message
from backend.conversations.repository import ConversationRepository
from backend.database.database import FILE_NAME, MIGRATIONS, open_database
from backend.database.tables import metadata
from backend.errors import DatabaseUnavailableError
from backend.monitoring.statistics import DatabaseStatistics
from backend.presets.repository import PresetRepository
from backend.settings import Settings
from tests.support.conversations import read_conversation, store_conversation
from tests.support.requests import MODEL_ID
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio


def sqlite_settings(folder: Path) -> Settings:
    return Settings(model_id=MODEL_ID, data_dir=folder)


def create_sync_engine(settings: Settings) -> Engine:
    url = settings.database_url.get_secret_value() or f"sqlite:///{settings.data_dir / FILE_NAME}"
    return create_engine(url.replace("postgres:", "postgresql+psycopg:"))


def migrate(settings: Settings, revision: str) -> None:
    """Upgrade or downgrade a database to a revision."""
    engine = create_sync_engine(settings)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        current = MigrationContext.configure(connection).get_current_revision()
        is_newer = current is not None and current > revision
        (command.downgrade if is_newer else command.upgrade)(config, revision)
    engine.dispose()


def wait_for_database_threads() -> None:
    """Wait for aiosqlite's thread to report its failure: it would fail again on a closed loop."""
    wait_until(
        lambda: not any("_connection_worker" in thread.name for thread in threading.enumerate())
    )


def is_declared(name: str | None, kind: str, _parents: object) -> bool:
    """Return False for the index of words, which is a virtual table in SQLite."""
    return kind != "table" or not (name or "").startswith("passage_words")


async def test_migrations_create_the_declared_tables(database_settings: Settings) -> None:
    async with open_database(database_settings):
        pass
    engine = create_sync_engine(database_settings)
    with engine.connect() as connection:
        options = {"compare_type": False, "include_name": is_declared}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_migration_from_the_first_version_loses_nothing(database_settings: Settings) -> None:
    conversation = Conversation(
        title="T", messages=[Message(role="user", content="Grüße"), Message(role="assistant")]
    )
    async with open_database(database_settings) as database:
        before = await store_conversation(ConversationRepository(database), conversation)
        await PresetRepository(database).upsert("mine", {})
    migrate(database_settings, "0001")
    async with open_database(database_settings) as database:
        repository = ConversationRepository(database)
        assert await read_conversation(repository, before.id) == before
        presets = PresetRepository(database)
        assert await presets.list_all() == []  # the first version had no presets
        await presets.upsert("mine", {"top_k": 1})
        await repository.delete(before.id)
        await presets.delete("mine")


async def test_file_of_the_first_version_is_migrated(tmp_path: Path) -> None:
    migrate(sqlite_settings(tmp_path), "0001")
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("INSERT INTO conversations VALUES ('c', 'T', NULL, NULL, NULL, 'a', 1, 2)")
    message = "INSERT INTO messages (id, conversation, parent, role, content, state, receipt, "
    message += "created_at, updated_at) VALUES (?, 'c', ?, ?, 'Hi', ?, ?, 1, 2)"
    connection.execute(message, ("q", None, "user", None, None))
    connection.execute(message, ("a", "q", "assistant", "finished", '{"total_ms": 1.5}'))
    connection.commit()
    connection.close()
    async with open_database(sqlite_settings(tmp_path)) as database:
        messages = (await read_conversation(ConversationRepository(database), "c")).messages
        assert [(message.id, message.parent) for message in messages] == [("q", None), ("a", "q")]
        statistics = await DatabaseStatistics(database).collect(5)
        assert [answer.receipt for answer in statistics.answers] == [{"total_ms": 1.5}]


async def test_concurrent_starts_do_not_conflict(database_settings: Settings) -> None:
    async def start() -> None:
        async with open_database(database_settings) as database:
            repository = ConversationRepository(database)
            conversation = await store_conversation(repository, Conversation())
            await repository.delete(conversation.id)

    await asyncio.gather(*(start() for _ in range(3)))


async def test_data_folder_is_private_and_the_journal_is_a_write_ahead_log(tmp_path: Path) -> None:
    folder = tmp_path / "new %s" / "data"
    async with open_database(sqlite_settings(folder)) as database:
        await store_conversation(ConversationRepository(database), Conversation())
        assert folder.stat().st_mode & 0o777 == 0o700
        connection = sqlite3.connect(folder / FILE_NAME)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


async def test_newer_database_is_refused(tmp_path: Path) -> None:
    async with open_database(sqlite_settings(tmp_path)):
        pass
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(SystemExit, match="newer version of SmolChat"):
        async with open_database(sqlite_settings(tmp_path)):
            pass


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"data_dir": "/proc/nothing"},
            r"Cannot open the database in SMOLCHAT_DATA_DIR \(/proc/nothing\)",
        ),
        ({"database_url": "sqlite:////proc/none/x.db"}, "SMOLCHAT_DATABASE_URL: unable to open"),
        (
            {"database_url": "postgresql+nothing://host/x"},
            "SMOLCHAT_DATABASE_URL needs a database driver",
        ),
    ],
)
async def test_open_error_names_the_setting(settings: dict[str, str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        async with open_database(Settings.model_validate({"model_id": MODEL_ID} | settings)):
            pass
    wait_for_database_threads()


async def test_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"Something else entirely. " * 100)
    with pytest.raises(SystemExit, match="SMOLCHAT_DATA_DIR"):
        async with open_database(sqlite_settings(tmp_path)):
            pass
    wait_for_database_threads()


async def test_database_failure_raises_database_unavailable(tmp_path: Path) -> None:
    async with open_database(sqlite_settings(tmp_path)) as database:
        repository = ConversationRepository(database)
        connection = sqlite3.connect(tmp_path / FILE_NAME)
        connection.execute("DROP TABLE messages")
        connection.close()
        conversation = Conversation()
        await repository.insert(conversation)
        with pytest.raises(DatabaseUnavailableError, match="log has the details"):
            await read_conversation(repository, conversation.id)
