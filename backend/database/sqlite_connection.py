"""A connection to SQLite that needs its thread once for each statement.

aiosqlite has the connection in a thread of its own, and asks it four times for a statement of
SQLAlchemy: to open a cursor, execute, fetch the rows, and close the cursor. On a busy machine that
takes longer than the statement does.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self

import aiosqlite


class SqliteConnection(aiosqlite.Connection):
    """What SQLAlchemy uses of aiosqlite's connection, with the cursors below."""

    def cursor(self) -> "_Cursor":  # type: ignore[override]
        return _Cursor(self)

    async def rollback(self) -> None:
        """Roll back what was not committed; SQLAlchemy asks for that after commits too."""
        if self.in_transaction:
            await super().rollback()

    async def call(self, function: Callable[[sqlite3.Connection], Any]) -> Any:
        """Return what `function` returns in the connection's thread."""
        return await self._execute(function, self._conn)  # type: ignore[no-untyped-call]


class _Cursor:
    """A cursor that has all rows of its statement once this was executed."""

    arraysize = 1
    description: Any = None
    rowcount = -1
    lastrowid: int | None = None

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> None:
        await self._connection.call(partial(self._run, operation, parameters))

    async def executemany(self, operation: str, parameters: Iterable[Sequence[Any]]) -> None:
        await self._connection.call(partial(self._run_many, operation, parameters))

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []

    def _run(
        self, operation: str, parameters: Sequence[Any], connection: sqlite3.Connection
    ) -> None:
        self._keep(connection.execute(operation, parameters))

    def _run_many(
        self, operation: str, parameters: Iterable[Sequence[Any]], connection: sqlite3.Connection
    ) -> None:
        self._keep(connection.executemany(operation, parameters))

    def _keep(self, cursor: sqlite3.Cursor) -> None:
        self.description = cursor.description
        self._rows = cursor.fetchall()
        self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        cursor.close()


def connect(*arguments: Any, **options: Any) -> SqliteConnection:
    """Return a connection that begins to connect when it is awaited."""
    connection = SqliteConnection(
        partial(sqlite3.connect, *arguments, **options), iter_chunk_size=64
    )
    connection._thread.daemon = True  # as SQLAlchemy makes those it creates
    return connection
