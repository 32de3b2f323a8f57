"""Collections of files in both databases."""

from dataclasses import dataclass

import pytest
from sqlalchemy import delete, update

from backend.database.database import Database
from backend.database.tables import files as files_table
from backend.database.tables import vector_stores
from backend.errors import UploadedFileNotFoundError, VectorStoreNotFoundError
from backend.files.form import UploadedFile
from backend.files.pages import PageRequest
from backend.files.repository import FileRepository
from backend.files.vector_stores.links import FileCounts
from backend.files.vector_stores.repository import VectorStoreRepository

pytestmark = pytest.mark.anyio


@dataclass
class Stores:
    database: Database
    repository: VectorStoreRepository

    async def add_file(self, status: str = "processed") -> str:
        upload = UploadedFile(filename="a.txt", bytes=10, sha256="0" * 64, fields={})
        async with self.database.write_transaction() as connection:
            file = await FileRepository(self.database).insert(
                connection, upload, "user_data", max_bytes=1000
            )
            query = update(files_table).where(files_table.c.id == file.id)
            error = {"code": "empty", "message": "It is empty."} if status == "error" else None
            await connection.execute(query.values(status=status, error=error))
        return file.id


@pytest.fixture
async def stores(database: Database) -> Stores:
    async with database.write_transaction() as connection:  # Postgres has those of the last test
        for table in (vector_stores, files_table):
            await connection.execute(delete(table))
    return Stores(database, VectorStoreRepository(database))


async def test_collection_counts_its_files_by_status(stores: Stores) -> None:
    statuses = ["uploaded", "in_progress", "processed", "processed", "error"]
    files = [await stores.add_file(status) for status in statuses]
    store_id = await stores.repository.create("Mine", {"a": "b"}, files)
    other_id = await stores.repository.create("", None, files[:1])
    store = await stores.repository.get(store_id)
    expected = FileCounts(in_progress=2, completed=2, failed=1, total=5)
    assert (store.file_counts, store.usage_bytes) == (expected, 20)
    assert (store.name, store.metadata) == ("Mine", {"a": "b"})
    listed, has_more = await stores.repository.list_page(PageRequest(limit=1))
    assert ([one.id for one in listed], has_more) == ([other_id], True)


async def test_pages_go_in_both_directions(stores: Stores) -> None:
    ids = [await stores.repository.create(str(n), None, []) for n in range(5)]

    async def page(**fields: str) -> tuple[list[int], bool]:
        request = PageRequest(limit=2, **fields)  # type: ignore[arg-type]
        rows, has_more = await stores.repository.list_page(request)
        return [ids.index(row.id) for row in rows], has_more

    assert await page() == ([4, 3], True)
    assert await page(after=ids[1]) == ([0], False)
    assert await page(before=ids[1]) == ([3, 2], True)
    assert await page(before=ids[3]) == ([4], False)
    assert await page(order="asc", after=ids[0]) == ([1, 2], True)
    assert await page(order="asc", before=ids[1]) == ([0], False)
    with pytest.raises(VectorStoreNotFoundError):
        await page(after="nothing")


async def test_files_are_added_with_attributes_filtered_and_removed(stores: Stores) -> None:
    ready, failed = await stores.add_file(), await stores.add_file("error")
    store_id = await stores.repository.create("", None, [])
    attributes = {ready: {"year": 2021.0, "draft": True}, failed: None}
    await stores.repository.add_files(store_id, attributes, batch="vsfb_1")
    everything = PageRequest(limit=100)
    found, _ = await stores.repository.list_files(store_id, everything, status="failed")
    assert [(file.file, file.error and file.error["code"]) for file in found] == [(failed, "empty")]
    [searchable] = await stores.repository.searchable_files(store_id)
    assert (searchable.file, searchable.attributes) == (ready, attributes[ready])
    _, counts = await stores.repository.get_batch(store_id, "vsfb_1")
    assert counts == FileCounts(completed=1, failed=1, total=2)
    await stores.repository.remove_file(store_id, ready)
    with pytest.raises(UploadedFileNotFoundError):
        await stores.repository.get_file(store_id, ready)


async def test_cancelled_batch_leaves_unread_files_out(stores: Stores) -> None:
    files = [await stores.add_file("uploaded"), await stores.add_file()]
    store_id = await stores.repository.create("", None, [])
    await stores.repository.add_files(store_id, dict.fromkeys(files), batch="b")
    await stores.repository.cancel_batch(store_id, "b")
    _, counts = await stores.repository.get_batch(store_id, "b")
    assert counts == FileCounts(completed=1, cancelled=1, total=2)


async def test_unknown_ids_are_not_found_and_change_nothing(stores: Stores) -> None:
    file_id = await stores.add_file()
    with pytest.raises(UploadedFileNotFoundError):
        await stores.repository.create("", None, [file_id, "file-nothing"])
    assert await stores.repository.list_page(PageRequest(limit=1)) == ([], False)
    store_id = await stores.repository.create("", None, [])
    for attempt in (
        stores.repository.get("vs_nothing"),
        stores.repository.delete("vs_nothing"),
        stores.repository.update("vs_nothing", {"name": "x"}),
        stores.repository.add_files("vs_nothing", {file_id: None}, batch=None),
        stores.repository.searchable_files("vs_nothing"),
        stores.repository.get_batch(store_id, "vsfb_nothing"),
    ):
        with pytest.raises(VectorStoreNotFoundError):
            await attempt


async def test_deleted_file_and_collection_leave_no_link(stores: Stores) -> None:
    file_id = await stores.add_file()
    store_id = await stores.repository.create("", None, [file_id])
    await FileRepository(stores.database).mark_deleted(file_id)
    assert (await stores.repository.get(store_id)).file_counts.total == 0
    with pytest.raises(UploadedFileNotFoundError):
        await stores.repository.add_files(store_id, {file_id: None}, batch=None)
    await stores.repository.delete(store_id)
    with pytest.raises(VectorStoreNotFoundError):
        await stores.repository.get(store_id)
