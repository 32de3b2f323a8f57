"""Locks that show whether a process of the API still runs, also in another container.

Each process locks a file of its own until it ends, however it ends. Process ids tell nothing of a
container that was started again: in there they count from 1, as before.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

_FORGOTTEN_AFTER_SECONDS = 24 * 60 * 60


class ProcessLocks:
    """Locks in a folder, for all processes of one machine that share it.

    A folder that cannot be written to, or that others do not share, is no error: then they do not
    know whether this process runs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None

    def hold(self, process_id: str) -> None:
        """Lock the file of this process."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._remove_old()
            self._file = os.open(self._path(process_id), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.release(process_id)

    def release(self, process_id: str) -> None:
        """Remove the file of this process, which has ended its work."""
        if self._file is not None:
            with suppress(OSError):
                self._path(process_id).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def is_free(self, process_id: str) -> bool:
        """Return True if a process of this machine has ended; False if that cannot be known."""
        return process_id.isalnum() and _is_free(self._path(process_id))

    def _path(self, process_id: str) -> Path:
        return self._folder / f"{process_id}.lock"

    def _remove_old(self) -> None:
        """Remove files of processes that were killed, after a day."""
        for path in self._folder.glob("*.lock"):
            is_old = time.time() - path.stat().st_mtime > _FORGOTTEN_AFTER_SECONDS
            if is_old and _is_free(path):
                path.unlink(missing_ok=True)


def _is_free(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        # Shared, so that several processes can look at the same time.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(file)
