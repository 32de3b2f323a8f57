"""The process that reads a file for import: `python -m backend.conversations.imports.worker`.

Its arguments are the limits as JSON, the memory it may use in bytes, the time in seconds, a folder
for temporary files, one for images, and the limits of images as JSON. Standard input is the file.
Standard output is a file, too: it gets the rows and the `ReadResult`.
"""

import os
import resource
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from fastapi.exceptions import RequestValidationError
from pydantic_core import from_json

from backend.conversations.imports.images import ImportedImages
from backend.conversations.imports.importer import ImportReport, parse_import
from backend.conversations.imports.limits import ImportLimits
from backend.conversations.imports.read_result import ReadResult
from backend.conversations.imports.stored_rows import RowWriter
from backend.errors import SmolChatError
from backend.images.limits import ImageLimits

DISK_FAILURE_STATUS = 74  # EX_IOERR of sysexits.h
_NICENESS = 5  # requests of other clients are more urgent
_PAGE_BYTES = resource.getpagesize()


def main() -> None:
    limits_json, memory_bytes, seconds, folder, image_folder, image_limits_json = sys.argv[1:]
    from backend.images.worker import clean_base64  # noqa: PLC0415  # Pillow is for this process

    image_limits = ImageLimits(**from_json(image_limits_json))
    images = ImportedImages(image_folder, image_limits, clean_base64)
    os.nice(_NICENESS)
    signal.alarm(int(seconds) + 1)  # the parent ends it sooner, if it is still running
    source, output = os.fdopen(0, "rb"), os.fdopen(1, "wb")
    _limit_memory(int(memory_bytes) + 2 * os.fstat(0).st_size)  # it is mapped into memory
    try:
        read(source, output, ImportLimits(**from_json(limits_json)), folder, images)
    except OSError as error:
        print(f"An import cannot be read: {error}", file=sys.stderr)
        os._exit(DISK_FAILURE_STATUS)  # closing `output` would try to write again


def read(
    source: IO[bytes],
    output: IO[bytes],
    limits: ImportLimits,
    folder: str,
    images: ImportedImages,
) -> None:
    """Read `source`, and write what is in it to `output`."""
    with TemporaryFile(dir=folder) as conversation_rows:
        writer = RowWriter(
            conversation_rows,
            output,
            max_row_bytes=limits.max_message_bytes,
            take_images=images.take,
        )
        result = ReadResult(ImportReport(), writer.summaries)
        try:
            result.report = parse_import(
                source, writer, limits, folder=folder, left_out_images=images.left_out
            )
        except (SmolChatError, RequestValidationError) as error:
            result.error = error
        writer.flush()
        result.messages_end = output.tell()
        conversation_rows.seek(0)
        shutil.copyfileobj(conversation_rows, output)
    result.rows_end = output.tell()
    result.dump(output)


def _limit_memory(additional_bytes: int) -> None:
    """Limit this process to the memory it uses now and `additional_bytes`, if the system can."""
    with suppress(OSError, ValueError):
        used_pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = used_pages * _PAGE_BYTES + additional_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
