"""LM Studio's conversation files: a list of turns, each with its versions and the one in use.

LM Studio does not describe them; it stores one file a chat in `~/.lmstudio/conversations`.
"""

from backend.conversations.formats.attachments import read_parts
from backend.conversations.formats.fields import (
    Json,
    json_text,
    parse_timestamp,
    read_model,
    read_role,
    tool_call,
)
from backend.conversations.formats.imported_chat import ImportedChat
from backend.conversations.formats.message_tree import ImportedMessage
from backend.json_values import as_count, as_dict, as_dict_list, as_str, content_text

_SYSTEM_PROMPT = "llm.prediction.systemPrompt"
_CALL, _RESULT = "toolCallRequest", "toolCallResult"


def is_lm_studio(entry: object) -> bool:
    fields = as_dict(entry)
    turns = as_dict_list(fields.get("messages"))
    return bool(turns) and all(isinstance(turn.get("versions"), list) for turn in turns)


def read_lm_studio(entry: Json) -> ImportedChat:
    times = [entry.get(f"{role}LastMessagedAt") for role in ("user", "assistant")]
    chat = ImportedChat(
        title=as_str(entry.get("name")),
        model=read_model(as_dict(entry.get("lastUsedModel")).get("identifier")),
        system_prompt=_system_prompt(entry) or as_str(entry.get("systemPrompt")),
        created_at=parse_timestamp(entry.get("createdAt")),
        updated_at=max(filter(None, map(parse_timestamp, times)), default=None),
    )
    for number, turn in enumerate(as_dict_list(entry.get("messages"))):
        versions = [as_dict(version) for version in turn["versions"]]
        for position, version in enumerate(versions):
            message = _message(chat, version)
            message.parent, message.created_at = chat.current, chat.created_at
            chat.messages[f"{number}.{position}"] = message
        selected = as_count(turn.get("currentlySelected")) or 0
        if versions:
            chat.current = f"{number}.{min(selected, len(versions) - 1)}"
    return chat


def _system_prompt(entry: Json) -> str:
    fields = as_dict_list(as_dict(entry.get("perChatPredictionConfig")).get("fields"))
    prompts = [as_str(field.get("value")) for field in fields if field.get("key") == _SYSTEM_PROMPT]
    return next(filter(None, prompts), "")


def _message(chat: ImportedChat, version: Json) -> ImportedMessage:
    """Read a version, which is one block of content or, for an answer, several steps."""
    message = ImportedMessage(
        role=read_role(version.get("role")),
        model=read_model(as_dict(version.get("senderInfo")).get("senderName")),
    )
    texts, reasoning = list[str](), list[str]()
    results: Json = {}
    for step in as_dict_list(version.get("steps")) or [version]:
        content = step.get("content")
        parts = as_dict_list(content)
        is_thinking = as_dict(step.get("style")).get("type") == "thinking"
        (reasoning if is_thinking else texts).append(content_text(content))
        for part in parts:
            if part.get("type") == _CALL:
                name, arguments = as_str(part.get("name")), part.get("parameters")
                call_id = json_text(part.get("callId")) or f"call_{len(message.tool_calls)}"
                message.tool_calls.append(tool_call(call_id, name or "tool", arguments))
            elif part.get("type") == _RESULT:
                results[json_text(part.get("callId"))] = json_text(part.get("content"))
        others = [part for part in parts if part.get("type") not in (_CALL, _RESULT)]
        message.images += read_parts(chat, others)
    for call in message.tool_calls:
        if call["id"] in results:
            call["result"] = results[call["id"]]
    message.content = "\n".join(filter(None, texts))
    message.reasoning = "\n\n".join(filter(None, reasoning))
    return message
