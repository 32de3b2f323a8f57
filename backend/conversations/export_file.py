"""Read the files that chat programs export: JSON, JSON Lines, or a ZIP archive of these."""

import re
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from backend.errors import InvalidRequestError
from backend.http.json_route import parse_strict_json
from backend.model_server.answers.json_text import dump_json, parse_json

_ZIP_MAGIC = b"PK\x03\x04"
# In an archive: llama.cpp's web UI writes one JSONL file a chat, ChatGPT `conversations.json` or
# several such files, next to files about the account.
_CHAT_FILE = re.compile(r"(^|/)(conversations(-\d+)?\.json|[^/]+\.jsonl)$", re.IGNORECASE)


@dataclass(frozen=True)
class ExportFile:
    """A file's JSON. That of JSON Lines is a list, with None for a line that is not JSON.

    If it is not strict, strings may hold half characters, and numbers may be infinite.
    """

    value: Any
    is_strict: bool


def read_export_files(body: bytes, *, max_bytes: int) -> list[ExportFile]:
    """Read `body`, which is one file or a ZIP archive of several.

    Raises:
        InvalidRequestError: It is not JSON, or the archive is damaged, has no chats, or unpacks to
            more than `max_bytes`.
    """
    if not body.startswith(_ZIP_MAGIC):
        return [_read_file(body)]
    try:
        with ZipFile(BytesIO(body)) as archive:
            files = [file for file in archive.infolist() if _CHAT_FILE.search(file.filename)]
            _check_size(files, max_bytes)
            return [_read_file(archive.read(file)) for file in files]
    except (BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise InvalidRequestError(
            f"The ZIP archive cannot be read ({error}). Unpack it and import the files in it."
        ) from None


def _check_size(files: list[ZipInfo], max_bytes: int) -> None:
    """Refuse an archive by the sizes it declares, of which no more is unpacked."""
    if not files:
        raise InvalidRequestError(
            "The ZIP archive has no conversations.json and no JSONL file. Import a file in it."
        )
    if sum(file.file_size for file in files) > max_bytes:
        raise InvalidRequestError(
            f"The chats in the ZIP archive have more than {max_bytes:,} bytes, the maximum of an "
            "import. Unpack it and import its files one by one."
        )


def to_strict_json(value: Any) -> Any:
    """Return a part of a file that is not strict as strict JSON.

    Half characters become U+FFFD, and infinite numbers null.
    """
    return parse_json(dump_json(value))


def _read_file(body: bytes) -> ExportFile:
    try:
        return ExportFile(parse_strict_json(body), is_strict=True)
    except ValueError as error:
        if (value := parse_json(body)) is not None:
            return ExportFile(value, is_strict=False)
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) > 1 and isinstance(parse_json(lines[0]), dict):
            return ExportFile([parse_json(line) for line in lines], is_strict=False)
        raise InvalidRequestError(f"Invalid JSON: {error}.") from None
