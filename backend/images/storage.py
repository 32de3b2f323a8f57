"""The bytes of stored images on disk, named by their SHA-256."""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import NamedTemporaryFile

from backend.content_folder import abandoned_files, storage_errors

# What nothing refers to is deleted after this time: an import may be about to refer to it.
ABANDONED_SECONDS = 3600.0


class ImageStorage:
    """A folder that only its owner can read. Names in it are hashes, never a client's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.uploads = folder / "uploads"
        self._contents = folder / "contents"

    def create_folders(self) -> None:
        """Create the folders that uploads and contents are in."""
        with _storage_errors():
            for folder in (self._folder, self.uploads, self._contents):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write_upload(self, data: bytes) -> Path:
        """Write the bytes of an image to a file that `store` moves to its place."""
        self.create_folders()
        with (
            _storage_errors(),
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
        with _storage_errors():
            upload.replace(self._contents / sha256)

    def read(self, sha256: str) -> bytes | None:
        """Return the bytes of an image, or None if it was deleted."""
        with _storage_errors():
            try:
                return (self._contents / sha256).read_bytes()
            except FileNotFoundError:
                return None

    def delete(self, sha256: str) -> None:
        (self._contents / sha256).unlink(missing_ok=True)

    def delete_abandoned_uploads(self) -> None:
        """Delete what a process has left that ended before it stored an image."""
        for path in abandoned_files(self.uploads, ABANDONED_SECONDS):
            path.unlink(missing_ok=True)

    def old_contents(self) -> list[str]:
        """Return the hashes of images that were not stored just now."""
        return [path.name for path in abandoned_files(self._contents, ABANDONED_SECONDS)]


def _storage_errors() -> AbstractContextManager[None]:
    return storage_errors("image", "Delete chats")
