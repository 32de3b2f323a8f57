"""Reading export files: JSON, JSON Lines and ZIP archives."""

import struct
from io import BytesIO
from tempfile import TemporaryFile, gettempdir
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from backend.conversations.imports.chats import parse_line
from backend.conversations.imports.export_file import read_export_files
from backend.errors import InvalidRequestError
from tests.support.imports import LIMITS

LIMIT = 100_000


def read_values(body: bytes) -> list[Any]:
    """Return the value of each file; that of JSON Lines is a list."""
    with TemporaryFile() as source:
        source.write(body)
        files = [*read_export_files(source, max_bytes=LIMIT, folder=gettempdir())]
        return [
            [parse_line(line, LIMITS) for line in file.items()]
            if file.is_lines
            else parse_line(file.text[file.start :], LIMITS)
            for file in files
        ]


def archive(**files: bytes) -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as zip_file:
        for name, content in files.items():
            zip_file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b' [1]\n', [1]),
        (b'{"a": 1}\n{"b": 2}\n', [{"a": 1}, {"b": 2}]),
        (b'{"a": 1}\r\n\r\n{"b":\r\n{"c": 3}', [{"a": 1}, None, {"c": 3}]),
        (b'{"a": "\\ud83d"}', {"a": "\N{REPLACEMENT CHARACTER}"}),
        (b'{"a": "\xff"}', {"a": "\N{REPLACEMENT CHARACTER}"}),
        (archive(**{"a.jsonl": b"[1]"}), [1]),
        (archive(**{"user.json": b"{", "conversations.json": b"[2]"}), [2]),
        (archive(**{"x/conversations-000.json": b"[3]"}), [3]),
    ],
)  # fmt: skip
def test_file_is_read_in_every_form(body: bytes, value: object) -> None:
    assert read_values(body) == [value]


def test_archive_of_several_chats_has_several_files() -> None:
    body = archive(**{"a.jsonl": b"[1]", "b.JSONL": b"[2]", "c.png": b"x"})
    assert read_values(body) == [[1], [2]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"not JSON", "Invalid JSON"),
        (b"one\ntwo\n", "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        (archive(**{"a.jsonl": b"{"}), "Invalid JSON"),
        (archive(**{"a.png": b"x"}), "no conversations.json"),
        (archive(**{"a.jsonl": b"0" * (LIMIT + 1)}), "100,000 bytes"),
        (archive(**{"a.jsonl": b"[1]"})[:-5], "cannot be read"),
        (b"PK\x03\x04" + b"x" * 100, "cannot be read"),
    ],
)
def test_file_that_cannot_be_read_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        read_values(body)


def test_archive_unpacks_no_more_than_it_declares() -> None:
    body = archive(**{"a.jsonl": b" " * (10 * LIMIT) + b"[1]"})
    size = struct.pack("<I", 10 * LIMIT + 3)
    assert body.count(size) == 2
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        read_values(body.replace(size, struct.pack("<I", 9)))
