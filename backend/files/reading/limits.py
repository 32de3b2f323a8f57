"""The limits on reading one file."""

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class ReadLimits:
    seconds: float = 120.0
    memory_bytes: int = 256 * _MIB  # of data, in the process that reads
    max_text_bytes: int = 400 * _MIB  # what is read, in UTF-8
    max_unpacked_bytes: int = 200 * _MIB  # of a file that is a ZIP archive
    max_ratio: int = 100  # of unpacked to packed; ordinary documents have 12 to 24
    max_pages: int = 5000
    max_json_bytes: int = 16 * _MIB  # parsed at once: a .json file, or a line of a .jsonl file
    max_line_characters: int = 4 * _MIB  # of a row of a table
