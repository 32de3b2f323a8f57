"""Store what is known about uploaded files, and which of them is read next."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict
from sqlalchemy import (
    ColumnElement,
    RowMapping,
    ScalarSelect,
    Select,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.database import Database
from backend.database.tables import files, vector_store_files
from backend.database.types import new_id, utc_now
from backend.errors import FileStorageFullError, UploadedFileNotFoundError
from backend.files.form import UploadedFile
from backend.files.pages import Cursor, PageRequest

MAX_FILES = 100_000
# Without a sign of life for so long, the process that read a file is gone.
ABANDONED_AFTER = timedelta(seconds=60)
# How often reading is begun: what ended the process may have been this file.
MAX_ATTEMPTS = 3
_MAX_CLAIMED = 32  # files at once, if each has at most so many bytes:
_SMALL_BYTES = 32 * 1024

Status = Literal["uploaded", "in_progress", "processed", "error"]

_VISIBLE = files.c.status != "deleted"


class StoredFile(BaseModel):
    """A row of `files`."""

    model_config = ConfigDict(frozen=True)

    id: str
    filename: str
    purpose: str
    bytes: int
    sha256: str
    created_at: datetime
    status: Status
    progress: float = 0.0
    error: dict[str, Any] | None = None
    warning: str | None = None
    attempts: int = 0

    @classmethod
    def from_row(cls, row: RowMapping) -> Self:
        return cls.model_validate(dict(row))


class FileRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_page(
        self, page: PageRequest, purpose: str | None = None
    ) -> tuple[list[StoredFile], bool]:
        """Return the files of a page, and whether there are more.

        Raises:
            UploadedFileNotFoundError: There is none with the id that the page begins after.
        """
        query = select(files).where(_VISIBLE)
        cursor = Cursor(files.c.created_at, files.c.id, query, file_not_found)
        if purpose is not None:
            query = query.where(files.c.purpose == purpose)
        async with self._database.read_transaction() as connection:
            rows, has_more = await cursor.fetch(connection, query, page)
        return [StoredFile.from_row(row) for row in rows], has_more

    async def get(self, file_id: str) -> StoredFile:
        """Return a file.

        Raises:
            UploadedFileNotFoundError: There is none with this id.
        """
        async with self._database.read_transaction() as connection:
            query = select(files).where(files.c.id == file_id, _VISIBLE)
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise file_not_found(file_id)
        return StoredFile.from_row(row)

    async def get_many(self, file_ids: Sequence[str]) -> dict[str, StoredFile]:
        """Return the files with these ids, without those that do not exist."""
        query = select(files).where(files.c.id.in_(file_ids), _VISIBLE)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return {row["id"]: StoredFile.from_row(row) for row in rows}

    async def searchable(self, file_ids: Sequence[str] | None, *, limit: int) -> dict[str, str]:
        """Return the names of files that can be searched, newest first, by their ids.

        `file_ids` are those that are wanted, or None for all.
        """
        query = select(files.c.id, files.c.filename).where(files.c.status == "processed")
        if file_ids is not None:
            query = query.where(files.c.id.in_(file_ids))
        query = query.order_by(files.c.created_at.desc(), files.c.id.desc()).limit(limit)
        async with self._database.read_transaction() as connection:
            return dict((await connection.execute(query)).all())

    async def total_bytes(self) -> int:
        """Return the size of all files; the same bytes count once."""
        async with self._database.read_transaction() as connection:
            return int((await connection.execute(select(_total_bytes()))).scalar_one())

    async def insert(
        self, connection: AsyncConnection, upload: UploadedFile, purpose: str, *, max_bytes: int
    ) -> StoredFile:
        """Add an uploaded file, in a transaction that keeps out others which change files.

        Raises:
            FileStorageFullError: There would be too many files, or too many bytes.
        """
        await lock(connection)
        is_stored = select(files.c.id).where(files.c.sha256 == upload.sha256).exists()
        count = select(func.count()).select_from(files).scalar_subquery()
        query = select(is_stored, count, _total_bytes())
        has_bytes, file_count, total_bytes = (await connection.execute(query)).one()
        if file_count >= MAX_FILES:
            raise FileStorageFullError(f"There are {file_count:,} files, the most there can be.")
        if not has_bytes and total_bytes + upload.bytes > max_bytes:
            raise storage_full(max_bytes)
        file = StoredFile(
            id=f"file-{new_id()}",
            filename=upload.filename,
            purpose=purpose,
            bytes=upload.bytes,
            sha256=upload.sha256,
            created_at=utc_now(),
            status="uploaded",
        )
        await connection.execute(insert(files), file.model_dump() | {"touched_at": file.created_at})
        return file

    async def claim(self) -> tuple[list[StoredFile], bool]:
        """Return the file that has waited the longest, now being read, and whether more wait.

        If it is small, more small ones are returned with it. What was tried before, and may have
        ended the process, is returned alone.
        """
        is_waiting = files.c.status == "uploaded"
        if not await self._any_file(is_waiting):
            return [], False
        query = select(files).where(is_waiting).order_by(files.c.created_at).limit(_MAX_CLAIMED + 1)
        query = query.with_for_update(skip_locked=True)
        async with self._database.write_transaction(is_durable=False) as connection:
            rows = (await connection.execute(query)).mappings().all()
            waiting = [StoredFile.from_row(row) for row in rows]
            claimed = [*takewhile(_is_small_and_new, waiting[:_MAX_CLAIMED])] or waiting[:1]
            changes = {"status": "in_progress", "progress": 0.0}
            ids = [file.id for file in claimed]
            await connection.execute(
                update(files)
                .where(files.c.id.in_(ids))
                .values(touched_at=utc_now(), attempts=files.c.attempts + 1, **changes)
            )
        claimed = [
            file.model_copy(update=changes | {"attempts": file.attempts + 1}) for file in claimed
        ]
        return claimed, len(waiting) > len(claimed)

    async def report_progress(
        self, file_id: str, progress: float, *, claimed: Sequence[str]
    ) -> bool:
        """Store the share of a file that has been read, and that it and others are still claimed.

        Return False if the file is deleted.
        """
        others = update(files).where(files.c.id.in_(claimed), files.c.status == "in_progress")
        async with self._database.write_transaction(is_durable=False) as connection:
            await connection.execute(others.values(touched_at=utc_now()))
            return await _update_reading(connection, file_id, {"progress": progress})

    async def finish(
        self, connection: AsyncConnection, file_id: str, *, warning: str | None
    ) -> None:
        """Store that a file was read, with what was found in it.

        Raises:
            UploadedFileNotFoundError: It was deleted.
        """
        changes = {"status": "processed", "progress": 1.0, "warning": warning}
        if not await _update_reading(connection, file_id, changes):
            raise file_not_found(file_id)

    async def fail(self, file_id: str, code: str, message: str) -> bool:
        """Store why a file could not be read; return False if it is deleted."""
        changes = {"status": "error", "error": {"code": code, "message": message}}
        return await self._update_reading(file_id, changes)

    async def release(self, file_id: str, *, attempts: int) -> None:
        """Let a file be read again from its beginning."""
        changes = {"status": "uploaded", "attempts": attempts}
        await self._update_reading(file_id, changes)

    async def release_abandoned(self, *, is_starting: bool) -> None:
        """Let files be read again whose process has ended, or fail if that happened too often.

        No other process uses a SQLite database, so when one starts, all of them are abandoned.
        """
        is_abandoned = files.c.status == "in_progress"
        if not (is_starting and self._database.dialect == "sqlite"):
            is_abandoned &= files.c.touched_at < utc_now() - ABANDONED_AFTER
        if not await self._any_file(is_abandoned):
            return
        is_tried = files.c.attempts >= MAX_ATTEMPTS
        error = {
            "code": "interrupted",
            "message": "The API was stopped several times while it read this file. Upload it "
            "again, or a part of it.",
        }
        async with self._database.write_transaction() as connection:
            query = update(files).where(is_abandoned)
            await connection.execute(query.where(is_tried).values(status="error", error=error))
            await connection.execute(query.values(status="uploaded"))

    async def _any_file(self, condition: ColumnElement[bool]) -> bool:
        """Return True if a file meets a condition. Looking for work must not lock out writers."""
        async with self._database.read_transaction() as connection:
            query = select(files.c.id).where(condition).limit(1)
            return (await connection.execute(query)).first() is not None

    async def mark_deleted(self, file_id: str) -> StoredFile:
        """Make a file invisible, and take it out of all collections.

        Raises:
            UploadedFileNotFoundError: There is none with this id.
        """
        file = await self.get(file_id)
        async with self._database.write_transaction() as connection:
            query = update(files).where(files.c.id == file_id, _VISIBLE).values(status="deleted")
            if not (await connection.execute(query)).rowcount:
                raise file_not_found(file_id)
            in_stores = vector_store_files.c.file == file_id
            await connection.execute(delete(vector_store_files).where(in_stores))
        return file

    async def list_deleted(self) -> list[tuple[str, str]]:
        """Return the ids and hashes of deleted files of which something is left."""
        query = select(files.c.id, files.c.sha256).where(files.c.status == "deleted")
        async with self._database.read_transaction() as connection:
            return [(row.id, row.sha256) for row in await connection.execute(query)]

    async def list_hashes(self) -> set[str]:
        """Return the hashes of all files, of deleted ones too."""
        async with self._database.read_transaction() as connection:
            return set((await connection.execute(select(files.c.sha256))).scalars())

    async def delete(self, file_id: str) -> None:
        """Delete the row of a deleted file, when all else of it is gone."""
        async with self._database.write_transaction() as connection:
            await connection.execute(delete(files).where(files.c.id == file_id))

    async def _update_reading(self, file_id: str, changes: dict[str, Any]) -> bool:
        async with self._database.write_transaction(is_durable=False) as connection:
            return await _update_reading(connection, file_id, changes)


async def is_content_used(connection: AsyncConnection, sha256: str) -> bool:
    """Return True if a file has these bytes, in a transaction that keeps out new ones."""
    await lock(connection)
    query = select(files.c.id).where(files.c.sha256 == sha256).limit(1)
    return (await connection.execute(query)).first() is not None


async def lock(connection: AsyncConnection) -> None:
    """Keep out others who change files. SQLite allows only one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("LOCK TABLE files IN SHARE ROW EXCLUSIVE MODE"))


