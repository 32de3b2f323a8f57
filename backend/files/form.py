"""Read an upload's `multipart/form-data` as it arrives; its file goes to disk."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from backend.errors import FileTooLargeError, InvalidRequestError

MAX_PARTS = 16  # OpenAI's form has four at most
MAX_FIELD_BYTES = 1024
MAX_NAME_CHARACTERS = 200
# Of a whole form besides its file: what MAX_PARTS parts can have in headers and fields.
MAX_OVERHEAD_BYTES = 64 * 1024
_HEADER_LIMITS = {"max_header_count": 8, "max_header_size": 2048}


@dataclass(frozen=True, kw_only=True)
class UploadedFile:
    """A file that is in its temporary file, complete."""

    filename: str
    bytes: int
    sha256: str
    fields: dict[str, str]


class UploadForm:
    """Takes a form's bytes and writes its file. Its methods are called in a thread."""

    def __init__(self, content_type: str, file: IO[bytes], max_bytes: int) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._hash = hashlib.sha256()
        self.size = 0
        self._fields: dict[str, bytearray] = {}
        self._filename: str | None = None
        self._part_count = 0
        self._headers: dict[bytes, bytes] = {}
        self._header_name, self._header_value = bytearray(), bytearray()
        self._field: bytearray | None = None  # that the part is; None if it is the file
        self._is_complete = False
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not boundary:
            raise InvalidRequestError("The Content-Type of the form has no boundary.")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_header_name,
                    "on_header_value": self._add_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._add_data,
                    "on_end": self._end,
                },
                **_HEADER_LIMITS,
            )
        except FormParserError:
            raise InvalidRequestError("The boundary of the form is too long.") from None

    def write(self, data: bytes) -> None:
        """Parse the next bytes.

        Raises:
            InvalidRequestError: They are not such a form, or it has too many or long parts.
            FileTooLargeError: The file is larger than it may be.
            OSError: The disk failed.
        """
        if self._is_complete:
            return
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidRequestError(
                f"The form is not valid multipart/form-data: {error}."
            ) from None

    def finish(self) -> UploadedFile:
        """Return the file, all of whose bytes have been written.

        Raises:
            InvalidRequestError: The form is not complete, or has no file.
        """
        if not self._is_complete:
            raise InvalidRequestError("The form is not complete: its last boundary is missing.")
        if self._filename is None:
            raise InvalidRequestError(
                "The form has no file. Send it as the part `file`, with a filename.", param="file"
            )
        return UploadedFile(
            filename=self._filename,
            bytes=self.size,
            sha256=self._hash.hexdigest(),
            fields={name: value.decode(errors="replace") for name, value in self._fields.items()},
        )

    def _begin_part(self) -> None:
        self._part_count += 1
        if self._part_count > MAX_PARTS:
            raise InvalidRequestError(f"The form has more than {MAX_PARTS} parts.")
        self._headers = {}

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name, self._header_value = bytearray(), bytearray()

    def _end_headers(self) -> None:
        options = parse_options_header(self._headers.get(b"content-disposition"))[1]
        name = options.get(b"name", b"").decode(errors="replace")
        if name != "file":
            self._field = self._fields.setdefault(name[:MAX_NAME_CHARACTERS], bytearray())
            self._field.clear()
            return
        if b"filename" not in options:
            raise InvalidRequestError("The part `file` has no filename.", param="file")
        if self._filename is not None:
            raise InvalidRequestError("The form has more than one file.", param="file")
        self._field = None
        self._filename = safe_filename(options[b"filename"].decode(errors="replace"))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is not None:
            self._field += data[start:end]
            if len(self._field) > MAX_FIELD_BYTES:
                raise InvalidRequestError(
                    f"A field of the form is longer than {MAX_FIELD_BYTES:,} bytes."
                )
            return
        self.size += end - start
        if self.size > self._max_bytes:
            raise file_too_large(self._max_bytes)
        content = memoryview(data)[start:end]
        self._hash.update(content)
        self._file.write(content)

    def _end(self) -> None:
        self._is_complete = True


def file_too_large(max_bytes: int) -> FileTooLargeError:
    return FileTooLargeError(
        f"The file is larger than {max_bytes:,} bytes (SMOLCHAT_MAX_FILE_BYTES). Split it, or "
        "raise the limit.",
        param="file",
    )


def safe_filename(name: str) -> str:
    """Return a file's own name, without folders and what cannot be shown on a line."""
    name = re.split(r"[/\\]", name)[-1]
    shown = "".join("_" if unicodedata.category(char)[0] == "C" else char for char in name)
    shown = " ".join(shown.split()).strip(". ") if shown.strip(". ") else ""
    if len(shown) > MAX_NAME_CHARACTERS:
        stem, dot, suffix = shown.rpartition(".")
        suffix = dot + suffix if stem and len(suffix) < 20 else ""
        shown = shown[: MAX_NAME_CHARACTERS - len(suffix)] + suffix
    return shown or "file"
