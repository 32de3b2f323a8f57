"""Open WebUI's export: a tree of messages, or in old versions a list.

https://github.com/open-webui/open-webui has no description of it. Its pages export one chat or a
list of chats, with or without the row of the database around the chat itself.
"""

from backend.conversations.formats.attachments import leave_out_files
from backend.conversations.formats.fields import Json, parse_timestamp, read_key, read_model
from backend.conversations.formats.imported_chat import ImportedChat
from backend.conversations.formats.messages import add_messages
from backend.json_values import as_dict, as_str


def is_open_webui(entry: object) -> bool:
    fields = as_dict(entry)
    chat = as_dict(fields.get("chat"))
    return isinstance(fields.get("history"), dict) or "history" in chat or "messages" in chat


def read_open_webui(entry: Json) -> ImportedChat:
    body = as_dict(entry.get("chat")) or entry
    history = as_dict(body.get("history"))
    params, models = as_dict(body.get("params")), body.get("models")
    created_at = parse_timestamp(entry.get("created_at")) or parse_timestamp(body.get("timestamp"))
    chat = ImportedChat(
        title=as_str(body.get("title")) or as_str(entry.get("title")),
        model=read_model(models[0]) if isinstance(models, list) and models else None,
        system_prompt=as_str(params.get("system")) or as_str(body.get("system")),
        current=read_key(history.get("currentId")),
        created_at=created_at,
        updated_at=parse_timestamp(entry.get("updated_at")),
    )
    chat.set_parameters(params)
    add_messages(chat, history.get("messages") or body.get("messages"))
    leave_out_files(chat, body.get("files"))
    return chat
