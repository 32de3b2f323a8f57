"""The export of llama.cpp's web UI: a conversation and its tree of messages.

Its types are in tools/ui/src/lib/types/database.d.ts of https://github.com/ggml-org/llama.cpp.
Newer versions write JSON Lines: a record of type `session`, then one of type `message` for each;
such a session is read in the older shape.
"""

from pydantic_core import from_json

from backend.conversations.formats.attachments import attach_files, read_embedded_images
from backend.conversations.formats.fields import (
    Json,
    parse_timestamp,
    read_key,
    read_keys,
    read_model,
    read_role,
    read_tool_calls,
)
from backend.conversations.formats.imported_chat import ImportedChat
from backend.conversations.formats.message_tree import ImportedMessage
from backend.json_values import as_dict, as_str, content_text


def is_llama_cpp(entry: object) -> bool:
    fields = as_dict(entry)
    return isinstance(fields.get("conv"), dict) and isinstance(fields.get("messages"), list)


def read_llama_cpp(entry: Json) -> ImportedChat:
    conversation = as_dict(entry.get("conv"))
    modified_at = parse_timestamp(conversation.get("lastModified"))
    chat = ImportedChat(
        title=as_str(conversation.get("name")),
        current=read_key(conversation.get("currNode")),
        updated_at=modified_at,
    )
    for number, source in enumerate(entry["messages"]):
        if isinstance(source, dict):
            chat.messages[read_key(source.get("id")) or f"{number}"] = _message(chat, source)
        else:
            chat.leave_out("unreadable message")
    return chat


def _message(chat: ImportedChat, source: Json) -> ImportedMessage:
    text, images = read_embedded_images(chat, content_text(source.get("content")))
    reasoning = as_str(source.get("reasoningContent")) or as_str(source.get("thinking"))
    message = ImportedMessage(
        parent=read_key(source.get("parent")),
        children=read_keys(source.get("children")),
        role=read_role(source.get("role")),
        content=text,
        images=images,
        reasoning=reasoning,
        tool_calls=_tool_calls(source.get("toolCalls")),
        model=read_model(source.get("model")),
        created_at=parse_timestamp(source.get("timestamp")),
        is_hidden=source.get("type") == "root",
    )
    attach_files(chat, message, source.get("extra"))
    return message


def _tool_calls(value: object) -> list[Json]:
    """Return the tool calls, which older versions store as JSON in a string."""
    if isinstance(value, str):
        try:
            value = from_json(value, allow_inf_nan=False)
        except ValueError:
            return []
    return read_tool_calls(value)
