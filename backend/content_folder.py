"""Folders of bytes that are named by their SHA-256: what is abandoned in them, and disk errors."""

import errno
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.errors import FileStorageError

logger = logging.getLogger(__name__)


@contextmanager
def storage_errors(kind: str, remedy: str) -> Iterator[None]:
    """Log errors of the disk and raise FileStorageError instead.

    `kind` is what is stored ("file"), and `remedy` what makes room for it ("Delete files").
    """
    try:
        yield
    except OSError as error:
        logger.error("The %s could not be stored or read: %s", kind, error)  # noqa: TRY400
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "its disk is full" if is_full else "its disk failed"
        raise FileStorageError(
            f"The API cannot store the {kind}: {reason}. {remedy}, or set SMOLCHAT_DATA_DIR to "
            "another folder. The API's log has the details."
        ) from error


def abandoned_files(folder: Path, seconds: float) -> list[Path]:
    """Return the files of a folder, if it exists, that were not written within these seconds."""
    if not folder.is_dir():
        return []
    limit = time.time() - seconds
    return [path for path in folder.iterdir() if _modified_at(path) < limit]


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()  # deleted meanwhile
