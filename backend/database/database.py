"""Open, migrate and close the database, run transactions, and map its errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, CursorResult, event, make_url, text
from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from backend.errors import DatabaseUnavailableError
from backend.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
FILE_NAME = "smolchat.db"
BUSY_TIMEOUT_SECONDS = 30  # how long a SQLite writer waits for another one
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

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        is_sqlite = engine.dialect.name == "sqlite"
        snapshot = {"read_only": True} if is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._reader = engine.execution_options(**snapshot)
        # Changes of messages, by their ids, that could not be written yet.
        self.unwritten: dict[str, dict[str, Any]] = {}
        self._unclosed = 0  # connections
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self._is_closing = False
        self.dialect = engine.dialect.name
        self.location = database_location(engine.url)
        self.file = Path(self.location) if is_sqlite and self.location != ":memory:" else None

    @asynccontextmanager
    async def read_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Read from one consistent snapshot.

        Raises:
            DatabaseUnavailableError: The database failed.
        """
        async with self._transaction(self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def write_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Write, and commit at the end or roll back on an error.

        Raises:
            DatabaseUnavailableError: The database failed or rejected a statement.
        """
        async with self._transaction(self._engine) as connection:
            yield connection

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
        await self._engine.dispose()

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        if self._is_closing:
            raise DatabaseUnavailableError("The database is closed: the API is shutting down.")
        connection = _Connection(engine)
        self._unclosed += 1
        self._all_closed.clear()
        try:
            with _map_errors():
                await connection.run(connection.start_transaction())
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

    async def start_transaction(self) -> None:
        await self.start()
        await self.begin()

    async def finish(self) -> None:
        """Wait for what was started, then close: this rolls back what was not committed."""
        if self._work is not None:
            await asyncio.wait([self._work])
            if not self._work.cancelled():
                self._work.exception()  # if nobody waited for it, asyncio would log it
        if self.sync_connection is not None:
            await self.close()


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database, and migrate it to this version's tables.

    Raises:
        SystemExit: It cannot be opened or migrated; the message names the setting.
    """
    engine = _engine(settings)
    database = Database(engine)
    try:
        with _startup_errors(settings):
            async with engine.begin() as connection:
                await connection.run_sync(_migrate)
        yield database
    finally:
        await database.close()


def _engine(settings: Settings) -> AsyncEngine:
    database_url = settings.database_url.get_secret_value()
    with _startup_errors(settings):
        if not database_url:
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            return _sqlite(f"sqlite+aiosqlite:///{settings.data_dir / FILE_NAME}")
        url = make_url(database_url)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        if url.get_backend_name() == "sqlite":
            return _sqlite(url.render_as_string(hide_password=False))
        return create_async_engine(url, pool_pre_ping=True, hide_parameters=True)


def database_location(url: URL) -> str:
    """Return where a database is, without credentials: the file, or the host and the name."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    # The host may be a query parameter, and an unquoted @ in a password ends up in the host.
    host = url.host or url.query.get("host", "localhost")
    host = host if isinstance(host, str) else ",".join(host)
    host = host.rpartition("@")[2]
    if url.port:
        host = f"[{host}]:{url.port}" if ":" in host else f"{host}:{url.port}"
    return f"{host}/{url.database or ''}"


def _sqlite(url: str) -> AsyncEngine:
    engine = create_async_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS}, hide_parameters=True
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        try:
            connection.isolation_level = None  # no implicit BEGIN: the listener below sends it
            # SQLite's own lower() handles only ASCII.
            connection.create_function("lower", 1, str.lower, deterministic=True)
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.close()
        except BaseException:  # the pool drops it without closing it
            connection.close()
            raise

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A reader that starts to write fails if another writer was faster, instead of waiting.
        is_read_only = connection.get_execution_options().get("read_only")
        connection.exec_driver_sql("BEGIN" if is_read_only else "BEGIN IMMEDIATE")

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
