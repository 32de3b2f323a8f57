"""Turn an export of this or another program into conversations, and say what is left out.

One chat that cannot be imported does not keep the others from it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from backend.conversations.conversation import Conversation
from backend.conversations.export_file import read_export_files, to_strict_json
from backend.conversations.formats.chatgpt import is_chatgpt, read_chatgpt
from backend.conversations.formats.imported_chat import ImportedChat, UnusableChatError
from backend.conversations.formats.llama_cpp import (
    group_sessions,
    has_sessions,
    is_llama_cpp,
    read_llama_cpp,
)
from backend.conversations.formats.lm_studio import is_lm_studio, read_lm_studio
from backend.conversations.formats.open_webui import is_open_webui, read_open_webui
from backend.conversations.formats.openai_messages import (
    is_message_list,
    is_openai_messages,
    read_openai_messages,
)
from backend.errors import InvalidRequestError, NothingToImportError
from backend.http.json_route import MAX_VALIDATION_ERRORS, validate_request
from backend.json_values import as_dict, as_str
from backend.model_server.answers.json_text import replace_halves

MAX_LISTED = 100  # chats in a reply that are listed as left out
# A file with more entries that cannot be read is refused, one without any other much sooner.
MAX_UNREADABLE, MAX_UNKNOWN_ONLY = 100_000, 1_000
_MAX_TITLE_CHARACTERS, _MAX_REASON_CHARACTERS = 200, 500
FORMATS = (
    "SmolChat reads exports of SmolChat, Open WebUI, llama.cpp's web UI and ChatGPT, chats of LM "
    "Studio, and lists of messages in OpenAI's shape"
)
# The first that recognizes an entry reads it. The plainest format comes last.
_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], ImportedChat]], ...] = (
    (is_llama_cpp, read_llama_cpp),
    (is_chatgpt, read_chatgpt),
    (is_lm_studio, read_lm_studio),
    (is_open_webui, read_open_webui),
    (is_openai_messages, read_openai_messages),
)


_Entry = tuple[Any, Callable[[Any], tuple[Conversation, str]]]


class UnknownFormatError(UnusableChatError):
    """An entry of a file that no format recognizes."""


class _ExportFrame(BaseModel):
    """An export of SmolChat, whose conversations are validated one by one."""

    version: Literal[1] = 1
    conversations: list[Any]


class LeftOut(BaseModel):
    """A chat that was not imported, or a part of one that was."""

    index: Annotated[int, Field(description="The chat's position in the file, from 0.")]
    title: str
    imported: Annotated[bool, Field(description="Whether the rest of the chat was imported.")]
    reason: str


@dataclass
class ParsedImport:
    """The conversations of a file, and what is left out: the first of it, and how much it is."""

    conversations: list[Conversation] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    left_out_count: int = 0

    def leave_out(self, index: int, title: str, reason: str, *, is_imported: bool = False) -> None:
        self.left_out_count += 1
        if len(self.left_out) < MAX_LISTED:
            title = replace_halves(" ".join(title[:_MAX_TITLE_CHARACTERS].split()))
            reason = replace_halves(reason[:_MAX_REASON_CHARACTERS])
            item = LeftOut(index=index, title=title, imported=is_imported, reason=reason)
            self.left_out.append(item)


def parse_import(body: bytes, *, max_bytes: int) -> ParsedImport:
    """Parse an export file, or a ZIP archive of them with at most `max_bytes` unpacked.

    Raises:
        InvalidRequestError: The file is not JSON, or in no known format.
        NothingToImportError: There is no chat in it that can be imported.
        RequestValidationError: It is an export of another version of SmolChat.
    """
    result, known_count, first_param = ParsedImport(), 0, None
    for index, (entry, read) in enumerate(_all_entries(body, max_bytes)):
        try:
            conversation, missing = read(entry)
        except UnusableChatError as error:
            known_count += not isinstance(error, UnknownFormatError)
            _check_unreadable(result, is_known=bool(known_count or result.conversations))
            first_param = first_param or error.param
            result.leave_out(index, _title(entry), str(error))
            continue
        result.conversations.append(conversation)
        if missing:
            result.leave_out(index, conversation.title, missing, is_imported=True)
    if not result.conversations:
        if result.left_out_count and not known_count:
            raise _unknown_format()
        raise _nothing_to_import(result, first_param)
    return result


def _all_entries(body: bytes, max_bytes: int) -> Iterator[_Entry]:
    """Yield the chats of all files, as strict JSON."""
    for file in read_export_files(body, max_bytes=max_bytes):
        for entry, read in _entries(file.value):
            yield entry if file.is_strict else to_strict_json(entry), read


def _entries(value: Any) -> Iterator[_Entry]:
    """Yield the chats of a file, each with the function that reads it."""
    if as_dict(value).get("format") == "smolchat":
        for number, conversation in enumerate(validate_request(_ExportFrame, value).conversations):
            yield conversation, partial(_read_own, number)
        return
    data = as_dict(value).get("data")
    entries = data if isinstance(data, list) and not _reader(value) else value
    if not isinstance(entries, list) or is_message_list(entries):
        entries = [entries]
    for entry in group_sessions(entries) if has_sessions(entries) else entries:
        yield entry, _read_foreign


def _read_own(number: int, entry: Any) -> tuple[Conversation, str]:
    try:
        return Conversation.model_validate(entry), ""
    except ValidationError as error:
        if error.error_count() > MAX_VALIDATION_ERRORS:  # too many to list
            raise UnusableChatError(f"{error.error_count():,} of its fields are invalid.") from None
        detail = error.errors(include_url=False, include_context=False, include_input=False)[0]
        param = ".".join(map(str, ("conversations", number, *detail["loc"])))
        reason = detail["msg"].removeprefix("Value error, ")
        raise UnusableChatError(f"{param}: {reason}.", param=param) from None


def _read_foreign(entry: Any) -> tuple[Conversation, str]:
    if (read := _reader(entry)) is None:
        raise UnknownFormatError("It is not a chat in a known format.")
    chat = read(entry)
    return chat.to_conversation(), chat.left_out_parts()


def _reader(entry: Any) -> Callable[[Any], ImportedChat] | None:
    return next((read for is_format, read in _READERS if is_format(entry)), None)


def _title(entry: Any) -> str:
    """Return the title of a chat that could not be read, as far as it has one."""
    parts = [as_dict(entry), *(as_dict(as_dict(entry).get(name)) for name in ("chat", "conv"))]
    titles = (as_str(part.get(name)) for part in parts for name in ("title", "name"))
    return next(filter(None, titles), "")


def _check_unreadable(result: ParsedImport, *, is_known: bool) -> None:
    """Refuse a file early that has very many entries that are no chats.

    Raises:
        InvalidRequestError: It has.
    """
    if result.left_out_count >= MAX_UNKNOWN_ONLY and not is_known:
        raise _unknown_format()
    if result.left_out_count >= MAX_UNREADABLE:
        raise InvalidRequestError(
            f"More than {MAX_UNREADABLE:,} entries of this file are not chats that can be read."
        )


def _unknown_format() -> InvalidRequestError:
    return InvalidRequestError(f"This file has no chats in a known format: {FORMATS}.")


def _nothing_to_import(result: ParsedImport, param: str | None) -> NothingToImportError:
    if not result.left_out:
        return NothingToImportError("There are no chats in this file.", left_out=[])
    first = result.left_out[0]
    name = f"“{first.title}”" if first.title else f"Chat {first.index + 1}"
    others = result.left_out_count - 1
    more = f" Neither could the other {others:,}." if others else ""
    return NothingToImportError(
        f"Nothing was imported. {name}: {first.reason}{more}",
        param=param,
        left_out=[item.model_dump() for item in result.left_out],
        left_out_count=result.left_out_count,
    )
