"""A list of messages in OpenAI's shape, alone or in an object with a title and parameters."""

from typing import Any

from backend.conversations.formats.fields import is_role, parse_timestamp, read_model
from backend.conversations.formats.imported_chat import ImportedChat
from backend.conversations.formats.messages import add_messages
from backend.json_values import as_dict, as_str

CONTENT_FIELDS = {"content", "tool_calls", "function_call", "refusal"}


def is_message_list(value: object) -> bool:
    """Return True if every object in a list has a role, and at least one of them content."""
    messages = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    has_roles = all(is_role(item.get("role")) for item in messages)
    return has_roles and any(CONTENT_FIELDS & item.keys() for item in messages)


def is_openai_messages(entry: Any) -> bool:
    return is_message_list(entry) or is_message_list(as_dict(entry).get("messages"))


def read_openai_messages(entry: Any) -> ImportedChat:
    fields = as_dict(entry)
    chat = ImportedChat(
        title=as_str(fields.get("title")) or as_str(fields.get("name")),
        model=read_model(fields.get("model")),
        system_prompt=as_str(fields.get("system")) or as_str(fields.get("system_prompt")),
        created_at=parse_timestamp(fields.get("created_at"))
        or parse_timestamp(fields.get("timestamp")),
        updated_at=parse_timestamp(fields.get("updated_at")),
    )
    chat.set_parameters(fields)
    add_messages(chat, fields.get("messages") or entry)
    return chat
