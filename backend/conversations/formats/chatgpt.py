"""ChatGPT's data export, `conversations.json`: a tree of nodes, of which many are not shown.

OpenAI does not describe it. Nodes without a message, hidden ones, and the steps of the model
(`thoughts`, calls of tools) are nodes of the tree like questions and answers.
"""

from backend.conversations.formats.attachments import attach_files, leave_out_files
from backend.conversations.formats.fields import (
    Json,
    parse_timestamp,
    read_key,
    read_keys,
    read_model,
    read_role,
    tool_call,
)
from backend.conversations.formats.imported_chat import ImportedChat
from backend.conversations.formats.message_tree import ImportedMessage
from backend.json_values import as_dict, as_dict_list, as_str

# Not part of what was said: "Thought for 5 seconds", and the user's profile.
_HIDDEN_TYPES = {"reasoning_recap", "user_editable_context", "model_editable_context"}


def is_chatgpt(entry: object) -> bool:
    fields = as_dict(entry)
    return isinstance(fields.get("mapping"), dict)


def read_chatgpt(entry: Json) -> ImportedChat:
    chat = ImportedChat(
        title=as_str(entry.get("title")),
        model=read_model(entry.get("default_model_slug")),
        current=read_key(entry.get("current_node")),
        created_at=parse_timestamp(entry.get("create_time")),
        updated_at=parse_timestamp(entry.get("update_time")),
    )
    for key, value in entry["mapping"].items():
        node = as_dict(value)
        message = _message(chat, as_dict(node.get("message")))
        message.parent = read_key(node.get("parent"))
        message.children = read_keys(node.get("children"))
        chat.messages[key] = message
    return chat


def _message(chat: ImportedChat, source: Json) -> ImportedMessage:
    metadata, content = as_dict(source.get("metadata")), as_dict(source.get("content"))
    kind = as_str(content.get("content_type"))
    message = ImportedMessage(
        role=read_role(as_dict(source.get("author")).get("role")),
        model=read_model(metadata.get("model_slug")),
        created_at=parse_timestamp(source.get("create_time")),
        is_hidden=metadata.get("is_visually_hidden_from_conversation") is True,
    )
    if message.is_hidden or kind in _HIDDEN_TYPES:
        message.is_hidden = True
        return message
    if kind == "thoughts":
        message.reasoning = _thoughts(content.get("thoughts"))
    else:
        message.content = _text(chat, content)
    recipient = as_str(source.get("recipient")) or "all"
    if message.role == "assistant" and recipient != "all" and message.content:
        call_id = as_str(source.get("id")) or "call_0"
        message.tool_calls = [tool_call(call_id, recipient, message.content)]
        message.content = ""
    attach_files(chat, message, metadata.get("attachments"))
    message.is_hidden = not (message.content.strip() or message.tool_calls or message.images)
    return message


def _text(chat: ImportedChat, content: Json) -> str:
    """Return the text of a message's content, whose parts may be images or transcripts."""
    texts = []
    parts = content.get("parts")
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, str):
            texts.append(part)
        elif (text := as_str(as_dict(part).get("text"))) or not isinstance(part, dict):
            texts.append(text)
        else:
            leave_out_files(chat, [part | {"type": part.get("content_type")}])
    texts += [as_str(content.get(name)) for name in ("text", "result")]
    return "\n".join(filter(None, texts))


def _thoughts(value: object) -> str:
    texts = (as_str(thought.get("content")) for thought in as_dict_list(value))
    return "\n\n".join(filter(None, texts))
