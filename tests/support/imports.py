"""Chats of other programs, and what becomes of them when they are imported."""

from dataclasses import dataclass, replace
from tempfile import TemporaryFile, gettempdir
from typing import Any

from pydantic_core import to_json

from backend.conversations.conversation import Conversation
from backend.conversations.imports.importer import ImportReport, LeftOut, parse_import
from backend.conversations.imports.limits import ImportLimits
from tests.support.conversations import ConversationList

LIMITS = ImportLimits(
    max_bytes=10_000_000,
    max_values=1_000_000,
    max_message_bytes=10_000_000,
    max_messages=100_000,
    max_total=1_000_000,
)


@dataclass(frozen=True)
class ParsedImport:
    """What was read from a file, and what was left out."""

    conversations: list[Conversation]
    report: ImportReport

    @property
    def left_out(self) -> list[LeftOut]:
        return self.report.left_out

    @property
    def left_out_count(self) -> int:
        return self.report.left_out_count


def parse_file(value: Any, **limits: int) -> ParsedImport:
    """Read a value, which is written as JSON if it is not bytes."""
    writer = ConversationList()
    with TemporaryFile() as file:
        file.write(value if isinstance(value, bytes) else to_json(value))
        report = parse_import(file, writer, replace(LIMITS, **limits), folder=gettempdir())
    return ParsedImport(writer.conversations, report)


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
