"""Stored images: their rows, which messages have them, and their deletion with the last of these.

A new image is held by a reference without a message until the message is stored. Whoever adds or
drops a reference locks the image's row first, so that no image is deleted while one is added.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Insert, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.database import Database
from backend.database.tables import image_references, images
from backend.database.types import new_id, utc_now
from backend.errors import ImageNotFoundError
from backend.images.clean_image import CleanImage, NewImage, StoredImage, described
from backend.images.parts import referenced_images
from backend.images.storage import ABANDONED_SECONDS, ImageStorage
from backend.model_server.answers.json_text import parse_json

_MAX_DISCARDED = 50  # images that are deleted in one transaction
_MAX_HELD = 50  # and that are stored in one

Row = dict[str, Any]


class ImageStore:
    def __init__(self, database: Database, storage: ImageStorage) -> None:
        self._database = database
        self._storage = storage

    async def get(self, sha256: str) -> tuple[StoredImage, bytes]:
        """Return an image and its bytes.

        Raises:
            ImageNotFoundError: No message has it.
        """
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(_select([sha256]))).one_or_none()
        data = await asyncio.to_thread(self._storage.read, sha256) if row else None
        if row is None or data is None:
            raise ImageNotFoundError("No stored message has this image; it may have been deleted.")
        return StoredImage(*row), data

    async def add(self, new: Sequence[CleanImage]) -> None:
        """Store images for messages that are about to be stored.

        Raises:
            SmolChatError: The disk or the database failed.
        """
        if not new:
            return
        uploads = []
        for image in new:
            path = await asyncio.to_thread(self._storage.write_upload, image.data)
            uploads.append(NewImage(described(image), path))
        await self._hold(None, uploads)

    @asynccontextmanager
    async def holding(self, uploads: Sequence[NewImage]) -> AsyncIterator[None]:
        """Store images that are in files already, and keep them during the block.

        The files are deleted at its end.
        """
        hold = new_id()
        try:
            for start in range(0, len(uploads), _MAX_HELD):
                await self._hold(hold, uploads[start : start + _MAX_HELD])
            yield
        finally:
            await asyncio.shield(asyncio.create_task(self._release(hold, uploads)))

    async def discard_unused(self) -> None:
        """Delete the images that no message has any more, and files without a row."""
        while unused := await self._unused():
            await self._discard(unused)

    async def discard_abandoned(self) -> None:
        """Delete what processes have left that ended while they stored images."""
        old = utc_now() - timedelta(seconds=ABANDONED_SECONDS)
        is_held = image_references.c.message.is_(None) & (image_references.c.created_at < old)
        async with self._database.write_transaction() as connection:
            await connection.execute(delete(image_references).where(is_held))
        await asyncio.to_thread(self._storage.delete_abandoned_uploads)
        contents = await asyncio.to_thread(self._storage.old_contents)
        for start in range(0, len(contents), _MAX_DISCARDED):
            await self._discard(contents[start : start + _MAX_DISCARDED])

    async def _hold(self, hold: str | None, uploads: Sequence[NewImage]) -> None:
        rows = {
            each.image.sha256: each.image._asdict() | {"created_at": utc_now()} for each in uploads
        }
        await asyncio.to_thread(self._storage.create_folders)
        async with self._database.write_transaction() as connection:
            for sha256 in sorted(rows):  # in one order, so that no two wait for each other
                await connection.execute(self._upsert(), rows[sha256])
            await _add_references(connection, {(sha256, None) for sha256 in rows}, hold)
            for each in uploads:
                self._storage.store(each.upload, each.image.sha256)  # a rename: microseconds

    async def _release(self, hold: str, uploads: Sequence[NewImage]) -> None:
        for each in uploads:
            each.upload.unlink(missing_ok=True)
        query = delete(image_references).where(image_references.c.hold == hold)
        async with self._database.write_transaction() as connection:
            await connection.execute(query)
        await self.discard_unused()

    def _upsert(self) -> Insert:
        """Return the statement that adds the row of an image, or locks the one that is there."""
        is_sqlite = self._database.dialect == "sqlite"
        query = (sqlite.insert if is_sqlite else postgresql.insert)(images)
        return query.on_conflict_do_update(
            index_elements=[images.c.sha256], set_={"bytes": images.c.bytes}
        )

    async def _unused(self) -> list[str]:
        is_used = select(image_references.c.id).where(image_references.c.image == images.c.sha256)
        query = select(images.c.sha256).where(~is_used.exists()).limit(_MAX_DISCARDED)
        async with self._database.read_transaction() as connection:
            return list((await connection.execute(query)).scalars())

    async def _discard(self, hashes: Sequence[str]) -> None:
        """Delete those of these images that nothing refers to."""
        async with self._database.write_transaction() as connection:
            # Locked, and the references read after that: one may have been added meanwhile.
            await connection.execute(_select(hashes).order_by(images.c.sha256).with_for_update())
            query = select(image_references.c.image).where(image_references.c.image.in_(hashes))
            used = set((await connection.execute(query)).scalars())
            unused = [sha256 for sha256 in hashes if sha256 not in used]
            await connection.execute(delete(images).where(images.c.sha256.in_(unused)))
            for sha256 in unused:
                await asyncio.to_thread(self._storage.delete, sha256)


async def add_references(
    connection: AsyncConnection, rows: Iterable[Row], *, ends_hold: bool = False
) -> None:
    """Record which stored images new messages have; `rows` are as they are inserted.

    `ends_hold`: `ImageStore.add` has stored the images for these messages.
    """
    added: set[tuple[str, str | None]] = {
        (sha256, str(row["id"]))
        for row in rows
        if row.get("parts")
        for sha256 in referenced_images(_parts(row["parts"]))
    }
    if not added:
        return
    await _add_references(connection, added)
    if ends_hold:
        for sha256 in {sha256 for sha256, _ in added}:
            await connection.execute(delete(image_references).where(_is_hold_of(sha256)))


async def _add_references(
    connection: AsyncConnection, added: set[tuple[str, str | None]], hold: str | None = None
) -> None:
    """Add references to those images that exist, whose rows are locked by this."""
    hashes = {sha256 for sha256, _ in added}
    query = _select(hashes).order_by(images.c.sha256).with_for_update()
    existing = {row.sha256 for row in await connection.execute(query)}
    rows = [
        {"id": new_id(), "image": sha256, "message": message, "hold": hold, "created_at": utc_now()}
        for sha256, message in added
        if sha256 in existing
    ]
    if rows:
        await connection.execute(insert(image_references), rows)


def _is_hold_of(sha256: str) -> ColumnElement[bool]:
    """Return the condition that a reference is one of those with which `add` holds an image."""
    holds = select(image_references.c.id).where(
        image_references.c.image == sha256,
        image_references.c.message.is_(None),
        image_references.c.hold.is_(None),
    )
    return image_references.c.id == holds.limit(1).scalar_subquery()


def _select(hashes: Iterable[str]) -> Any:
    columns = (images.c[name] for name in StoredImage._fields)
    return select(*columns).where(images.c.sha256.in_(list(hashes)))


def _parts(value: Any) -> Any:
    """Return the parts of a row, which may be JSON as it is stored."""
    if not isinstance(value, str):
        return value
    return parse_json(value.encode()) if "/images/" in value else None
