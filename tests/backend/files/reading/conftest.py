"""Reads a file in this process, without the limits on memory and time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.files.reading.document import ReadDocument
from backend.files.reading.errors import ReadError
from backend.files.reading.limits import ReadLimits
from backend.files.reading.reader import read_file
from backend.files.reading.source import Source
from backend.files.reading.text_writer import DocumentFile

ReadBytes = Callable[..., ReadDocument]


@pytest.fixture
def read_to_file(tmp_path: Path) -> Callable[..., DocumentFile]:
    def read(name: str, content: bytes, **limits: int) -> DocumentFile:
        path = tmp_path / "file"
        path.write_bytes(content)
        return read_file(Source(path, name, ReadLimits(**limits)), tmp_path / "text")

    return read


@pytest.fixture
def read(read_to_file: Callable[..., DocumentFile]) -> ReadBytes:
    """Return a function that reads a file with this name and these bytes."""

    def load(name: str, content: bytes, **limits: int) -> ReadDocument:
        return read_to_file(name, content, **limits).load()

    return load


@pytest.fixture
def read_error(read: ReadBytes) -> Callable[..., ReadError]:
    """Return a function that reads a file, and returns the error that this raises."""

    def error(name: str, content: bytes, **limits: int) -> ReadError:
        with pytest.raises(ReadError) as caught:
            read(name, content, **limits)
        return caught.value

    return error
