"""Receive an upload: its file goes to disk as it arrives, and is stored once it is complete."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import IO

from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from backend.database.database import Database
from backend.errors import ClientDisconnectedError, InvalidRequestError, TooManyRequestsError
from backend.files.form import UploadedFile, UploadForm
from backend.files.protocol import Purpose
from backend.files.repository import FileRepository, StoredFile, storage_full
from backend.files.storage import FileStorage
from backend.settings import Settings

MAX_UPLOADS = 64  # at once; each has an open file
_WRITE_BYTES = 256 * 1024  # of a form, parsed and written to disk at once
_PURPOSE: TypeAdapter[Purpose] = TypeAdapter(Purpose)


class Uploads:
    """Receives files. What is being received counts towards the limit on all files."""

    def __init__(self, settings: Settings, database: Database, storage: FileStorage) -> None:
        self._settings = settings
        self._database = database
        self._storage = storage
        self._repository = FileRepository(database)
        self._forms: set[UploadForm] = set()
        self._parsing = asyncio.Lock()

    async def receive(self, body: AsyncIterator[bytes], content_type: str) -> StoredFile:
        """Store the file of a form.

        Raises:
            SmolChatError: It is no such form, it is too large, the client left, or the disk or the
                database failed. Nothing of it is stored then.
        """
        with self._storage.temporary_file() as file:
            form = UploadForm(content_type, file, self._settings.max_file_bytes)
            with self._counted(form):
                rest = await self._write(body, form)
                upload = await self._finish(form, file, rest)
                return await self._store(file, upload, _purpose(upload))

    async def _write(self, body: AsyncIterator[bytes], form: UploadForm) -> bytearray:
        """Write a form as it arrives, but for its last bytes, which are returned."""
        max_bytes = self._settings.max_files_bytes
        stored_bytes: int | None = None
        buffer = bytearray()
        try:
            async for chunk in body:
                buffer += chunk
                if len(buffer) >= _WRITE_BYTES:
                    await self._parse(form, buffer)
                    buffer = bytearray()
                    if stored_bytes is None:  # a smaller upload is only checked when it is stored
                        stored_bytes = await self._repository.total_bytes()
                    if stored_bytes + sum(other.size for other in self._forms) > max_bytes:
                        raise storage_full(max_bytes)
        except ClientDisconnect:
            raise ClientDisconnectedError("The client disconnected.") from None
        return buffer

    async def _finish(self, form: UploadForm, file: IO[bytes], rest: bytearray) -> UploadedFile:
        if form.size:  # syncing much to the disk takes long: others may parse then
            await self._parse(form, rest)
            return await asyncio.to_thread(_finish, form, file, b"")
        async with self._parsing:
            return await asyncio.to_thread(_finish, form, file, bytes(rest))

    async def _parse(self, form: UploadForm, data: bytearray) -> None:
        """Parse and write in a thread, one at a time: parsing a hostile form takes a core."""
        async with self._parsing:
            await asyncio.to_thread(form.write, bytes(data))

    async def _store(self, file: IO[bytes], upload: UploadedFile, purpose: Purpose) -> StoredFile:
        """Add the row and move the bytes while nobody can delete bytes that no row has."""
        max_bytes = self._settings.max_files_bytes
        async with self._database.write_transaction() as connection:
            stored = await self._repository.insert(connection, upload, purpose, max_bytes=max_bytes)
            self._storage.store(file, upload.sha256)  # a rename: it takes microseconds
        return stored

    @contextmanager
    def _counted(self, form: UploadForm) -> Iterator[None]:
        if len(self._forms) >= MAX_UPLOADS:
            raise TooManyRequestsError(f"{MAX_UPLOADS} files are being uploaded. Try again.")
        self._forms.add(form)
        try:
            yield
        finally:
            self._forms.discard(form)


def _finish(form: UploadForm, file: IO[bytes], rest: bytes) -> UploadedFile:
    form.write(rest)
    upload = form.finish()
    file.flush()
    os.fsync(file.fileno())  # before the row that says that the bytes are there
    return upload


def _purpose(upload: UploadedFile) -> Purpose:
    if any(name.startswith("expires_after") for name in upload.fields):
        raise InvalidRequestError(
            "Files do not expire. Leave out `expires_after`, and delete the file when it is not "
            "needed.",
            param="expires_after",
        )
    try:
        return _PURPOSE.validate_python(upload.fields.get("purpose", "user_data"))
    except ValidationError:
        raise InvalidRequestError(
            "purpose: must be assistants, batch, evals, fine-tune, user_data or vision.",
            param="purpose",
        ) from None
