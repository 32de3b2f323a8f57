"""Reads the metadata of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).

Only what is needed before the model is loaded. llama.cpp checks the file, and says what is wrong.
"""

import mmap
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

MAX_STRING_BYTES = 1 << 16
MAX_ENTRIES = 4096  # a model has a few dozen; a damaged file may claim any number
MAX_STRINGS = 1 << 23  # in an array: a vocabulary has a few hundred thousand

_NUMBERS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the file's numbers and strings by key.

    Return only the entries before the damage if the file is damaged, none if it is not GGUF.

    Raises:
        OSError: The file cannot be read.
    """
    metadata: dict[str, Any] = {}
    with (
        path.open("rb") as file,
        suppress(struct.error, KeyError, ValueError),  # ended early, unknown type, empty
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        if content[:4] == b"GGUF":
            reader = _Reader(content)
            _version, _tensors, entries = (reader.number(code) for code in "IQQ")
            for _ in range(min(entries, MAX_ENTRIES)):
                key = reader.string()
                metadata[key] = reader.value(reader.number("I"))
    return metadata


class _Reader:
    """Reads values one after another; struct.error means that the file has ended."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._position = 4  # after the magic

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._skip_array()
        return self.number(_NUMBERS[kind])

    def string(self) -> str:
        return self._take(self.number("Q")).decode(errors="replace")

    def number(self, code: str) -> Any:
        [value] = struct.unpack(f"<{code}", self._take(struct.calcsize(f"<{code}")))
        return value

    def _skip_array(self) -> None:
        kind, count = self.number("I"), self.number("Q")
        if kind == _STRING:
            if count > MAX_STRINGS:
                raise ValueError
            for _ in range(count):
                self._take(self.number("Q"))
        else:
            self._take(count * struct.calcsize(f"<{_NUMBERS[kind]}"))

    def _take(self, length: int) -> bytes:
        start = self._position
        self._position += length
        return self._content[start : start + min(length, MAX_STRING_BYTES)]
