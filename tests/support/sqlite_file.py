"""Statements that a test runs in the database file of an API."""

import sqlite3
from contextlib import closing
from pathlib import Path

from backend.database.database import FILE_NAME

# The API may be writing.
WAIT_SECONDS = 30


def execute(folder: Path, statement: str, *values: str) -> None:
    """Run a statement and commit it.

    It waits for other writers. In a test that shares its event loop with the API, call it in a
    thread: the API could not go on otherwise.
    """
    file = folder / FILE_NAME
    with closing(sqlite3.connect(file, timeout=WAIT_SECONDS, isolation_level=None)) as database:
        database.execute(statement, values)
