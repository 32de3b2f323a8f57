"""Find the chats of a file, whatever wraps them."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

from pydantic import BaseModel

from backend.conversations.formats.fields import is_role
from backend.conversations.formats.imported_chat import UnusableChatError
from backend.conversations.formats.openai_messages import CONTENT_FIELDS
from backend.conversations.imports.chats import (
    Entry,
    ForeignEntry,
    Session,
    SmolChatEntry,
    UnreadableJsonError,
    chat_reader,
    parse_entry,
    parse_line,
)
from backend.conversations.imports.export_file import ExportFile, invalid_json
from backend.conversations.imports.json_scanner import (
    JsonSyntaxError,
    array_items,
    object_members,
)
from backend.conversations.imports.limits import ImportLimits
from backend.http.json_route import validate_request
from backend.json_values import as_dict

_RECORD_TYPES = ("session", "message")  # of llama.cpp's web UI
_CHAT_NAMES = {"conv", "mapping", "messages", "history", "chat"}  # of an object that is a chat
# If none of so many first values is an object, a list is not one of messages.
_FIRST_VALUES = 1000


class _ExportFrame(BaseModel):
    """An export of SmolChat, whose conversations are validated one by one."""

    version: Literal[1] = 1
    conversations: list[Any]


def entries(file: ExportFile, limits: ImportLimits) -> Iterator[Entry]:
    """Yield the chats of a file.

    Raises:
        InvalidRequestError: It is not JSON.
        RequestValidationError: It is an export of another version of SmolChat.
    """
    try:
        yield from _entries(file, limits)
    except (JsonSyntaxError, UnreadableJsonError) as error:
        raise invalid_json(error) from None


def _entries(file: ExportFile, limits: ImportLimits) -> Iterator[Entry]:
    is_array = file.text[file.start : file.start + 1] == b"["
    if not file.is_lines and not is_array:
        yield from _object_entries(file, limits)
    elif _has_records(file, limits):
        yield from _session_entries(file, limits)
    elif _is_message_list(file, limits):
        yield ForeignEntry(_as_array(file, limits))
    else:
        yield from (ForeignEntry(text, is_line=file.is_lines) for text in file.items())


def _object_entries(file: ExportFile, limits: ImportLimits) -> Iterator[Entry]:
    """Yield the chats of an export of SmolChat, of a list in `data`, or the only chat."""
    text = file.text
    members = object_members(text, file.start) if text[file.start : file.start + 1] == b"{" else {}
    start, end = members.get("format", (0, 0))
    if end and text[start:end] == b'"smolchat"':
        yield from _smolchat_entries(file, members, limits)
        return
    start = members.get("data", (0, 0))[0]
    if start and text[start : start + 1] == b"[" and not _is_chat(file, members, limits):
        yield from _entries(ExportFile(text, start, is_lines=False), limits)
    else:
        yield ForeignEntry(text[file.start :])


def _smolchat_entries(
    file: ExportFile, members: dict[str, tuple[int, int]], limits: ImportLimits
) -> Iterator[Entry]:
    frame = {
        name: parse_entry(file.text[start:end], limits)
        for name, (start, end) in members.items()
        if name in ("version", "conversations") and file.text[start : start + 1] != b"["
    }
    start = members.get("conversations", (0, 0))[0]
    if start and "conversations" not in frame:
        frame["conversations"] = []
    validate_request(_ExportFrame, frame)
    for number, (first, end) in enumerate(array_items(file.text, start)):
        yield SmolChatEntry(file.text[first:end], number)


def _is_chat(file: ExportFile, members: dict[str, tuple[int, int]], limits: ImportLimits) -> bool:
    if not _CHAT_NAMES & members.keys():
        return False
    try:
        return chat_reader(parse_entry(file.text[file.start :], limits)) is not None
    except UnusableChatError:
        return True


def _has_records(file: ExportFile, limits: ImportLimits) -> bool:
    """Return True if the values are records of sessions and messages, judging by the first."""
    first = next(file.items(), b"")
    return (
        first.startswith(b"{") and as_dict(_parse_small(first, limits)).get("type") in _RECORD_TYPES
    )


def _session_entries(file: ExportFile, limits: ImportLimits) -> Iterator[Entry]:
    """Yield the conversations that the records describe, in the older shape."""
    current: ForeignEntry | None = None
    for text in file.items():
        fields = as_dict(_parse_small(text, limits))
        if fields.get("type") == "session":
            if current:
                yield current
            current = ForeignEntry(text, Session())
        elif current and current.session:
            current.session.add(text, limits)
        else:
            yield ForeignEntry(b"null")  # a message without a session
    if current:
        yield current


def _is_message_list(file: ExportFile, limits: ImportLimits) -> bool:
    """Return True if every object in the array has a role, and at least one of them content."""
    has_content, count = False, 0
    for number, text in enumerate(file.items()):
        if number >= _FIRST_VALUES and not count:
            return False
        fields = _parse_small(text, limits) if text.startswith(b"{") else None
        if fields is None:
            continue
        if not is_role(fields.get("role")):
            return False
        has_content = has_content or bool(CONTENT_FIELDS & fields.keys())
        count += 1
        if count > limits.max_messages:
            break
    return has_content


def _as_array(file: ExportFile, limits: ImportLimits) -> bytes:
    """Return the text of the array, or the lines as an array, with null for those not in JSON."""
    if not file.is_lines:
        return file.text[file.start :]
    lines = islice(file.items(), limits.max_messages + 1)
    return b"[%s]" % b",".join(b"null" if _parse_small(x, limits) is None else x for x in lines)


def _parse_small(text: bytes, limits: ImportLimits) -> Any:
    """Parse a part of a chat to detect its format. Return None if it has too many values."""
    try:
        return parse_line(text, limits)
    except UnusableChatError:
        return None
