"""Store collections of files."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.database import Database
from backend.database.tables import files, vector_store_files, vector_stores
from backend.database.types import new_id, utc_now
from backend.errors import (
    InvalidRequestError,
    UploadedFileNotFoundError,
    VectorStoreNotFoundError,
)
from backend.files.pages import Cursor, PageRequest
from backend.files.vector_stores.links import (
    LINKS,
    FileCounts,
    FileStatus,
    StoreFile,
    counts_of,
    file_status,
    files_query,
    is_link,
    link,
    status_column,
)

MAX_VECTOR_STORES = 10_000


class VectorStoreRow(BaseModel):
    id: str
    name: str
    metadata: dict[str, str] | None
    created_at: datetime
    last_active_at: datetime
    file_counts: FileCounts = FileCounts()
    usage_bytes: int = 0


class VectorStoreRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_page(self, page: PageRequest) -> tuple[list[VectorStoreRow], bool]:
        """Return the collections of a page, and whether there are more.

        Raises:
            VectorStoreNotFoundError: There is none with the id that the page begins after.
        """
        query = select(vector_stores)
        cursor = Cursor(vector_stores.c.created_at, vector_stores.c.id, query, store_not_found)
        async with self._database.read_transaction() as connection:
            rows, has_more = await cursor.fetch(connection, query, page)
            stores = [VectorStoreRow.model_validate(dict(row)) for row in rows]
            return await _with_counts(connection, stores), has_more

    async def get(self, store_id: str) -> VectorStoreRow:
        """Return a collection.

        Raises:
            VectorStoreNotFoundError: There is none with this id.
        """
        async with self._database.read_transaction() as connection:
            query = select(vector_stores).where(vector_stores.c.id == store_id)
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is None:
                raise store_not_found(store_id)
            [store] = await _with_counts(connection, [VectorStoreRow.model_validate(dict(row))])
        return store

    async def create(
        self, name: str, metadata: dict[str, str] | None, file_ids: Sequence[str]
    ) -> str:
        """Add a collection of files, and return its id.

        Raises:
            UploadedFileNotFoundError: There is no file with one of the ids.
            InvalidRequestError: There are too many collections.
        """
        now = utc_now()
        store_id = f"vs_{new_id()}"
        row = {"id": store_id, "name": name, "metadata": metadata}
        async with self._database.write_transaction() as connection:
            query = select(func.count()).select_from(vector_stores)
            if (await connection.execute(query)).scalar_one() >= MAX_VECTOR_STORES:
                raise InvalidRequestError(
                    f"There are {MAX_VECTOR_STORES:,} vector stores, the most there can be."
                )
            times = {"created_at": now, "last_active_at": now}
            await connection.execute(insert(vector_stores), row | times)
            await link(connection, store_id, dict.fromkeys(file_ids), batch=None)
        return store_id

    async def update(self, store_id: str, changes: dict[str, Any]) -> None:
        """Change fields of a collection.

        Raises:
            VectorStoreNotFoundError: There is none with this id.
        """
        async with self._database.write_transaction() as connection:
            await _touch(connection, store_id, changes)

    async def delete(self, store_id: str) -> None:
        """Delete a collection; its files stay.

        Raises:
            VectorStoreNotFoundError: There is none with this id.
        """
        async with self._database.write_transaction() as connection:
            await connection.execute(
                delete(vector_store_files).where(LINKS.vector_store == store_id)
            )
            query = delete(vector_stores).where(vector_stores.c.id == store_id)
            if not (await connection.execute(query)).rowcount:
                raise store_not_found(store_id)

    async def add_files(
        self, store_id: str, attributes: dict[str, dict[str, Any] | None], *, batch: str | None
    ) -> None:
        """Add files with their attributes, or replace the attributes of those it has.

        Raises:
            VectorStoreNotFoundError, UploadedFileNotFoundError: There is none with this id.
            InvalidRequestError: The collection would have too many files.
        """
        async with self._database.write_transaction() as connection:
            await _touch(connection, store_id)
            await link(connection, store_id, attributes, batch=batch)

    async def list_files(
        self,
        store_id: str,
        page: PageRequest,
        *,
        status: FileStatus | None = None,
        batch: str | None = None,
    ) -> tuple[list[StoreFile], bool]:
        """Return the files of a page of a collection, or of a batch, and whether there are more.

        Raises:
            VectorStoreNotFoundError: There is none with this id.
        """
        query = files_query(store_id)
        if status is not None:
            query = query.where(status_column == status)
        if batch is not None:
            query = query.where(LINKS.batch == batch)
        links = select(vector_store_files).where(LINKS.vector_store == store_id)
        cursor = Cursor(LINKS.created_at, LINKS.file, links, _not_in_store)
        async with self._database.read_transaction() as connection:
            await _check_exists(connection, store_id)
            rows, has_more = await cursor.fetch(connection, query, page)
        return [StoreFile.model_validate(dict(row)) for row in rows], has_more

    async def searchable_files(self, store_id: str) -> list[StoreFile]:
        """Return the files of a collection that can be searched.

        Raises:
            VectorStoreNotFoundError: There is none with this id.
        """
        async with self._database.read_transaction() as connection:
            await _check_exists(connection, store_id)
            query = files_query(store_id).where(status_column == "completed")
            rows = (await connection.execute(query)).mappings().all()
        return [StoreFile.model_validate(dict(row)) for row in rows]

    async def get_file(self, store_id: str, file_id: str) -> StoreFile:
        """Return a file of a collection.

        Raises:
            VectorStoreNotFoundError, UploadedFileNotFoundError: There is none with this id.
        """
        async with self._database.read_transaction() as connection:
            await _check_exists(connection, store_id)
            query = files_query(store_id).where(LINKS.file == file_id)
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise _not_in_store(file_id)
        return StoreFile.model_validate(dict(row))

    async def update_file(
        self, store_id: str, file_id: str, attributes: dict[str, Any] | None
    ) -> None:
        """Replace the attributes of a file of a collection.

        Raises:
            VectorStoreNotFoundError, UploadedFileNotFoundError: There is none with this id.
        """
        async with self._database.write_transaction() as connection:
            await _touch(connection, store_id)
            query = update(vector_store_files).where(is_link(store_id, file_id))
            if not (await connection.execute(query.values(attributes=attributes))).rowcount:
                raise _not_in_store(file_id)

    async def remove_file(self, store_id: str, file_id: str) -> None:
        """Take a file out of a collection; the file stays.

        Raises:
            VectorStoreNotFoundError, UploadedFileNotFoundError: There is none with this id.
        """
        async with self._database.write_transaction() as connection:
            await _touch(connection, store_id)
            query = delete(vector_store_files).where(is_link(store_id, file_id))
            if not (await connection.execute(query)).rowcount:
                raise _not_in_store(file_id)

    async def get_batch(self, store_id: str, batch: str) -> tuple[datetime, FileCounts]:
        """Return when a batch of files was added, and how many have each status.

        Raises:
            VectorStoreNotFoundError: There is no such batch, or nothing is left of it.
        """
        query = select(file_status, func.count(), func.min(LINKS.created_at))
        query = query.join_from(vector_store_files, files, LINKS.file == files.c.id)
        query = query.where(LINKS.vector_store == store_id, LINKS.batch == batch)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query.group_by(file_status.name))).all()
        if not rows:
            raise VectorStoreNotFoundError(
                f"File batch {batch[:100]!r} not found: it has another id or vector store, or its "
                "files were removed."
            )
        return min(row[2] for row in rows), counts_of({row[0]: row[1] for row in rows})

    async def cancel_batch(self, store_id: str, batch: str) -> None:
        """Take the files of a batch that are not read yet out of the searches of a collection."""
        unread = select(files.c.id).where(files.c.status.in_(("uploaded", "in_progress")))
        query = update(vector_store_files).where(
            LINKS.vector_store == store_id, LINKS.batch == batch, LINKS.file.in_(unread)
        )
        async with self._database.write_transaction() as connection:
            await connection.execute(query.values(is_cancelled=True))


def store_not_found(store_id: str) -> VectorStoreNotFoundError:
    return VectorStoreNotFoundError(
        f"Vector store {store_id[:100]!r} not found. GET /v1/vector_stores lists all of them."
    )


def _not_in_store(file_id: str) -> UploadedFileNotFoundError:
    return UploadedFileNotFoundError(
        f"File {file_id[:100]!r} is not in this vector store. GET its /files to list those that "
        "are."
    )


async def _check_exists(connection: AsyncConnection, store_id: str) -> None:
    query = select(vector_stores.c.id).where(vector_stores.c.id == store_id)
    if (await connection.execute(query)).first() is None:
        raise store_not_found(store_id)


async def _touch(
    connection: AsyncConnection, store_id: str, changes: dict[str, Any] | None = None
) -> None:
    query = update(vector_stores).where(vector_stores.c.id == store_id)
    query = query.values(last_active_at=utc_now(), **(changes or {}))
    if not (await connection.execute(query)).rowcount:
        raise store_not_found(store_id)


async def _with_counts(
    connection: AsyncConnection, stores: list[VectorStoreRow]
) -> list[VectorStoreRow]:
    query = select(LINKS.vector_store, file_status, func.count(), func.sum(files.c.bytes))
    query = query.join_from(vector_store_files, files, LINKS.file == files.c.id)
    query = query.where(LINKS.vector_store.in_([store.id for store in stores]))
    rows = (await connection.execute(query.group_by(LINKS.vector_store, file_status.name))).all()
    counts: dict[str, dict[str, int]] = {}
    sizes: dict[str, int] = {}
    for store_id, status, count, size in rows:
        counts.setdefault(store_id, {})[status] = count
        if status == "completed":
            sizes[store_id] = int(size)
    return [
        store.model_copy(
            update={
                "file_counts": counts_of(counts.get(store.id, {})),
                "usage_bytes": sizes.get(store.id, 0),
            }
        )
        for store in stores
    ]
