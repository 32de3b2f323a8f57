"""Messages as OpenAI's API and Open WebUI write them."""

from datetime import datetime

from backend.conversations.formats.attachments import (
    attach_files,
    read_embedded_images,
    read_parts,
)
from backend.conversations.formats.details import split_details
from backend.conversations.formats.fields import (
    Json,
    file_name,
    parse_timestamp,
    read_error,
    read_key,
    read_keys,
    read_model,
    read_role,
    read_tool_calls,
)
from backend.conversations.formats.imported_chat import ImportedChat
from backend.conversations.formats.message_tree import ImportedMessage
from backend.json_values import as_dict, as_dict_list, content_text
from backend.model_server.answers.reasoning import parts_of

_TIME_FIELDS = ("timestamp", "created_at", "create_time", "createdAt", "created")


def add_messages(chat: ImportedChat, source: object) -> None:
    """Add messages that are keyed by their ids, or listed one after the other."""
    is_list = isinstance(source, list)
    previous: str | None = None
    for name, value in enumerate(source) if isinstance(source, list) else as_dict(source).items():
        if not isinstance(value, dict):
            chat.leave_out("unreadable message")
            continue
        key = str(name)
        message = _message(chat, value)
        if is_list:
            key = read_key(value.get("id")) or key
            key = f"{key} {name}" if key in chat.messages else key
            message.parent = message.parent if "parentId" in value else previous
        chat.messages[key] = message
        previous = key


def _message(chat: ImportedChat, source: Json) -> ImportedMessage:
    content = source.get("content")
    images = read_parts(chat, content)
    for citation in as_dict_list(source.get("sources") or source.get("citations")):
        chat.leave_out("source", file_name(citation.get("source")))
    message = ImportedMessage(
        parent=read_key(source.get("parentId")),
        children=read_keys(source.get("childrenIds")),
        role=read_role(source.get("role")),
        content=content_text(content),
        created_at=_created_at(source),
    )
    if message.role == "assistant":
        _read_answer(chat, message, source)
    message.content, embedded = read_embedded_images(chat, message.content)
    message.images = images + embedded
    attach_files(chat, message, source.get("files"))
    return message


def _read_answer(chat: ImportedChat, message: ImportedMessage, source: Json) -> None:
    texts: dict[str, str] = {"text": "", "reasoning": "", "refusal": ""}
    for kind, text in parts_of(source):
        texts[kind] += text
    parts = split_details(texts["text"])
    for left_out_kind, name in parts.left_out:
        chat.leave_out(left_out_kind, name)
    calls = source.get("tool_calls") or source.get("function_call")
    message.tool_calls = parts.tool_calls + read_tool_calls(calls)
    message.content = parts.content or texts["refusal"]
    message.reasoning = "\n\n".join(filter(None, [texts["reasoning"], *parts.reasoning]))
    message.model = read_model(source.get("model"))
    if error := read_error(source.get("error")):
        message.state, message.error = "failed", error
    elif source.get("done") is False:
        message.state = "interrupted"


def _created_at(source: Json) -> datetime | None:
    for name in _TIME_FIELDS:
        if name in source and (moment := parse_timestamp(source[name])):
            return moment
    return None
