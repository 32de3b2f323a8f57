"""Turn an export of this or another program into conversations, and report what is left out.

One chat that cannot be imported does not keep the others out.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Annotated, Protocol

from pydantic import BaseModel, Field

from backend.conversations.conversation import ConversationFields, Message
from backend.conversations.formats.imported_chat import UnusableChatError
from backend.conversations.imports.chats import Entry, UnknownFormatError, UnreadableJsonError
from backend.conversations.imports.entries import entries
from backend.conversations.imports.export_file import invalid_json, read_export_files
from backend.conversations.imports.limits import ImportLimits
from backend.errors import InvalidRequestError, NothingToImportError
from backend.model_server.answers.json_text import replace_halves

MAX_LISTED = 100  # chats in a reply that are listed as left out
# A file with this many entries that cannot be read is refused, and at the lower number if it has no
# others.
MAX_UNREADABLE, MAX_UNKNOWN_ONLY = 100_000, 1_000
_MAX_TITLE_CHARACTERS, _MAX_REASON_CHARACTERS = 200, 500
FORMATS = (
    "SmolChat reads exports of SmolChat, Open WebUI, llama.cpp's web UI and ChatGPT, chats of LM "
    "Studio, and lists of messages in OpenAI's shape"
)


class ConversationWriter(Protocol):
    """Takes the conversations that are read."""

    def write(self, conversation: ConversationFields, messages: Iterable[Message]) -> None:
        """Write a conversation; nothing of it, if reading its messages fails."""


class LeftOut(BaseModel):
    """A chat that was not imported, or a part of one that was."""

    index: Annotated[int, Field(description="The chat's position in the file, from 0.")]
    title: str
    imported: Annotated[bool, Field(description="Whether the rest of the chat was imported.")]
    reason: str


@dataclass
class ImportReport:
    """How many conversations were read, and what was not: how much, and the first of it."""

    conversation_count: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    left_out_count: int = 0
    _total: int = 0  # conversations and messages
    _known_count: int = 0  # of what is left out: chats in a known format
    _first_param: str | None = None

    def leave_out(self, index: int, title: str, reason: str, *, is_imported: bool = False) -> None:
        self.left_out_count += 1
        if len(self.left_out) < MAX_LISTED:
            title = replace_halves(" ".join(title[:_MAX_TITLE_CHARACTERS].split()))
            reason = replace_halves(reason[:_MAX_REASON_CHARACTERS])
            item = LeftOut(index=index, title=title, imported=is_imported, reason=reason)
            self.left_out.append(item)

    def leave_out_chat(self, index: int, entry: Entry, error: UnusableChatError) -> None:
        """Leave out a chat as a whole.

        Raises:
            InvalidRequestError: The file has very many entries that are not chats.
        """
        self._known_count += not isinstance(error, UnknownFormatError)
        self._first_param = self._first_param or error.param
        is_known = bool(self._known_count or self.conversation_count)
        if self.left_out_count >= MAX_UNKNOWN_ONLY and not is_known:
            raise _unknown_format()
        if self.left_out_count >= MAX_UNREADABLE:
            raise InvalidRequestError(
                f"More than {MAX_UNREADABLE:,} entries of this file are not chats that can be read."
            )
        self.leave_out(index, entry.title(), str(error))

    def count_messages(
        self, messages: Iterable[Message], limits: ImportLimits
    ) -> Iterator[Message]:
        """Yield the messages of a conversation, and check the file's total of both."""
        self._total += 1
        limits.check_total(self._total)
        for message in messages:
            self._total += 1
            limits.check_total(self._total)
            yield message

    def check_any_chats(self) -> None:
        """Check that there is something to import.

        Raises:
            InvalidRequestError: No entry is a chat in a known format.
            NothingToImportError: No chat could be read, or there are none.
        """
        if not self.conversation_count:
            if self.left_out_count and not self._known_count:
                raise _unknown_format()
            raise _nothing_to_import(self, self._first_param)


def parse_import(
    file: IO[bytes],
    writer: ConversationWriter,
    limits: ImportLimits,
    *,
    folder: str,
    left_out_images: Callable[[], str] = str,
) -> ImportReport:
    """Read an export file, or a ZIP archive of them, which is unpacked into `folder`.

    `left_out_images` says which images of the last conversation could not be written.

    Raises:
        InvalidRequestError: The file is not JSON, in no known format, or exceeds a limit.
        NothingToImportError: There is no chat in it that can be imported.
        RequestValidationError: It is an export of another version of SmolChat.
    """
    report = ImportReport()
    for index, entry in enumerate(_all_entries(file, limits, folder)):
        try:
            chat = entry.read(limits)
            writer.write(chat.conversation, report.count_messages(chat.messages, limits))
        except UnusableChatError as error:
            report.leave_out_chat(index, entry, error)
        except UnreadableJsonError as error:
            raise invalid_json(error) from None
        except MemoryError:
            reason = "It needs too much memory (SMOLCHAT_IMPORT_MEMORY_BYTES)."
            report.leave_out_chat(index, entry, UnusableChatError(reason))
        else:
            report.conversation_count += 1
            for missing in filter(None, (chat.missing, left_out_images())):
                report.leave_out(index, chat.conversation.title, missing, is_imported=True)
    report.check_any_chats()
    return report


def _all_entries(file: IO[bytes], limits: ImportLimits, folder: str) -> Iterator[Entry]:
    for export_file in read_export_files(file, max_bytes=limits.max_bytes, folder=folder):
        yield from entries(export_file, limits)


def _unknown_format() -> InvalidRequestError:
    return InvalidRequestError(f"This file has no chats in a known format: {FORMATS}.")


def _nothing_to_import(report: ImportReport, param: str | None) -> NothingToImportError:
    if not report.left_out:
        return NothingToImportError("There are no chats in this file.", left_out=[])
    first = report.left_out[0]
    name = f"“{first.title}”" if first.title else f"Chat {first.index + 1}"
    others = report.left_out_count - 1
    more = f" Left out as well: {others:,} more." if others else ""
    return NothingToImportError(
        f"Nothing was imported. {name}: {first.reason}{more}",
        param=param,
        left_out=[item.model_dump() for item in report.left_out],
        left_out_count=report.left_out_count,
    )
