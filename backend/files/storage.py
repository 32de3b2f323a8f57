"""The bytes of uploaded files on disk, named by their SHA-256, and the texts that were read."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from backend.content_folder import abandoned_files, storage_errors

# What nothing refers to is deleted after this time: an upload may be about to refer to it.
ABANDONED_SECONDS = 600.0


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
        with _storage_errors():
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
        with _storage_errors():
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
        for path in abandoned_files(self._uploads, ABANDONED_SECONDS):
            path.unlink(missing_ok=True)

    def old_contents(self) -> list[str]:
        """Return the hashes of contents that were not stored just now."""
        return [path.name for path in abandoned_files(self._contents, ABANDONED_SECONDS)]


def _storage_errors() -> AbstractContextManager[None]:
    return storage_errors("file", "Delete files")
