"""Export conversations as JSON, Markdown, or a self-contained HTML page.

JSON holds everything; Markdown and HTML hold the active branch.
"""

import re
from html import escape
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field

from backend.conversations.conversation import Conversation, Message

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
# The policy blocks scripts and remote content, whatever the messages contain.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }}
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
h2 {{ font-size: 1rem; margin: 2rem 0 .25rem; }}
pre {{ font: inherit; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }}
p {{ font-size: .875rem; opacity: .8; margin: .25rem 0; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


class Export(BaseModel):
    """An export file of SmolChat."""

    format: Literal["smolchat"] = "smolchat"
    version: Literal[1] = 1
    conversations: Annotated[list[Conversation], Field(max_length=1_000_000)]


def to_markdown(conversation: Conversation) -> str:
    """Render a conversation as Markdown; message texts are not escaped."""
    blocks = [f"# {_single_line(_title(conversation))}"]
    if conversation.system_prompt:
        blocks += ["## System", conversation.system_prompt]
    for message in conversation.active_branch():
        blocks += [f"## {_single_line(_speaker(message))}", message.content]
        blocks += [f"*{_single_line(note)}*" for note in _notes(message)]
    return "\n\n".join(blocks) + "\n"


def to_html(conversation: Conversation) -> str:
    """Render a conversation as a page that loads nothing else."""
    prompt = conversation.system_prompt
    sections = [_section("System", prompt, [])] if prompt else []
    sections += [
        _section(_speaker(message), message.content, _notes(message))
        for message in conversation.active_branch()
    ]
    return _PAGE.format(title=escape(_title(conversation)), body="\n".join(sections))


def content_disposition(name: str, file_format: str) -> str:
    """Return the header that sets the name under which a browser saves the file (RFC 6266)."""
    name = re.sub(r"[^\w.,()+-]+", " ", name).strip(" .")[:100] or "conversation"
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}.{_EXTENSIONS[file_format]}"


def _title(conversation: Conversation) -> str:
    return conversation.title or "Conversation"


def _single_line(text: str) -> str:
    return " ".join(text.split())


def _speaker(message: Message) -> str:
    speaker = _ROLE_LABELS.get(message.role, message.role)
    return f"{speaker} ({message.model})" if message.model else speaker


def _notes(message: Message) -> list[str]:
    """Return what a reader should know about a message besides its text."""
    notes = [_STATE_NOTES[message.state]] if message.state in _STATE_NOTES else []
    if message.error:
        notes.append(f"Failed: {message.error.get('message') or 'unknown reason'}")
    if message.parts and any(part.get("type") != "text" for part in message.parts):
        notes.append("Attachments are not included in this file.")
    return notes


def _section(speaker: str, text: str, notes: list[str]) -> str:
    lines = [f"<h2>{escape(speaker)}</h2>", f"<pre>{escape(text)}</pre>"]
    return "\n".join([*lines, *(f"<p>{escape(note)}</p>" for note in notes)])
