"""The database: opened, migrated, and closed; its errors turned into ours."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from backend.errors import DatabaseUnavailableError
from backend.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
FILE_NAME = "smolchat.db"
BUSY_TIMEOUT_SECONDS = 30  # how long one writer may wait for another
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
_MIGRATION_LOCK = 6_027_315  # the number of a lock, for several that start at once

logger = logging.getLogger(__name__)


class Database:
    """Gives transactions: many that read, and in SQLite one after the other that write."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        is_sqlite = engine.dialect.name == "sqlite"
        snapshot = {"reads": True} if is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._reader = engine.execution_options(**snapshot)
        self.dialect = engine.dialect.name
        self.location = database_location(engine.url)
        self.file = Path(self.location) if is_sqlite and self.location != ":memory:" else None

    @asynccontextmanager
    async def read_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Look at the database as it is at one moment.

        Raises:
            StoreUnavailableError: the database is not to be had.
        """
        with _map_errors():
            async with self._reader.begin() as connection:
                yield connection

    @asynccontextmanager
    async def write_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Change the database, wholly or not at all.

        Raises:
            StoreUnavailableError: the database is not to be had, or does not take it.
        """
        with _map_errors():
            async with self._engine.begin() as connection:
                yield connection


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database for the life of the process, with this version's tables.

    Raises:
        SystemExit: it cannot be had; the message names the setting.
    """
    engine = _engine(settings)
    try:
        with _startup_errors(settings):
            async with engine.begin() as connection:
                await connection.run_sync(_migrate)
        yield Database(engine)
    finally:
        await engine.dispose()


def _engine(settings: Settings) -> AsyncEngine:
    told = settings.database_url.get_secret_value()
    with _startup_errors(settings):
        if not told:
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            return _sqlite(f"sqlite+aiosqlite:///{settings.data_dir / FILE_NAME}")
        url = make_url(told)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        if url.get_backend_name() == "sqlite":
            return _sqlite(url.render_as_string(hide_password=False))
        return create_async_engine(url, pool_pre_ping=True, hide_parameters=True)


def database_location(url: URL) -> str:
    """Say where a database is, without who is let in: the file, or the host and the name."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    # A host may stand behind the ?, and an unquoted @ in a password would be taken for its end.
    host = url.host or url.query.get("host", "localhost")
    host = host if isinstance(host, str) else ",".join(host)
    port = f":{url.port}" if url.port else ""
    return f"{host.rpartition('@')[2]}{port}/{url.database or ''}"


def _sqlite(url: str) -> AsyncEngine:
    engine = create_async_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS}, hide_parameters=True
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        # SQLite's own knows ASCII only.
        connection.create_function("lower", 1, str.lower, deterministic=True)
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer that began as a reader would fail where another was quicker, and not wait.
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _map_errors() -> Iterator[None]:
    """Turn the database's errors into ours."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        logger.error("The database failed: %s", error)  # noqa: TRY400  # its words, no stack
        raise DatabaseUnavailableError(
            "The conversations cannot be read or written now; the API's log says why. Try again."
        ) from error


@contextmanager
def _startup_errors(settings: Settings) -> Iterator[None]:
    """End the program with a line that says what to do."""
    place = "SMOLCHAT_DATABASE_URL"
    if not settings.database_url.get_secret_value():
        place = f"SMOLCHAT_DATA_DIR ({settings.data_dir})"
    try:
        yield
    except CommandError:
        raise SystemExit(
            f"The conversations in {place} were kept by a newer SmolChat. Update this one."
        ) from None
    except (DBAPIError, OSError) as error:
        why = error.orig if isinstance(error, DBAPIError) else error
        raise SystemExit(f"The conversations cannot be kept in {place}: {why}.") from None
    except (ImportError, NoSuchModuleError) as error:
        raise SystemExit(
            f"{place} wants a driver that is not here ({error}). For Postgres: "
            "pip install 'smolchat[postgres]'."
        ) from None
