"""Read uploaded files in the background, make them searchable, and delete all that is left of one.

What is to be done is in the database alone, so that it goes on after the process was killed, and
several processes can share it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.database import Database
from backend.errors import DatabaseUnavailableError, SmolChatError
from backend.files.reading.errors import ReadError
from backend.files.reading.reader_pool import ReaderPool
from backend.files.reading.text_writer import DocumentFile, TextFile
from backend.files.repository import MAX_ATTEMPTS, FileRepository, StoredFile, is_content_used
from backend.files.retrieval.index import PassageIndex
from backend.files.storage import FileStorage

_POLL_SECONDS = 5.0  # between two looks for files that another process was sent
_PROGRESS_SECONDS = 1.0
_CLEANUP_SECONDS = 60.0
_RUN_SECONDS = 1.0  # between uploads that follow each other
_GATHER_SECONDS = 0.2
_SHORT_CHARACTERS = 32 * 1024  # of a text that is stored together with others
_RETRY_SECONDS = 2.0  # after the database failed

logger = logging.getLogger(__name__)


class Ingestion:
    def __init__(
        self, database: Database, storage: FileStorage, reader: ReaderPool, index: PassageIndex
    ) -> None:
        self._database = database
        self._files = FileRepository(database)
        self._storage = storage
        self._reader = reader
        self._index = index
        self._uploaded = asyncio.Queue[None](maxsize=1)  # an item wakes one worker
        self._uploaded_at = -inf
        self._is_run_of_uploads = False
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._discarding: set[str] = set()

    @asynccontextmanager
    async def running(self, workers: int) -> AsyncIterator[None]:
        """Read files until the end of the block; what is being read then starts again later."""
        with suppress(DatabaseUnavailableError):  # it is in the log
            await self._files.release_abandoned(is_starting=True)
        tasks = [asyncio.create_task(self._work()) for _ in range(workers)]
        tasks.append(asyncio.create_task(self._clean_up()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def notify(self) -> None:
        """Begin to read a file that was just uploaded."""
        now = time.monotonic()
        self._is_run_of_uploads = now - self._uploaded_at < _RUN_SECONDS
        self._uploaded_at = now
        self._wake_worker()

    def _wake_worker(self) -> None:
        with suppress(asyncio.QueueFull):
            self._uploaded.put_nowait(None)

    async def delete(self, file_id: str) -> None:
        """Delete a file: when this returns, its index, its text and its bytes are gone.

        Raises:
            UploadedFileNotFoundError: There is none with this id.
        """
        file = await self._files.mark_deleted(file_id)
        await asyncio.shield(asyncio.create_task(self._discard(file.id, file.sha256)))

    async def _work(self) -> None:
        while True:
            try:
                files, has_more = await self._files.claim()
            except DatabaseUnavailableError:  # it is in the log
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if has_more:
                self._wake_worker()
            if files:
                await self._run(files)
            else:
                await self._wait_for_upload()

    async def _wait_for_upload(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await self._uploaded.get()
        if self._is_run_of_uploads:  # many are read together with much less work
            await asyncio.sleep(_GATHER_SECONDS)

    async def _run(self, files: Sequence[StoredFile]) -> None:
        """Read files one after the other, and store those with little text together."""
        read: list[_ReadFile] = []
        try:
            async with self._reporting(files) as progress:
                for file in files:
                    await self._run_one(file, self._read(file, progress, read))
                await self._store_together(read)
        except asyncio.CancelledError:  # the API shuts down
            for file in files:
                with suppress(DatabaseUnavailableError):
                    await self._files.release(file.id, attempts=file.attempts - 1)
            raise

    async def _run_one(self, file: StoredFile, work: Coroutine[Any, Any, None]) -> None:
        """Run what ends when the file is deleted."""
        task = self._reading[file.id] = asyncio.create_task(self._handle_errors(file, work))
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            del self._reading[file.id]

    async def _handle_errors(self, file: StoredFile, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ReadError as error:
            await self._fail(file, error.code, error.message)
        except DatabaseUnavailableError as error:
            await asyncio.sleep(_RETRY_SECONDS)
            if file.attempts >= MAX_ATTEMPTS:  # it may be this file that the database refuses
                await self._fail(file, error.code, error.message)
            else:
                with suppress(DatabaseUnavailableError):
                    await self._files.release(file.id, attempts=file.attempts)
        except SmolChatError as error:
            await self._fail(file, error.code, error.message)
        except Exception:
            logger.exception("A file could not be read")
            message = "The API failed to read the file. Its log has the details."
            await self._fail(file, "internal_error", message)

    async def _read(self, file: StoredFile, progress: "_Progress", read: list["_ReadFile"]) -> None:
        """Read a file; store its text, or add it to `read` if it is short."""
        progress.begin(file.id)
        source = self._storage.content_path(file.sha256)
        target = await asyncio.to_thread(self._storage.create_text, file.id)
        document = await self._reader.read(
            source, file.filename, target, on_progress=progress.set_read
        )
        if document.text.characters <= _SHORT_CHARACTERS:
            read.append(_ReadFile(file, document))
        else:
            await self._store([_ReadFile(file, document)], progress)

    async def _store_together(self, read: Sequence["_ReadFile"]) -> None:
        """Store short files; if that fails, each on its own, since one of them may be the cause."""
        try:
            await self._store(read)
        except Exception:
            for one in read:
                await self._run_one(one.file, self._store([one]))

    async def _store(
        self, read: Sequence["_ReadFile"], progress: "_Progress | None" = None
    ) -> None:
        documents = {one.file.id: _CountedDocument(one.document, progress) for one in read}
        warnings = {one.file.id: one.document.warning for one in read}

        async def finish(connection: AsyncConnection, file_id: str) -> None:
            await self._files.finish(connection, file_id, warning=warnings[file_id])

        await self._index.add_all(documents, at_end=finish)

    async def _fail(self, file: StoredFile, code: str, message: str) -> None:
        with suppress(DatabaseUnavailableError):  # then it is abandoned, and tried again later
            await self._delete_index(file.id)
            await self._files.fail(file.id, code, message)

    @asynccontextmanager
    async def _reporting(self, files: Sequence[StoredFile]) -> AsyncIterator["_Progress"]:
        """Store how far a file has been read, which also says that somebody reads these."""
        progress = _Progress()
        report = asyncio.create_task(self._report([file.id for file in files], progress))
        try:
            yield progress
        finally:
            report.cancel()
            await asyncio.wait([report])

    async def _report(self, claimed: Sequence[str], progress: "_Progress") -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            file_id = progress.file_id
            with suppress(DatabaseUnavailableError):
                is_there = await self._files.report_progress(
                    file_id, progress.share, claimed=claimed
                )
                if not is_there and (task := self._reading.get(file_id)):
                    task.cancel()  # another process deleted it

    async def _discard(self, file_id: str, sha256: str) -> None:
        """Delete what there is of a file that is marked as deleted, and its row at the end."""
        self._discarding.add(file_id)
        try:
            if task := self._reading.get(file_id):
                task.cancel()
                await asyncio.wait([task])
            await self._delete_index(file_id)
            await self._files.delete(file_id)
            await self._discard_content(sha256)
        finally:
            self._discarding.discard(file_id)

    async def _delete_index(self, file_id: str) -> None:
        await self._index.remove(file_id)
        await asyncio.to_thread(self._storage.delete_text, file_id)

    async def _discard_content(self, sha256: str) -> None:
        """Delete bytes that no file has, while no upload can refer to them."""
        async with self._database.write_transaction() as connection:
            if not await is_content_used(connection, sha256):
                await asyncio.to_thread(self._storage.delete_content, sha256)

    async def _clean_up(self) -> None:
        """Do now and then what a process that was killed has left undone."""
        while True:
            try:
                await self._files.release_abandoned(is_starting=False)
                for file_id, sha256 in await self._files.list_deleted():
                    if file_id not in self._discarding:
                        await self._discard(file_id, sha256)
                await asyncio.to_thread(self._storage.delete_abandoned_uploads)
                for sha256 in await self._unused_contents():
                    await self._discard_content(sha256)
            except DatabaseUnavailableError:
                pass  # it is in the log
            except OSError as error:
                logger.error("Files that are left cannot be deleted: %s", error)  # noqa: TRY400
            await asyncio.sleep(_CLEANUP_SECONDS)

    async def _unused_contents(self) -> list[str]:
        stored = await asyncio.to_thread(self._storage.old_contents)
        used = await self._files.list_hashes()
        return [sha256 for sha256 in stored if sha256 not in used]


@dataclass(frozen=True)
class _ReadFile:
    file: StoredFile
    document: DocumentFile


class _Progress:
    """The share of the work on a file that is done: half is reading, half storing passages."""

    def __init__(self) -> None:
        self.file_id = ""
        self.share = 0.0

    def begin(self, file_id: str) -> None:
        self.file_id, self.share = file_id, 0.0

    def set_read(self, share: float) -> None:
        self.share = share / 2

    def set_stored(self, share: float) -> None:
        self.share = (1 + share) / 2


class _CountedText:
    """A text that says how far it was read, from its beginning to its end."""

    def __init__(self, text: TextFile, progress: _Progress | None) -> None:
        self._text = text
        self._progress = progress

    @property
    def characters(self) -> int:
        return self._text.characters

    def slice(self, start: int, end: int) -> str:
        if self._progress:
            self._progress.set_stored(start / max(self.characters, 1))
        return self._text.slice(start, end)


class _CountedDocument:
    def __init__(self, document: DocumentFile, progress: _Progress | None) -> None:
        self.text = _CountedText(document.text, progress)
        self.sections = document.sections
