"""An image as it is sent and stored."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True)
class CleanImage:
    """An image as it is sent and stored, and what was changed of it."""

    data: bytes = field(repr=False)
    media_type: str
    width: int
    height: int
    changes: list[str]


class StoredImage(NamedTuple):
    """A row of `images`."""

    sha256: str
    media_type: str
    width: int
    height: int
    bytes: int


class NewImage(NamedTuple):
    """An image to store, and the file with its bytes."""

    image: StoredImage
    upload: Path


def described(image: CleanImage) -> StoredImage:
    """Return the row of a clean image."""
    sha256 = hashlib.sha256(image.data).hexdigest()
    return StoredImage(sha256, image.media_type, image.width, image.height, len(image.data))
