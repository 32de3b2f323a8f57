"""Open, migrate and close the database, run transactions, and map its errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, CursorResult, event, make_url, text
from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from backend.database.sqlite import (
    BUSY_TIMEOUT_SECONDS,
    MEMORY,
    LogLimiter,
    make_private,
    sqlite_engines,
)
from backend.database.types import new_id
from backend.errors import DatabaseUnavailableError
from backend.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
FILE_NAME = "smolchat.db"
# Connections to Postgres: separate, so that readers and writers do not wait for each other's.
_POSTGRES_READERS, _POSTGRES_WRITERS = 8, 8
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
_MIGRATION_LOCK = 6_027_315  # advisory lock key, for processes that start at the same time

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class Database:
    """Opens transactions. Readers run in parallel; SQLite runs one writer at a time."""

    def __init__(self, readers: AsyncEngine, writers: AsyncEngine) -> None:
        self._readers, self._writers = readers, writers
        self.process_id = new_id()  # of this process among those that share the database
        # Changes of messages, by their ids, that could not be written yet.
        self.unwritten: dict[str, dict[str, Any]] = {}
        # Set when messages have been deleted: what they leave behind can be deleted, too.
        self.messages_deleted = asyncio.Event()
        self._unclosed = 0  # connections
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self._is_closing = False
        self.dialect = writers.dialect.name
        self.location = database_location(writers.url)
        is_file = self.dialect == "sqlite" and self.location != MEMORY
        self.file = Path(self.location) if is_file else None
        self._log_limiter = LogLimiter(self.file)

    @asynccontextmanager
    async def read_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Read from one consistent snapshot.

        Raises:
            DatabaseUnavailableError: The database failed.
        """
        async with self._transaction(self._readers, {}) as connection:
            yield connection

    @asynccontextmanager
    async def write_transaction(self, *, is_durable: bool = True) -> AsyncIterator[AsyncConnection]:
        """Write, and commit at the end or roll back on an error.

        One that is not durable does not wait for the disk. If the computer loses power, SQLite may
        lose it, and others like it since the last durable one; the end of the process loses none.

        Raises:
            DatabaseUnavailableError: The database failed or rejected a statement.
        """
        options = {} if is_durable else {"synchronous": "NORMAL"}
        async with self._transaction(self._writers, options) as connection:
            yield connection
        self._log_limiter.check()

    async def close(self) -> None:
        """Wait until all transactions have ended, then close the connections.

        Connections that were closed under a running transaction would be left to the garbage
        collector, and their cancelled tasks would wait for ever.
        """
        self._is_closing = True
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_SECONDS + 1):
                await self._all_closed.wait()
        except TimeoutError:
            logger.error("%d transactions did not end", self._unclosed)  # noqa: TRY400
        await self._log_limiter.close()
        await self._readers.dispose()
        await self._writers.dispose()

    @asynccontextmanager
    async def _transaction(
        self, engine: AsyncEngine, options: dict[str, Any]
    ) -> AsyncIterator[AsyncConnection]:
        if self._is_closing:
            raise DatabaseUnavailableError("The database is closed: the API is shutting down.")
        connection = _Connection(engine)
        self._unclosed += 1
        self._all_closed.clear()
        try:
            with _map_errors():
                await connection.run(connection.start_transaction(options))
                yield connection
                await connection.run(connection.commit())
        finally:
            closing = asyncio.create_task(connection.finish())
            closing.add_done_callback(self._count_closed)
            await asyncio.shield(closing)

    def _count_closed(self, closing: asyncio.Task[None]) -> None:
        self._unclosed -= 1
        if not self._unclosed:
            self._all_closed.set()
        if not closing.cancelled() and (error := closing.exception()):
            logger.error("A connection could not be closed: %s", error)


