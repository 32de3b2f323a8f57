"""The bytes of uploaded files on disk, named by their SHA-256, and the texts that were read."""

import errno
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from backend.errors import FileStorageError, SmolChatError

# What nothing refers to is deleted after this time: an upload may be about to refer to it.
ABANDONED_SECONDS = 600.0

logger = logging.getLogger(__name__)


class FileStorage:
    """A folder that only its owner can read. Names in it are made here, never by a client."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._uploads = folder / "uploads"
        self._contents = folder / "contents"
        self._texts = folder / "texts"

    @contextmanager
    def temporary_file(self) -> Iterator[IO[bytes]]:
        """Yield a named file for an upload, which is deleted unless `store` takes it.

        Raises:
            FileStorageError: The disk failed, here or in the block.
        """
        with storage_errors():
            for folder in (self._folder, self._uploads, self._contents, self._texts):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._uploads, delete=False) as file:  # with mode 0600
                try:
                    yield file
                finally:
                    Path(file.name).unlink(missing_ok=True)

    def content_path(self, sha256: str) -> Path:
        return self._contents / sha256

    def text_path(self, file_id: str) -> Path:
        return self._texts / file_id

    def has_texts(self) -> bool:
        """Return True if any file has been read."""
        try:
            with os.scandir(self._texts) as entries:
                return next(entries, None) is not None
        except OSError:
            return False

    def create_text(self, file_id: str) -> Path:
        """Create the file for a text, so that whatever writes it need not make it private."""
        with storage_errors():
            path = self.text_path(file_id)
            path.touch(mode=0o600)
        return path

    def store(self, upload: IO[bytes], sha256: str) -> None:
        """Move an upload to its place, over the same bytes if they are there."""
        Path(upload.name).replace(self.content_path(sha256))

    def delete_content(self, sha256: str) -> None:
        self.content_path(sha256).unlink(missing_ok=True)

    def delete_text(self, file_id: str) -> None:
        self.text_path(file_id).unlink(missing_ok=True)

    def delete_abandoned_uploads(self) -> None:
        """Delete what a process has left that ended in the middle of an upload."""
        for path in _abandoned(self._uploads):
            path.unlink(missing_ok=True)

    def old_contents(self) -> list[str]:
        """Return the hashes of contents that were not stored just now."""
        return [path.name for path in _abandoned(self._contents)]


@contextmanager
def storage_errors() -> Iterator[None]:
    """Log errors of the disk and raise FileStorageError instead."""
    try:
        yield
    except OSError as error:
        logger.error("A file could not be stored or read: %s", error)  # noqa: TRY400
        raise storage_error(error) from error


def storage_error(error: OSError) -> SmolChatError:
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    reason = "its disk is full" if is_full else "its disk failed"
    return FileStorageError(
        f"The API cannot store the file: {reason}. Delete files, or set SMOLCHAT_DATA_DIR to "
        "another folder. The API's log has the details."
    )


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
