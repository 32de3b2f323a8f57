"""Import a file: keep it on disk, read it, in a process if it is large, and store its chats."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Annotated, Literal

from pydantic import BaseModel, Field
from pydantic_core import to_json
from sqlalchemy import Table
from starlette.requests import ClientDisconnect

from backend.conversations.batches import Batches
from backend.conversations.conversation import ConversationSummary
from backend.conversations.imports.export_file import is_archive
from backend.conversations.imports.images import ImportedImages, read_images
from backend.conversations.imports.importer import MAX_LISTED, LeftOut
from backend.conversations.imports.limits import ImportLimits
from backend.conversations.imports.read_result import ReadResult
from backend.conversations.imports.stored_rows import MAX_SUMMARIES, Row, read_batch
from backend.conversations.imports.worker import DISK_FAILURE_STATUS, read
from backend.database.database import Database
from backend.database.tables import conversations, messages
from backend.errors import (
    ClientDisconnectedError,
    DatabaseUnavailableError,
    InvalidRequestError,
    TooManyRequestsError,
)
from backend.images.limits import ImageLimits
from backend.images.processor import image_limits
from backend.images.storage import ImageStorage
from backend.images.store import ImageStore
from backend.settings import Settings

_ROOT = Path(__file__).resolve().parents[3]
_COMMAND = (sys.executable, "-m", "backend.conversations.imports.worker")
# A process takes half a second to start. Reading a file as small as this takes less, and so little
# memory that no limit on it is needed.
SMALL_BYTES = 64 * 1024
_WRITE_BYTES = 1024 * 1024  # of a body, written to disk at once

logger = logging.getLogger(__name__)


class ImportResult(BaseModel):
    object: Literal["list"] = "list"
    data: Annotated[
        list[ConversationSummary],
        Field(description=f"The imported conversations, the first {MAX_SUMMARIES:,} of them."),
    ]
    imported_count: Annotated[int, Field(description="How many conversations were imported.")]
    left_out: Annotated[
        list[LeftOut],
        Field(
            description=f"Chats and parts of chats that were not imported, {MAX_LISTED} at most."
        ),
    ]
    left_out_count: Annotated[int, Field(description="How many there are of these.")]


class ImportRunner:
    """Imports files one after the other; a few more may wait, on disk."""

    def __init__(self, settings: Settings, database: Database, folder: str) -> None:
        self._settings = settings
        self._batches = Batches(database)
        self._folder = folder
        self._images = ImageStore(database, ImageStorage(settings.data_dir / "images"))
        self._count = 0
        self._running = asyncio.Lock()

    @contextmanager
    def file(self) -> Iterator[IO[bytes]]:
        """Yield a temporary file for one import.

        Raises:
            TooManyRequestsError: Too many imports are waiting.
        """
        if self._count == self._settings.max_imports:
            raise TooManyRequestsError(
                f"{self._count} imports are running or waiting (SMOLCHAT_MAX_IMPORTS). Try again."
            )
        self._count += 1
        try:
            with _disk_errors(), TemporaryFile(dir=self._folder) as file:
                yield file
        finally:
            self._count -= 1

    async def run(self, file: IO[bytes]) -> ImportResult:
        """Import what is in a file: all of it, or nothing if that fails.

        Raises:
            SmolChatError, RequestValidationError: See `parse_import`; or reading takes too long, or
                the database failed.
        """
        async with self._running:
            with (
                _disk_errors(),
                TemporaryFile(dir=self._folder) as rows,
                TemporaryDirectory(dir=self._folder, prefix="images-") as image_folder,
            ):
                await self._read(file, rows, image_folder)
                result = await asyncio.to_thread(ReadResult.load, rows)
                if result.error is not None:
                    raise result.error
                images = await asyncio.to_thread(read_images, image_folder)
                async with self._images.holding(images), self._batches.adding() as batch:
                    for table, start, end in (
                        (conversations, result.messages_end, result.rows_end),
                        (messages, 0, result.messages_end),
                    ):
                        rows.seek(start)
                        while rows.tell() < end:
                            added = await asyncio.to_thread(_read_rows, rows, table)
                            await self._batches.insert(batch, table, added)
        return ImportResult(
            data=result.summaries,
            imported_count=result.report.conversation_count,
            left_out=result.report.left_out,
            left_out_count=result.report.left_out_count,
        )

    async def _read(self, file: IO[bytes], rows: IO[bytes], image_folder: str) -> None:
        """Read `file` and write its rows: in a process, unless it is small and has no images."""
        file.flush()
        limits = ImportLimits.from_settings(self._settings)
        is_large = os.fstat(file.fileno()).st_size > SMALL_BYTES
        if is_large or is_archive(file) or _may_have_images(file):
            await self._read_in_process(file, rows, limits, image_folder)
        else:
            images = ImportedImages(image_folder, image_limits(self._settings), _leave_out)
            await asyncio.to_thread(read, file, rows, limits, self._folder, images)

    async def _read_in_process(
        self, file: IO[bytes], rows: IO[bytes], limits: ImportLimits, image_folder: str
    ) -> None:
        settings = self._settings
        os.lseek(file.fileno(), 0, os.SEEK_SET)  # where the process begins to read
        options = (
            to_json(asdict(limits)).decode(),
            str(settings.import_memory_bytes),
            str(ceil(settings.import_seconds)),
            self._folder,
            image_folder,
            to_json(asdict(image_limits(settings))).decode(),
        )
        process = await asyncio.create_subprocess_exec(
            *(*_COMMAND, *options),
            stdin=file,
            stdout=rows,
            cwd=_ROOT,
            start_new_session=True,  # Ctrl-C is for the API, which ends the process
        )
        try:
            async with asyncio.timeout(settings.import_seconds):
                status = await process.wait()
        except TimeoutError:
            raise InvalidRequestError(
                f"Reading the file takes longer than {settings.import_seconds:g} s "
                "(SMOLCHAT_IMPORT_SECONDS). Import it in several parts."
            ) from None
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if status == DISK_FAILURE_STATUS:
            raise _disk_failure()
        if status:
            raise InvalidRequestError(
                "The file cannot be read: it may need too much memory "
                "(SMOLCHAT_IMPORT_MEMORY_BYTES). Import it in several parts."
            )


async def write_body(body: AsyncIterator[bytes], file: IO[bytes]) -> None:
    """Write a request's body to a file as it arrives.

    Raises:
        ClientDisconnectedError: The client left before its end.
    """
    buffer = bytearray()
    try:
        async for chunk in body:
            buffer += chunk
            if len(buffer) >= _WRITE_BYTES:
                await asyncio.to_thread(file.write, buffer)
                buffer = bytearray()
    except ClientDisconnect:
        raise ClientDisconnectedError("The client disconnected.") from None
    await asyncio.to_thread(file.write, buffer)


def _may_have_images(file: IO[bytes]) -> bool:
    file.seek(0)
    return b"data:image" in file.read(SMALL_BYTES)


def _leave_out(_encoded: bytes, _declared_type: str, _limits: ImageLimits) -> str:
    """Leave out an image that is hidden by escapes: it is not read in the API's own process."""
    return "is not written as a data: URL"


def _read_rows(rows: IO[bytes], table: Table) -> list[Row]:
    return read_batch(rows.readline(), table)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        logger.error("A temporary file of an import failed: %s", error)  # noqa: TRY400
        raise _disk_failure() from error


def _disk_failure() -> DatabaseUnavailableError:
    return DatabaseUnavailableError(
        "The API cannot write a temporary file for the import: the disk may be full. Its log has "
        "the details."
    )
