"""Files that have been read, without the process that reads them."""

from collections.abc import Sequence

from fastapi import FastAPI
from sqlalchemy import insert

from backend.database.tables import files
from backend.database.types import new_id, utc_now
from backend.files.lifespan import FileState
from backend.files.reading.document import Section
from tests.support.retrieval import TextDocument


async def store_file(
    app: FastAPI, text: str, filename: str = "notes.txt", sections: Sequence[Section] = ()
) -> str:
    """Store a file with its text and its passages, as if it had been uploaded; return its id."""
    state: FileState = app.state.files
    file_id = await store_row(app, filename, "processed", size=len(text.encode()))
    with state.storage.temporary_file():
        path = state.storage.create_text(file_id)
    path.write_bytes(text.encode())
    await state.passages.add(file_id, TextDocument(text, sections))
    return file_id


async def store_row(
    app: FastAPI, filename: str, status: str, *, size: int = 1, error: str | None = None
) -> str:
    """Store what is known about a file, and nothing of its content."""
    file_id, now = f"file-{new_id()}", utc_now()
    row = {"id": file_id, "filename": filename, "purpose": "user_data", "bytes": size}
    row |= {"sha256": new_id(), "created_at": now, "touched_at": now, "attempts": 1}
    row |= {"status": status, "progress": 0.5}
    row |= {"error": {"code": error, "message": "It is damaged."} if error else None}
    async with app.state.core.database.write_transaction() as connection:
        await connection.execute(insert(files), row)
    return file_id
