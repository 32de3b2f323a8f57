"""The process that reads images: `python -m backend.images.worker`.

Its argument is the limits as JSON. Standard input has the images, each after its length and its
declared type; standard output gets for each a line of JSON, followed by the image's bytes.
"""

import base64
import binascii
import os
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import IO, Any

from pydantic_core import from_json, to_json

from backend.images.cleaning import CleanImage, UnreadableImageError, clean
from backend.images.limits import MEMORY_BYTES, SECONDS, ImageLimits

_NICENESS = 5  # other requests are more urgent


def main() -> None:
    os.nice(_NICENESS)
    signal.alarm(ceil(SECONDS) + 1)  # the parent ends it sooner, if it is still running
    limits = ImageLimits(**from_json(sys.argv[1]))
    _limit_memory()
    while header := sys.stdin.buffer.readline():
        length, declared_type = from_json(header)
        _write(_read(sys.stdin.buffer.read(length), declared_type, limits))


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


def _read(encoded: bytes, declared_type: str, limits: ImageLimits) -> CleanImage | str:
    try:
        data = base64.b64decode(encoded.translate(None, b" \t\r\n"), validate=True)
    except binascii.Error:
        return "is not valid base64"
    try:
        return clean(data, declared_type, limits)
    except UnreadableImageError as error:
        return str(error)


def _write(result: CleanImage | str) -> None:
    output: IO[bytes] = sys.stdout.buffer
    if isinstance(result, str):
        output.write(to_json({"error": result}) + b"\n")
    else:
        header = asdict(result)
        header["size"] = len(header.pop("data"))
        output.write(to_json(header) + b"\n")
        output.write(result.data)
    output.flush()


def _limit_memory() -> None:
    """Limit this process to the memory it uses now and that of an image."""
    if sys.platform == "linux":  # elsewhere the limit has no effect
        used_pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = used_pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
