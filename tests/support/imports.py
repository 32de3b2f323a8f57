"""Chats of other programs, and what becomes of them when they are imported."""

from typing import Any

from pydantic_core import to_json

from backend.conversations.conversation import Conversation
from backend.conversations.importer import ParsedImport, parse_import

MAX_BYTES = 10_000_000


def parse_file(value: Any) -> ParsedImport:
    """Import a value, which is written as JSON if it is not bytes."""
    body = value if isinstance(value, bytes) else to_json(value)
    return parse_import(body, max_bytes=MAX_BYTES)


def import_chat(value: Any) -> Conversation:
    """Return the only chat of a file."""
    [conversation] = parse_file(value).conversations
    return conversation


def left_out(value: Any) -> str:
    """Return the reason why something of the only entry of a file was left out."""
    [item] = parse_file(value).left_out
    return item.reason


def outline(conversation: Conversation) -> list[tuple[str, str, str | None]]:
    """Return the role and content of each message, and the content of its parent."""
    contents = {message.id: message.content for message in conversation.messages}
    return [
        (message.role, message.content, contents.get(message.parent or ""))
        for message in conversation.messages
    ]


def current_content(conversation: Conversation) -> str | None:
    """Return the content of the current message."""
    contents = {message.id: message.content for message in conversation.messages}
    return contents.get(conversation.current or "")


def open_webui_chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a chat as Open WebUI exports it; each message follows the one before by default."""
    by_id: dict[str, Any] = {}
    parent = None
    for number, message in enumerate(messages):
        key = str(message.get("id", number))
        defaults: dict[str, Any] = {
            "id": key,
            "parentId": parent,
            "childrenIds": [],
            "timestamp": 1700000000,
        }
        by_id[key] = defaults | message
        parent = key
    history = {"messages": by_id, "currentId": parent} | fields.pop("history", {})
    return {"title": "A chat", "chat": {"title": "A chat", "history": history} | fields}


def open_webui_answer(content: str, **fields: Any) -> dict[str, Any]:
    """Return a chat of Open WebUI with one answer."""
    question = {"role": "user", "content": "Why?"}
    return open_webui_chat(question, {"role": "assistant", "content": content} | fields)
