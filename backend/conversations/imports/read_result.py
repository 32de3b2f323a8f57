"""What reading a file for import produces: a file of rows, with a `ReadResult` at its end."""

import os
import pickle
import struct
from dataclasses import dataclass
from typing import IO

from fastapi.exceptions import RequestValidationError

from backend.conversations.conversation import ConversationSummary
from backend.conversations.imports.importer import ImportReport
from backend.errors import SmolChatError

_TRAILER = struct.Struct("<Q")  # where the rows end and the result begins


@dataclass
class ReadResult:
    """What was read, or the error that refused the file.

    The rows of messages come first in the file, up to `messages_end`, then those of conversations.
    """

    report: ImportReport
    summaries: list[ConversationSummary]
    error: SmolChatError | RequestValidationError | None = None
    messages_end: int = 0
    rows_end: int = 0

    def dump(self, file: IO[bytes]) -> None:
        """Write this result after the rows."""
        pickle.dump(self, file)
        file.write(_TRAILER.pack(self.rows_end))
        file.flush()

    @staticmethod
    def load(file: IO[bytes]) -> "ReadResult":
        file.seek(-_TRAILER.size, os.SEEK_END)
        file.seek(_TRAILER.unpack(file.read())[0])
        result: ReadResult = pickle.load(file)  # noqa: S301  # our own process wrote it
        return result
