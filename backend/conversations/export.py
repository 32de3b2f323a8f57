"""Export conversations as JSON, which holds everything, and as Markdown of the active branch."""

import re
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field

from backend.conversations.citations import numbered
from backend.conversations.conversation import Conversation, ConversationFields, Message
from backend.conversations.exported_images import has_other_attachments, stored_images
from backend.conversations.exported_steps import ExportedStep, StepReader
from backend.images.parts import placeholder
from backend.json_values import as_dict, as_str

MEDIA_TYPES = {
    "json": "application/json",
    "markdown": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
}
_EXTENSIONS = {"json": "json", "markdown": "md", "html": "html"}
_ROLE_LABELS = {"user": "You", "assistant": "Assistant", "tool": "Tool", "system": "System"}
_STATE_NOTES = {
    "stopped": "Stopped.",
    "interrupted": "Interrupted.",
    "writing": "Still generating.",
}


class Export(BaseModel):
    """An export file of SmolChat."""

    format: Literal["smolchat"] = "smolchat"
    version: Literal[1] = 1
    conversations: Annotated[list[Conversation], Field(max_length=1_000_000)]


class MarkdownExport:
    """Renders a conversation as Markdown; message texts are not escaped."""

    def __init__(self) -> None:
        self._steps = StepReader()

    def start(self, conversation: ConversationFields) -> str:
        blocks = [f"# {_single_line(conversation.title or 'Conversation')}"]
        if conversation.system_prompt:
            blocks += ["## System", conversation.system_prompt]
        return "\n\n".join(blocks)

    def message(self, message: Message) -> str:
        step, is_continued = self._steps.read(message)
        if step:
            return "\n\n".join(["", *_step_blocks(step)])
        blocks = [""]
        blocks += [] if is_continued else [f"## {_single_line(speaker_name(message))}"]
        if message.reasoning:
            blocks.append(re.sub(r"(?m)^", "> ", f"*Reasoning*\n\n{message.reasoning}"))
        blocks += [_tool_call(call) for call in message.tool_calls or []]
        content, citations = numbered(message.content, message.annotations or ())
        blocks += [content] if content or not message.tool_calls else []
        blocks += _citations(citations)
        blocks += [f"*{_escaped(placeholder(name))}*" for name, _ in stored_images(message)]
        blocks += [f"*{_single_line(note)}*" for note in message_notes(message)]
        return "\n\n".join(blocks)

    def end(self) -> str:
        return "\n"


def content_disposition(name: str, file_format: str) -> str:
    """Return the header that sets the name under which a browser saves the file (RFC 6266)."""
    name = re.sub(r"[^\w.,()+-]+", " ", name).strip(" .")[:100] or "conversation"
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}.{_EXTENSIONS[file_format]}"


def _tool_call(call: dict[str, object]) -> str:
    function = as_dict(call.get("function"))
    name = _single_line(as_str(function.get("name"))) or "unknown"
    return f"*Tool call: {_escaped(name)}*\n\n{_code(as_str(function.get('arguments')), 'json')}"


def _citations(lines: list[str]) -> list[str]:
    items = [f"{number}. {_escaped(line)}" for number, line in enumerate(lines, 1)]
    return ["*From the files*", "\n".join(items)] if items else []


def _step_blocks(step: ExportedStep) -> list[str]:
    blocks = [f"*Edited arguments*\n\n{_code(step.edited_arguments, 'json')}"]
    result = [_code(step.text)] if step.text else []
    return [
        *(blocks if step.edited_arguments else []),
        f"*{_escaped(_single_line(step.label))}*",
        *result,
    ]


def _code(text: str, language: str = "") -> str:
    """Render a text as code, in a fence that it does not end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _escaped(text: str) -> str:
    """Return a name as Markdown that can be neither a link nor an image."""
    return re.sub(r"[\\`*\[\]<>&!]", r"\\\g<0>", text)


def _single_line(text: str) -> str:
    return " ".join(text.split())


def speaker_name(message: Message) -> str:
    speaker = _ROLE_LABELS.get(message.role, message.role)
    return f"{speaker} ({message.model})" if message.model else speaker


def message_notes(message: Message) -> list[str]:
    """Return what a reader should know about a message besides its text."""
    notes = [_STATE_NOTES[message.state]] if message.state in _STATE_NOTES else []
    if message.error:
        notes.append(f"Failed: {message.error.get('message') or 'unknown reason'}")
    if has_other_attachments(message):
        notes.append("Attachments are not included in this file.")
    return notes
