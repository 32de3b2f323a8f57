"""Files are read in the background, deleted completely, and not forgotten when a process ends."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from sqlalchemy import delete, func, select, update

from backend.database.database import Database
from backend.database.tables import files as files_table
from backend.database.tables import passages
from backend.database.types import utc_now
from backend.errors import UploadedFileNotFoundError
from backend.files.ingestion import Ingestion
from backend.files.pages import PageRequest
from backend.files.reading.limits import ReadLimits
from backend.files.reading.reader_pool import ReaderPool
from backend.files.repository import ABANDONED_AFTER, MAX_ATTEMPTS, FileRepository, StoredFile
from backend.files.retrieval.index import PassageIndex
from backend.files.storage import ABANDONED_SECONDS, FileStorage
from backend.files.uploads import Uploads
from backend.settings import Settings
from tests.support.requests import MODEL_ID
from tests.support.uploads import FORM_TYPE, file_part, form

pytestmark = pytest.mark.anyio

# Says that it has started, and then nothing more.
HANGING = (sys.executable, "-c", "import os, time; os.write(1, b'\\0\\0\\0\\2{}'); time.sleep(60)")


@dataclass
class Files:
    database: Database
    storage: FileStorage
    repository: FileRepository
    folder: Path

    async def upload(self, content: bytes, name: str = "a.txt") -> StoredFile:
        async def body() -> AsyncIterator[bytes]:
            yield form(file_part(content, name))

        uploads = Uploads(Settings(model_id=MODEL_ID), self.database, self.storage)
        return await uploads.receive(body(), FORM_TYPE["Content-Type"])

    @asynccontextmanager
    async def ingestion(self, *command: str, workers: int = 1) -> AsyncIterator[Ingestion]:
        pool = ReaderPool(ReadLimits(), command=command) if command else ReaderPool(ReadLimits())
        ingestion = Ingestion(self.database, self.storage, pool, PassageIndex(self.database))
        try:
            async with ingestion.running(workers):
                yield ingestion
        finally:
            await pool.close()

    async def wait_for(self, file: StoredFile, *statuses: str) -> StoredFile:
        deadline = time.monotonic() + 40
        while (current := await self.repository.get(file.id)).status not in statuses:
            assert time.monotonic() < deadline, current
            await asyncio.sleep(0.02)
        return current

    async def passage_count(self) -> int:
        async with self.database.read_transaction() as connection:
            query = select(func.count()).select_from(passages)
            return int((await connection.execute(query)).scalar_one())

    def stored(self) -> list[str]:
        return sorted(path.parent.name for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
async def files(database: Database, tmp_path: Path) -> Files:
    async with database.write_transaction() as connection:  # Postgres has those of the last test
        for table in (files_table, passages):
            await connection.execute(delete(table))
    folder = tmp_path / "files"
    return Files(database, FileStorage(folder), FileRepository(database), folder)


async def test_file_is_read_then_all_of_it_is_deleted(files: Files) -> None:
    async with files.ingestion() as ingestion:
        file = await files.upload(b"One sentence. Another one.")
        ingestion.notify()
        read = await files.wait_for(file, "processed", "error")
        assert (read.status, read.progress, read.error) == ("processed", 1.0, None)
        assert await files.passage_count() == 1
        assert files.stored() == ["contents", "texts"]
        await ingestion.delete(file.id)
    assert files.stored() == []
    assert await files.passage_count() == 0
    with pytest.raises(UploadedFileNotFoundError):
        await files.repository.get(file.id)


async def test_many_files_are_read_by_two_workers(files: Files) -> None:
    async with files.ingestion(workers=2) as ingestion:
        async with anyio.create_task_group() as group:
            for n in range(8):
                group.start_soon(files.upload, f"Text number {n}.".encode(), f"{n}.txt")
        ingestion.notify()
        page, _ = await files.repository.list_page(_all())
        for file in page:
            assert (await files.wait_for(file, "processed", "error")).status == "processed"
    assert (len(page), await files.passage_count()) == (8, 8)


async def test_small_files_are_claimed_together_but_not_with_others(files: Files) -> None:
    small = [await files.upload(b"small %d" % n) for n in range(3)]
    large = await files.upload(b"large" * 20_000)
    last = await files.upload(b"last")
    claims = [await files.repository.claim() for _ in range(3)]
    assert [has_more for _, has_more in claims] == [True, True, False]
    assert [[file.id for file in claimed] for claimed, _ in claims] == [
        [file.id for file in small],
        [large.id],
        [last.id],
    ]
    await _age(files)
    await files.repository.release_abandoned(is_starting=True)
    assert [file.attempts for file in (await files.repository.claim())[0]] == [2]


async def test_one_of_many_small_files_fails_and_one_is_deleted(files: Files) -> None:
    texts = [await files.upload(b"Text number %d." % n) for n in range(6)]
    damaged = await files.upload(b"%PDF-", "a.pdf")
    async with files.ingestion() as ingestion:
        await files.wait_for(texts[0], "in_progress", "processed")
        await ingestion.delete(texts[1].id)
        for file in (texts[0], *texts[2:]):
            assert (await files.wait_for(file, "processed", "error")).status == "processed"
        assert (await files.wait_for(damaged, "error")).status == "error"
    assert await files.passage_count() == 5
    assert files.stored() == ["contents"] * 6 + ["texts"] * 5


async def test_deleting_a_file_ends_its_reading_at_once(files: Files) -> None:
    file = await files.upload(b"text")
    async with files.ingestion(*HANGING) as ingestion:
        await files.wait_for(file, "in_progress")
        started = time.monotonic()
        await ingestion.delete(file.id)
        assert time.monotonic() - started < 2
        assert files.stored() == []


async def test_reading_that_the_end_of_the_api_interrupts_starts_again(files: Files) -> None:
    file = await files.upload(b"text")
    async with files.ingestion(*HANGING):
        await files.wait_for(file, "in_progress")
    assert (await files.repository.get(file.id)).attempts == 0
    async with files.ingestion():
        await files.wait_for(file, "processed")


async def test_file_whose_reader_was_killed_is_read_again_when_it_is_abandoned(
    files: Files,
) -> None:
    file = await files.upload(b"text")
    assert (await files.repository.claim())[0]  # and this process ends
    await _age(files)
    async with files.ingestion():
        await files.wait_for(file, "processed")


async def test_file_that_ends_the_process_each_time_fails(files: Files) -> None:
    file = await files.upload(b"text")
    for _ in range(MAX_ATTEMPTS):
        assert (await files.repository.claim())[0]
        await _age(files)
        await files.repository.release_abandoned(is_starting=True)
    failed = await files.repository.get(file.id)
    assert failed.error
    assert (failed.status, failed.error["code"]) == ("error", "interrupted")
    assert await files.repository.claim() == ([], False)


async def test_file_that_is_being_read_is_not_taken_from_a_process_that_lives(
    files: Files,
) -> None:
    file = await files.upload(b"text")
    assert (await files.repository.claim())[0]
    await files.repository.release_abandoned(is_starting=False)
    assert (await files.repository.get(file.id)).status == "in_progress"


async def test_deletion_that_was_interrupted_is_finished_later(files: Files) -> None:
    file = await files.upload(b"text")
    async with files.ingestion():
        await files.wait_for(file, "processed")
    await files.repository.mark_deleted(file.id)  # and the process ends
    async with files.ingestion():
        await _wait_until_nothing_is_stored(files)
    assert await files.passage_count() == 0
    assert await files.repository.list_deleted() == []


async def test_what_uploads_have_left_is_deleted(files: Files) -> None:
    kept = await files.upload(b"kept")
    (files.folder / "contents" / ("0" * 64)).write_bytes(b"without a file")
    (files.folder / "uploads" / "tmp1").write_bytes(b"half of a file")
    (files.folder / "uploads" / "tmp2").write_bytes(b"still arriving")
    for path in files.folder.rglob("*"):
        if path.name != "tmp2":
            _make_old(path)
    async with files.ingestion(*HANGING):
        deadline = time.monotonic() + 20
        while "uploads/tmp1" in (names := _names(files)) or len(names) > 3:
            assert time.monotonic() < deadline, names
            await asyncio.sleep(0.02)
    assert f"contents/{kept.sha256}" in names
    assert "uploads/tmp2" in names


def _names(files: Files) -> set[str]:
    paths = [path for path in files.folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(files.folder)) for path in paths}


def _all() -> PageRequest:
    return PageRequest(limit=100)


def _make_old(path: Path) -> None:
    time_ago = time.time() - ABANDONED_SECONDS - 60
    os.utime(path, (time_ago, time_ago))


async def _age(files: Files) -> None:
    """Make it look as if the process that reads the files had ended some time ago."""
    async with files.database.write_transaction() as connection:
        query = update(files_table).values(touched_at=utc_now() - 2 * ABANDONED_AFTER)
        await connection.execute(query)


async def _wait_until_nothing_is_stored(files: Files) -> None:
    deadline = time.monotonic() + 20
    while files.stored():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_progress_counts_reading_and_storing(files: Files) -> None:
    file = await files.upload(b"One sentence is here. " * 200_000)
    shares = []
    async with files.ingestion():
        while (current := await files.repository.get(file.id)).status != "processed":
            shares.append(current.progress)
            await asyncio.sleep(0.1)
    assert shares == sorted(shares)
    assert 0.5 < shares[-1] <= 1
