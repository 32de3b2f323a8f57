"""Why a file cannot be read: a code for programs, and a sentence that says what to do."""

from typing import Literal

ReadErrorCode = Literal[
    "bomb",
    "damaged",
    "disk_full",
    "empty",
    "encrypted",
    "no_text",
    "reader_crashed",
    "reader_unavailable",
    "timed_out",
    "too_large",
    "too_many_pages",
    "unsupported_kind",
    "wrong_extension",
]


class ReadError(Exception):
    def __init__(self, code: ReadErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ReadErrorCode = code
        self.message = message


def empty_file() -> ReadError:
    return ReadError("empty", "The file has no text in it. Upload one that has.")


def damaged_file(kind: str, reason: str | None = None) -> ReadError:
    detail = f" ({reason})" if reason else ""
    return ReadError(
        "damaged",
        f"The file is damaged or incomplete: it cannot be read as {kind}{detail}. Open it in the "
        "program that it was made with, save it again, and upload that file.",
    )


def encrypted_file(kind: str) -> ReadError:
    return ReadError(
        "encrypted",
        f"The {kind} is protected by a password. Save a copy without a password, and upload that.",
    )


def too_large_file() -> ReadError:
    return ReadError(
        "too_large", "Reading the file needs too much memory. Upload it in several parts."
    )