class _Connection(AsyncConnection):
    """A connection that completes its work, and is closed, if its task is cancelled.

    A driver cannot abandon a statement: SQLite would finish it in its thread, and keep the file and
    the lock of a writer until the garbage collector finds the statement.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self._work: asyncio.Future[Any] | None = None

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for `work`; if the caller is cancelled, it is completed all the same."""
        self._work = task = asyncio.ensure_future(work)
        return await asyncio.shield(task)

    async def execute(self, *args: Any, **options: Any) -> CursorResult[Any]:
        return await self.run(super().execute(*args, **options))

    async def start_transaction(self, options: dict[str, Any]) -> None:
        await self.start()
        if options:
            await self.execution_options(**options)
        await self.begin()

    async def finish(self) -> None:
        """Wait for what was started, then close: this rolls back what was not committed."""
        if self._work is not None:
            await asyncio.wait([self._work])
            if not self._work.cancelled():
                self._work.exception()  # retrieved, so that asyncio does not log it
        if self.sync_connection is not None:
            await self.close()


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database, and migrate it to this version's tables.

    Raises:
        SystemExit: It cannot be opened or migrated; the message names the setting.
    """
    readers, writers = _engines(settings)
    database = Database(readers, writers)
    try:
        with _startup_errors(settings):
            async with writers.begin() as connection:
                await connection.run_sync(_migrate)
        yield database
    finally:
        await database.close()


def _engines(settings: Settings) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engines of readers and of writers."""
    database_url = settings.database_url.get_secret_value()
    with _startup_errors(settings):
        if not database_url:
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = settings.data_dir / FILE_NAME
            make_private(file, tighten=True)
            return sqlite_engines(URL.create(_DRIVERS["sqlite"], database=str(file)))
        url = make_url(database_url)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        if url.get_backend_name() != "sqlite":
            return _postgres_engines(url)
        if url.database and url.database != MEMORY and not url.query:
            with suppress(OSError):  # SQLite says why it cannot be opened
                make_private(Path(url.database), tighten=False)
        return sqlite_engines(url)


def _postgres_engines(url: URL) -> tuple[AsyncEngine, AsyncEngine]:
    options: dict[str, Any] = {
        "pool_pre_ping": True,
        "hide_parameters": True,
        "max_overflow": 0,
        "pool_timeout": BUSY_TIMEOUT_SECONDS,
    }
    readers = create_async_engine(
        url, pool_size=_POSTGRES_READERS, isolation_level="REPEATABLE READ", **options
    )
    writers = create_async_engine(url, pool_size=_POSTGRES_WRITERS, **options)
    for engine in (readers, writers):
        event.listen(engine.sync_engine, "connect", _limit_lock_waits)
    return readers, writers


def _limit_lock_waits(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = '{BUSY_TIMEOUT_SECONDS}s'")
    cursor.close()
    connection.commit()


def database_location(url: URL) -> str:
    """Return where a database is, without credentials: the file, or the host and the name."""
    if url.get_backend_name() == "sqlite":
        return url.database or MEMORY
    # The host may be a query parameter, and an unquoted @ in a password ends up in the host.
    host = url.host or url.query.get("host", "localhost")
    host = host if isinstance(host, str) else ",".join(host)
    host = host.rpartition("@")[2]
    if url.port:
        host = f"[{host}]:{url.port}" if ":" in host else f"{host}:{url.port}"
    return f"{host}/{url.database or ''}"


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))  # migrations may take long
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _map_errors() -> Iterator[None]:
    """Log the database's errors and raise DatabaseUnavailableError instead."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        logger.error("The database failed: %s", error)  # noqa: TRY400  # no stack trace
        raise DatabaseUnavailableError(
            "The database is unavailable. Try again; the API's log has the details."
        ) from error


@contextmanager
def _startup_errors(settings: Settings) -> Iterator[None]:
    """Exit with a message that says which setting to change."""
    source = "SMOLCHAT_DATABASE_URL"
    if not settings.database_url.get_secret_value():
        source = f"SMOLCHAT_DATA_DIR ({settings.data_dir})"
    try:
        yield
    except CommandError:
        raise SystemExit(
            f"The database in {source} was created by a newer version of SmolChat. Update SmolChat."
        ) from None
    except (DBAPIError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise SystemExit(f"Cannot open the database in {source}: {cause}.") from None
    except (ImportError, NoSuchModuleError) as error:
        raise SystemExit(
            f"{source} needs a database driver that is not installed ({error}). For Postgres: "
            "pip install 'smolchat[postgres]'."
        ) from None
