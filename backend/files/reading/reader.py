"""The process that reads files: `python -m backend.files.reading.reader`.

Its argument is the memory it may use, in bytes. It takes requests from standard input and writes
messages to standard output, both as JSON after its length, until its input ends: for each request
any number of `{"progress": share}`, then a `document` or an `error`.
"""

import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import BinaryIO

from backend.files.reading.errors import ReadError, empty_file, too_large_file
from backend.files.reading.formats.docx import read_docx
from backend.files.reading.formats.html import read_html
from backend.files.reading.formats.json_text import read_json, read_jsonl
from backend.files.reading.formats.markdown import read_markdown
from backend.files.reading.formats.other import read_other
from backend.files.reading.formats.pdf import read_pdf
from backend.files.reading.formats.plain import read_plain
from backend.files.reading.formats.table import read_table
from backend.files.reading.kinds import Kind, find_kind
from backend.files.reading.limits import ReadLimits
from backend.files.reading.messages import LENGTH_BYTES, Message, document_message, pack
from backend.files.reading.source import Source
from backend.files.reading.text_writer import DocumentFile, TextWriter

_NICENESS = 5  # requests of clients are more urgent
_PROGRESS_SECONDS = 0.1
_EXTRA_SECONDS = 5  # until the system ends a process whose parent should have, but died

_READERS: dict[Kind, Callable[[Source, TextWriter], None]] = {
    "text": read_plain,
    "markdown": read_markdown,
    "table": read_table,
    "json": read_json,
    "jsonl": read_jsonl,
    "html": read_html,
    "docx": read_docx,
    "pdf": read_pdf,
    "other": read_other,
}


def read_file(source: Source, text_path: Path) -> DocumentFile:
    """Read a file, and write its text to another.

    Raises:
        ReadError: It cannot be read.
    """
    kind = find_kind(source)
    with text_path.open("wb") as file:
        writer = TextWriter(file, source.limits.max_text_bytes)
        _READERS[kind](source, writer)
        if not writer.has_written:
            raise empty_file()
        document = writer.finish(text_path)
        os.fsync(file.fileno())  # before the row that says that the text is there
        return document


def main() -> None:
    os.nice(_NICENESS)
    requests, messages = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is for the log
    _limit(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":  # elsewhere the limit has no effect
        _limit(resource.RLIMIT_DATA, int(sys.argv[1]))
    gc.freeze()
    _send(messages, {})
    while length := requests.read(LENGTH_BYTES):
        request = json.loads(requests.read(int.from_bytes(length)))
        _send(messages, _answer(request, messages))


def _answer(request: Message, messages: BinaryIO) -> Message:
    limits = ReadLimits(**request["limits"])
    progress = _Progress(messages)
    source = Source(Path(request["path"]), request["name"], limits, progress.report)
    signal.alarm(ceil(limits.seconds) + _EXTRA_SECONDS)
    try:
        return {"document": document_message(read_file(source, Path(request["text_path"])))}
    except ReadError as error:
        return _error(error)
    except MemoryError:
        return _error(too_large_file())
    except OSError as error:
        print(f"A file cannot be read: {error}", file=sys.stderr)
        return _error(_disk_error())
    finally:
        signal.alarm(0)


def _error(error: ReadError) -> Message:
    return {"error": {"code": error.code, "message": error.message}}


def _disk_error() -> ReadError:
    return ReadError(
        "disk_full",
        "The file's text cannot be stored: the disk may be full. Free some space, and upload the "
        "file again.",
    )


class _Progress:
    """Reports the share that has been read, a few times a second."""

    def __init__(self, messages: BinaryIO) -> None:
        self._messages = messages
        self._last = time.monotonic()

    def report(self, share: float) -> None:
        now = time.monotonic()
        if now - self._last >= _PROGRESS_SECONDS:
            self._last = now
            _send(self._messages, {"progress": round(min(share, 1.0), 4)})


def _limit(kind: int, value: int) -> None:
    with suppress(OSError, ValueError):
        resource.setrlimit(kind, (value, value))


def _send(messages: BinaryIO, message: Message) -> None:
    messages.write(pack(message))
    messages.flush()


if __name__ == "__main__":
    main()
