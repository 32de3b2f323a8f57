"""Which files are in which collection: the rows of `vector_store_files`, and their status."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, case, delete, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.tables import files, vector_store_files
from backend.database.types import utc_now
from backend.errors import InvalidRequestError
from backend.files.repository import file_not_found

MAX_STORE_FILES = 10_000  # in one collection, as at OpenAI

FileStatus = Literal["in_progress", "completed", "cancelled", "failed"]

LINKS = vector_store_files.c
status_column: ColumnElement[str] = case(
    (LINKS.is_cancelled, literal("cancelled")),
    (files.c.status == "processed", literal("completed")),
    (files.c.status == "error", literal("failed")),
    else_=literal("in_progress"),
)
file_status = status_column.label(
    "file_status"
)  # grouped by its name: Postgres compares no parameters


class FileCounts(BaseModel):
    """How many files of a collection have each status."""

    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    total: int = 0


class StoreFile(BaseModel):
    """A file of a collection."""

    vector_store: str
    file: str
    filename: str
    bytes: int
    attributes: dict[str, bool | float | str] | None
    created_at: datetime
    status: FileStatus
    error: dict[str, Any] | None


def files_query(store_id: str) -> Select[Any]:
    query = select(
        LINKS.vector_store,
        LINKS.file,
        LINKS.attributes,
        LINKS.created_at,
        files.c.filename,
        files.c.bytes,
        files.c.error,
        status_column.label("status"),
    )
    query = query.join_from(vector_store_files, files, LINKS.file == files.c.id)
    return query.where(LINKS.vector_store == store_id)


def is_link(store_id: str, file_id: str) -> ColumnElement[bool]:
    return (LINKS.vector_store == store_id) & (LINKS.file == file_id)


async def link(
    connection: AsyncConnection,
    store_id: str,
    attributes: dict[str, dict[str, Any] | None],
    *,
    batch: str | None,
) -> None:
    if not attributes:
        return
    query = select(files.c.id).where(files.c.id.in_(attributes), files.c.status != "deleted")
    query = query.with_for_update()  # so that none is deleted before its link is there
    existing = set((await connection.execute(query)).scalars())
    if missing := [file_id for file_id in attributes if file_id not in existing]:
        raise file_not_found(missing[0])
    in_store = LINKS.vector_store == store_id
    replaced = delete(vector_store_files).where(in_store, LINKS.file.in_(attributes))
    await connection.execute(replaced)
    now = utc_now()
    rows = [
        {
            "vector_store": store_id,
            "file": file_id,
            "attributes": values,
            "batch": batch,
            "is_cancelled": False,
            "created_at": now,
        }
        for file_id, values in attributes.items()
    ]
    await connection.execute(insert(vector_store_files), rows)
    count = select(func.count()).select_from(vector_store_files).where(in_store)
    if (await connection.execute(count)).scalar_one() > MAX_STORE_FILES:
        raise InvalidRequestError(
            f"The vector store would have more than {MAX_STORE_FILES:,} files. Create another."
        )


def counts_of(by_status: dict[str, int]) -> FileCounts:
    return FileCounts(**by_status, total=sum(by_status.values()))