def storage_full(max_bytes: int) -> FileStorageFullError:
    return FileStorageFullError(
        f"All files together would be larger than {max_bytes:,} bytes (SMOLCHAT_MAX_FILES_BYTES). "
        "Delete some, or raise the limit."
    )


def not_read_message(file: StoredFile) -> str:
    """Return why a file has no text, or no text yet."""
    if file.error:
        return f"The file has no text: {file.error['message']}"
    return f"The file is still being read ({file.progress:.0%}). Try again in a moment."


def file_not_found(file_id: str) -> UploadedFileNotFoundError:
    return UploadedFileNotFoundError(
        f"File {file_id[:100]!r} not found. GET /v1/files lists all files."
    )


def _total_bytes() -> ScalarSelect[int]:
    distinct: Select[Any] = select(files.c.sha256, files.c.bytes).distinct()
    return select(func.coalesce(func.sum(distinct.subquery().c.bytes), 0)).scalar_subquery()


def _is_small_and_new(file: StoredFile) -> bool:
    return file.bytes <= _SMALL_BYTES and not file.attempts


async def _update_reading(
    connection: AsyncConnection, file_id: str, changes: dict[str, Any]
) -> bool:
    """Change a file that is being read; return False if it is not any more."""
    query = update(files).where(files.c.id == file_id, files.c.status == "in_progress")
    query = query.values(touched_at=utc_now(), **changes)
    return bool((await connection.execute(query)).rowcount)
