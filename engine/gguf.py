"""Reads the header of a GGUF file: what it says of the model, and how many weights it holds.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. A file may come from
anywhere, so no length in it is believed before it is compared with what is there.
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = b"GGUF"
VERSIONS = (2, 3)
# Real models have some dozen entries, some thousand tensors, and vocabularies below a million.
MAX_ENTRIES = 4096
MAX_TENSORS = 1 << 18
MAX_ITEMS = 1 << 23
MAX_DIMENSIONS = 4
KEPT_TEXT_BYTES = 1 << 16  # longer ones are passed over
MAX_WEIGHTS_PER_BYTE = 8

_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_TEXT = 8
_ARRAY = 9


class GgufError(ValueError):
    """The file is no GGUF file, or not a whole one; the message completes "It ..."."""


@dataclass(frozen=True)
class Header:
    """What was found: scalar and text entries by key, and the weights counted."""

    entries: dict[str, Any]
    weights: int


def read_header(path: Path) -> Header:
    """Read the header and compare it with the file's length.

    Raises:
        GgufError: what is wrong with the content.
        OSError: the file cannot be read at all.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise GgufError("is no GGUF file: it does not begin with GGUF")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _Reader(content).header()


class _Reader:
    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._position = len(MAGIC)

    def header(self) -> Header:
        version = self._number("I")
        if version not in VERSIONS:
            raise GgufError(f"has version {version} of the format; llama.cpp reads 2 and 3")
        tensors = self._count(MAX_TENSORS, "tensors")
        entries = {}
        for _ in range(self._count(MAX_ENTRIES, "entries")):
            key = self._text()
            entries[key or ""] = self._value(self._number("I"))
        weights, last_offset = self._tensors(tensors)
        alignment = entries.get("general.alignment") or 32
        if not isinstance(alignment, int):
            raise GgufError("has an alignment that is no number")
        data_start = -(-self._position // alignment) * alignment
        if data_start + last_offset >= len(self._content):
            raise GgufError("is not whole: it ends before its last weights")
        if weights > len(self._content) * MAX_WEIGHTS_PER_BYTE:
            raise GgufError("declares more weights than it can hold")
        return Header(entries, weights)

    def _tensors(self, count: int) -> tuple[int, int]:
        """Give the weights of all tensors together, and where the last one begins."""
        if not count:
            raise GgufError("holds no weights")
        weights = last_offset = 0
        for _ in range(count):
            self._text()
            dimensions = self._number("I")
            if dimensions > MAX_DIMENSIONS:
                raise GgufError(f"declares a tensor of {dimensions} dimensions")
            size = 1
            for _ in range(dimensions):
                size *= self._number("Q")
            self._number("I")  # the tensor's type
            weights += size
            last_offset = max(last_offset, self._number("Q"))
        return weights, last_offset

    def _value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        if kind == _TEXT:
            return self._text()
        if kind == _ARRAY:
            return self._pass_over_array()
        raise GgufError(f"holds a value of the unknown type {kind}")

    def _pass_over_array(self) -> None:
        kind = self._number("I")
        count = self._count(MAX_ITEMS, "items")
        if kind == _TEXT:
            for _ in range(count):
                self._pass_over(self._number("Q"))
        elif kind in _SCALARS:
            self._pass_over(count * struct.calcsize(_SCALARS[kind]))
        else:
            raise GgufError(f"holds an array of the unknown type {kind}")

    def _text(self) -> str | None:
        length = self._number("Q")
        start = self._position
        self._pass_over(length)
        if length > KEPT_TEXT_BYTES:
            return None
        return self._content[start : self._position].decode(errors="replace")

    def _count(self, most: int, what: str) -> int:
        count: int = self._number("Q")
        if count > most:
            raise GgufError(f"is damaged: it declares {count} {what}")
        return count

    def _number(self, code: str) -> Any:
        start = self._position
        self._pass_over(struct.calcsize(f"<{code}"))
        return struct.unpack_from(f"<{code}", self._content, start)[0]

    def _pass_over(self, length: int) -> None:
        if length > len(self._content) - self._position:
            raise GgufError("is not whole: it ends within its header")
        self._position += length
