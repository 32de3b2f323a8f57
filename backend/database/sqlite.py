"""SQLite: its connections, the access to its files, and the size of its write-ahead log."""

import asyncio
import logging
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from backend.database.sqlite_connection import connect

BUSY_TIMEOUT_SECONDS = 30  # how long a writer waits for others
MEMORY = ":memory:"
MAX_LOG_BYTES = 64 * 1024 * 1024
_READERS = 8
_CHECKPOINT_TIMEOUT_SECONDS = 1.0  # how long it may hold back writers
_OTHERS = 0o077  # access of the group and of all users

logger = logging.getLogger(__name__)


def sqlite_engines(url: URL) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engines of readers and of writers.

    Each has its own connections, so that readers do not wait while a writer waits. SQLite runs one
    writer at a time: with one connection they take turns, instead of polling for its lock.
    """
    readers = _engine(url, begin="BEGIN", connections=_READERS)
    if (url.database or MEMORY) == MEMORY:  # each connection would have a database of its own
        return readers, readers
    # IMMEDIATE, since a transaction that begins as a reader fails instead of waiting for another
    # writer.
    return readers, _engine(url, begin="BEGIN IMMEDIATE", connections=1)


def make_private(file: Path, *, tighten: bool) -> None:
    """Create a database file that only its owner can read.

    SQLite gives the files beside it the same mode. Those of an existing database are changed if
    `tighten` is set.
    """
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    for path in (file, log_file(file), file.with_name(f"{file.name}-shm")) if tighten else ():
        try:
            if (mode := path.stat().st_mode) & _OTHERS:
                path.chmod(mode & 0o7777 & ~_OTHERS)
                logger.warning("%s was readable by other users of this computer.", path)
        except FileNotFoundError:
            pass
        except OSError as error:
            logger.warning("Other users of this computer may be able to read it: %s", error)


def log_file(file: Path) -> Path:
    """Return the write-ahead log of a database, which need not exist."""
    return file.with_name(f"{file.name}-wal")


class LogLimiter:
    """Shortens the write-ahead log when it has grown.

    SQLite overwrites it from the start when no reader needs it. With many readers, that moment may
    never come; this waits for it while holding back new writers.
    """

    def __init__(
        self,
        file: Path | None,
        *,
        max_bytes: int = MAX_LOG_BYTES,
        interval_seconds: float = 30.0,
    ) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._interval_seconds = interval_seconds
        self._task: asyncio.Task[None] | None = None
        self._next_try = 0.0

    def check(self) -> None:
        """Start to shorten the log if it is too long. Call it after each write."""
        if self._file is None or time.monotonic() < self._next_try:
            return
        with suppress(OSError):
            if log_file(self._file).stat().st_size > self._max_bytes:
                self._next_try = time.monotonic() + self._interval_seconds
                self._task = asyncio.create_task(asyncio.to_thread(_shorten_log, self._file))

    async def close(self) -> None:
        if self._task is not None:
            await self._task


def _shorten_log(file: Path) -> None:
    try:
        with closing(sqlite3.connect(file, timeout=_CHECKPOINT_TIMEOUT_SECONDS)) as connection:
            [is_busy, *_] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        logger.warning("The database's write-ahead log could not be shortened: %s", error)
    else:
        if is_busy:
            logger.warning("The write-ahead log of %s grows: a program keeps reading it.", file)


def _engine(url: URL, *, begin: str, connections: int) -> AsyncEngine:
    is_in_memory = (url.database or MEMORY) == MEMORY
    pool: dict[str, Any] = {"pool_size": connections, "max_overflow": 0}
    pool["pool_timeout"] = BUSY_TIMEOUT_SECONDS
    engine = create_async_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "async_creator_fn": connect},
        hide_parameters=True,
        **({"poolclass": StaticPool} if is_in_memory else pool),
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        try:
            connection.isolation_level = None  # no implicit BEGIN: the listener below sends it
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute(f"PRAGMA journal_size_limit = {MAX_LOG_BYTES}")
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.close()
        except BaseException:  # the pool drops it without closing it
            connection.close()
            raise

    @event.listens_for(engine.sync_engine, "begin")
    def start_transaction(connection: Any) -> None:
        level = connection.get_execution_options().get("synchronous", "FULL")
        if connection.info.setdefault("synchronous", "FULL") != level:
            connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
            connection.info["synchronous"] = level
        connection.exec_driver_sql(begin)

    return engine
