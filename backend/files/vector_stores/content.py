"""The text of a file of a collection as JSON, in OpenAI's shape, written while it is read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from backend.files.repository import file_not_found

_PART_CHARACTERS = 64 * 1024


def open_text(path: Path, file_id: str) -> TextIO:
    """Open a text that was read.

    Raises:
        UploadedFileNotFoundError: The file was deleted just now.
    """
    try:
        return path.open(encoding="utf-8", newline="")  # no line end is changed
    except FileNotFoundError:
        raise file_not_found(file_id) from None


def content_page(text: TextIO) -> Iterator[bytes]:
    """Yield the JSON of a page with all of a text in parts, and close it."""
    with text:
        yield b'{"object":"vector_store.file_content.page","data":['
        separator = b""
        while part := text.read(_PART_CHARACTERS):
            yield separator + json.dumps({"type": "text", "text": part}).encode()
            separator = b","
        yield b'],"has_more":false,"next_page":null}'
