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
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import IO

from pydantic_core import from_json, to_json

from backend.images.clean_image import CleanImage
from backend.images.cleaning import UnreadableImageError, clean
from backend.images.limits import MEMORY_BYTES, SECONDS, ImageLimits

_NICENESS = 5  # other requests are more urgent


def main() -> None:
    os.nice(_NICENESS)
    signal.alarm(ceil(SECONDS) + 1)  # the parent ends it sooner, if it is still running
    limits = ImageLimits(**from_json(sys.argv[1]))
    _limit_memory()
    while header := sys.stdin.buffer.readline():
        length, declared_type = from_json(header)
        _write(clean_base64(sys.stdin.buffer.read(length), declared_type, limits))


def clean_base64(encoded: bytes, declared_type: str, limits: ImageLimits) -> CleanImage | str:
    """Return the image to send for bytes in base64, or why it is not sent."""
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
