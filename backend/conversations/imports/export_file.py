"""Read the files that chat programs export: JSON, JSON Lines, or a ZIP archive of these."""

import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from tempfile import TemporaryFile
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from backend.conversations.imports.json_scanner import (
    JsonSyntaxError,
    Text,
    array_items,
    skip_space,
    value_end,
)
from backend.errors import InvalidRequestError

_ZIP_MAGIC = b"PK\x03\x04"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# In an archive: llama.cpp's web UI writes one JSONL file a chat, ChatGPT `conversations.json` or
# several such files, next to files about the account.
_CHAT_FILE = re.compile(r"(^|/)(conversations(-\d+)?\.json|[^/]+\.jsonl)$", re.IGNORECASE)
_LINE = re.compile(rb"[^\r\n]+")


@dataclass(frozen=True)
class ExportFile:
    """The text of a file, and where its JSON starts; or, if `is_lines`, its first line."""

    text: Text
    start: int
    is_lines: bool

    def items(self) -> Iterator[bytes]:
        """Yield the lines that are not blank, or the items of the array."""
        if self.is_lines:
            yield from _lines(self.text, self.start)
        else:
            yield from (self.text[a:b] for a, b in array_items(self.text, self.start))


def read_export_files(file: IO[bytes], *, max_bytes: int, folder: str) -> Iterator[ExportFile]:
    """Read `file`, or, if it is a ZIP archive, the files in it, which are unpacked in `folder`.

    Raises:
        InvalidRequestError: It is not JSON, or the archive is damaged, has no chats, or unpacks to
            more than `max_bytes`.
    """
    if not is_archive(file):
        yield from _read_file(file)
        return
    with _archive_errors(), ZipFile(file) as archive:
        members = [member for member in archive.infolist() if _CHAT_FILE.search(member.filename)]
        _check_size(members, max_bytes)
        for member in members:
            with TemporaryFile(dir=folder) as unpacked:
                with archive.open(member) as source:
                    shutil.copyfileobj(source, unpacked)
                yield from _read_file(unpacked)


def is_archive(file: IO[bytes]) -> bool:
    file.seek(0)
    return file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC


@contextmanager
def _archive_errors() -> Iterator[None]:
    try:
        yield
    except (BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise InvalidRequestError(
            f"The ZIP archive cannot be read ({error}). Unpack it and import the files in it."
        ) from None


def _check_size(members: list[ZipInfo], max_bytes: int) -> None:
    """Refuse an archive by its declared sizes: `ZipFile` unpacks no more than these."""
    if not members:
        raise InvalidRequestError(
            "The ZIP archive has no conversations.json and no JSONL file. Import a file in it."
        )
    if sum(member.file_size for member in members) > max_bytes:
        raise InvalidRequestError(
            f"The chats in the ZIP archive have more than {max_bytes:,} bytes, the maximum of an "
            "import (SMOLCHAT_MAX_IMPORT_BYTES). Unpack it and import its files one by one."
        )


def _read_file(file: IO[bytes]) -> Iterator[ExportFile]:
    file.flush()
    if not file.seek(0, 2):
        raise invalid_json("the file is empty")
    # Closed by its last user: matches of regular expressions refer to it.
    text = mmap(file.fileno(), 0, access=ACCESS_READ)
    start = skip_space(text, len(_BYTE_ORDER_MARK) if text[:3] == _BYTE_ORDER_MARK else 0)
    is_lines = _has_lines(text, start)
    if not is_lines:
        _check_single_value(text, start)
    yield ExportFile(text, start, is_lines)


def _has_lines(text: Text, start: int) -> bool:
    """Return True if the first line is an object, and others follow."""
    lines = _lines(text, start)
    first, second = next(lines, b""), next(lines, None)
    if second is None or not first.startswith(b"{"):
        return False
    try:
        return value_end(first, 0) == len(first)
    except JsonSyntaxError:
        return False


def _lines(text: Text, start: int) -> Iterator[bytes]:
    for match in _LINE.finditer(text, start):
        if line := match[0].strip():
            yield line


def _check_single_value(text: Text, start: int) -> None:
    try:
        end = value_end(text, start)
    except JsonSyntaxError as error:
        raise invalid_json(error) from None
    if skip_space(text, end) < len(text):
        raise invalid_json(f"unexpected text at byte {end:,}")


def invalid_json(error: object) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid JSON: {error}.")
