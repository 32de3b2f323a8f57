"""What the process that reads images is sent, and what it answers: nothing here reads an image."""

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json

from backend.images.clean_image import CleanImage


def pack_images(images: list[tuple[str, str]]) -> Iterator[bytes]:
    """Yield what the process reads: of each image the declared type, and its bytes in base64."""
    for declared_type, encoded in images:
        data = encoded.encode("ascii", "replace")
        yield to_json([len(data), declared_type]) + b"\n"
        yield data


def unpack_images(output: bytes) -> Iterator[CleanImage | str]:
    """Yield what the process wrote for each image: what to send, or why it is not sent."""
    position = 0
    while (end := output.find(b"\n", position)) >= 0:
        header: dict[str, Any] = from_json(output[position:end])
        position = end + 1
        if reason := header.get("error"):
            yield reason
            continue
        size = header.pop("size")
        if len(output) < position + size:
            return  # the process was ended
        yield CleanImage(data=output[position : position + size], **header)
        position += size
