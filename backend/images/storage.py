"""The bytes of stored images on disk, named by their SHA-256."""

import errno
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from backend.errors import FileStorageError

# What nothing refers to is deleted after this time: an import may be about to refer to it.
ABANDONED_SECONDS = 3600.0

logger = logging.getLogger(__name__)


class ImageStorage:
    """A folder that only its owner can read. Names in it are hashes, never a client's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.uploads = folder / "uploads"
        self._contents = folder / "contents"

    def create_folders(self) -> None:
        """Create the folders that uploads and contents are in."""
        with storage_errors():
            for folder in (self._folder, self.uploads, self._contents):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write_upload(self, data: bytes) -> Path:
        """Write the bytes of an image to a file that `store` moves to its place."""
        self.create_folders()
        with (
            storage_errors(),
            NamedTemporaryFile(dir=self.uploads, delete=False) as file,  # with mode 0600
        ):
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # before the row that says that the bytes are there
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
            return Path(file.name)

    def store(self, upload: Path, sha256: str) -> None:
        """Move an upload to its place, over the same bytes if they are there."""
        with storage_errors():
            upload.replace(self._contents / sha256)

    def read(self, sha256: str) -> bytes | None:
        """Return the bytes of an image, or None if it was deleted."""
        with storage_errors():
            try:
                return (self._contents / sha256).read_bytes()
            except FileNotFoundError:
                return None

    def delete(self, sha256: str) -> None:
        (self._contents / sha256).unlink(missing_ok=True)

    def delete_abandoned_uploads(self) -> None:
        """Delete what a process has left that ended before it stored an image."""
        for path in _abandoned(self.uploads):
            path.unlink(missing_ok=True)

    def old_contents(self) -> list[str]:
        """Return the hashes of images that were not stored just now."""
        return [path.name for path in _abandoned(self._contents)]


@contextmanager
def storage_errors() -> Iterator[None]:
    """Log errors of the disk and raise FileStorageError instead."""
    try:
        yield
    except OSError as error:
        logger.error("An image could not be stored or read: %s", error)  # noqa: TRY400
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "its disk is full" if is_full else "its disk failed"
        raise FileStorageError(
            f"The API cannot store the image: {reason}. Delete chats, or set SMOLCHAT_DATA_DIR to "
            "another folder. The API's log has the details."
        ) from error


def _abandoned(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    limit = time.time() - ABANDONED_SECONDS
    return [path for path in folder.iterdir() if _modified_at(path) < limit]


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()  # deleted meanwhile
