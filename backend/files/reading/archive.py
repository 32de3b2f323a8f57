"""Open documents that are ZIP archives of XML (.docx and its like), and read their XML safely."""

import errno
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from xml.parsers import expat

from backend.files.reading.errors import ReadError, damaged_file, encrypted_file
from backend.files.reading.source import Source

_READ_BYTES = 256 * 1024
_MAX_FILES = 20_000
_MIN_BOMB_BYTES = 1024 * 1024  # no matter how small this was packed
_ENCRYPTED_FLAG = 1
# What `zipfile` raises for archives that are damaged, or packed in a way that it does not know.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    ValueError,
)


@contextmanager
def open_archive(source: Source, kind: str) -> Iterator[zipfile.ZipFile]:
    """Open a document, having checked that what is in it is not too much.

    Raises:
        ReadError: It is damaged, encrypted or a bomb.
    """
    try:
        with zipfile.ZipFile(source.path) as archive:
            _check_archive(archive, source, kind)
            yield archive
    except _DAMAGED as error:
        raise damaged_file(kind) from error
    except KeyError as error:
        raise damaged_file(kind, "a part of it is missing") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # that of a place before the beginning of the file
            raise
        raise damaged_file(kind) from error
    except expat.ExpatError as error:
        raise damaged_file(kind, f"XML, line {error.lineno:,}") from error


class XmlReader:
    """Calls three functions for what is in XML, with names as in `{namespace}name`.

    A document type is refused, so there are no entities to expand.
    """

    def __init__(
        self,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None],
        text: Callable[[str], None],
    ) -> None:
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = start
        self._parser.EndElementHandler = end
        self._parser.CharacterDataHandler = text
        self._parser.StartDoctypeDeclHandler = _refuse_doctype

    def read(
        self,
        archive: zipfile.ZipFile,
        name: str,
        report: Callable[[float], None] = lambda _share: None,
    ) -> None:
        """Read a file of the archive, and report how much of it has been read."""
        size = max(archive.getinfo(name).file_size, 1)
        done = 0
        with archive.open(name) as file:
            while data := file.read(_READ_BYTES):
                self._parser.Parse(data)
                done += len(data)
                report(done / size)
        self._parser.Parse(b"", True)  # noqa: FBT003


def _check_archive(archive: zipfile.ZipFile, source: Source, kind: str) -> None:
    files = archive.infolist()
    unpacked = sum(file.file_size for file in files)
    packed = max(sum(file.compress_size for file in files), 1)
    limits = source.limits
    is_dense = unpacked > max(limits.max_ratio * packed, _MIN_BOMB_BYTES)
    if len(files) > _MAX_FILES or unpacked > limits.max_unpacked_bytes or is_dense:
        raise ReadError(
            "bomb",
            f"The file unpacks to {unpacked / 1024**2:,.0f} MB from {packed / 1024**2:,.1f} MB, "
            "which no ordinary document does. Save it as PDF or text, and upload that.",
        )
    if any(file.flag_bits & _ENCRYPTED_FLAG for file in files):
        raise encrypted_file(kind.removeprefix("a "))


def _refuse_doctype(*_arguments: object) -> None:
    raise ReadError(
        "bomb",
        "The file defines XML entities, as no ordinary document does. Open it in the program that "
        "it was made with, save it again, and upload that file.",
    )
