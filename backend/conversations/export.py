"""Conversations for other programs and for people: as JSON, Markdown, and a page of HTML.

JSON holds everything; the others hold the thread that the conversation was left at.
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
_ROLE_LABELS = {"user": "You", "assistant": "Answer", "tool": "Tool", "system": "System"}
_STATE_NOTES = {
    "stopped": "Stopped here.",
    "interrupted": "Interrupted here.",
    "writing": "Still being written.",
}
# Nothing is loaded and nothing runs, whatever was said.
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
    """What a file of ours holds."""

    format: Literal["smolchat"] = "smolchat"
    version: Literal[1] = 1
    conversations: Annotated[list[Conversation], Field(max_length=1_000_000)]


def to_markdown(conversation: Conversation) -> str:
    """Write a conversation as Markdown; what was said stays as it was written."""
    pieces = [f"# {' '.join(_title(conversation).split())}"]
    if conversation.system_prompt:
        pieces += ["## System", conversation.system_prompt]
    for message in conversation.active_branch():
        pieces += [f"## {' '.join(_speaker(message).split())}", message.content]
        pieces += [f"*{' '.join(note.split())}*" for note in _notes(message)]
    return "\n\n".join(pieces) + "\n"


def to_html(conversation: Conversation) -> str:
    """Write a conversation as a page that needs nothing else."""
    prompt = conversation.system_prompt
    pieces = [_section("System", prompt, [])] if prompt else []
    pieces += [
        _section(_speaker(said), said.content, _notes(said))
        for said in conversation.active_branch()
    ]
    return _PAGE.format(title=escape(_title(conversation)), body="\n".join(pieces))


def content_disposition(name: str, form: str) -> str:
    """Say under which name a browser saves a file (RFC 6266)."""
    name = re.sub(r"[^\w.,()+-]+", " ", name).strip(" .")[:100] or "conversation"
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}.{_EXTENSIONS[form]}"


def _title(conversation: Conversation) -> str:
    return conversation.title or "Conversation"


def _speaker(message: Message) -> str:
    speaker = _ROLE_LABELS.get(message.role, message.role)
    return f"{speaker} ({message.model})" if message.model else speaker


def _notes(message: Message) -> list[str]:
    """Say what belongs to a message besides its text."""
    notes = [_STATE_NOTES[message.state]] if message.state in _STATE_NOTES else []
    if message.error:
        notes.append(f"Failed: {message.error.get('message') or 'no reason was told.'}")
    if message.parts and any(part.get("type") != "text" for part in message.parts):
        notes.append("With attachments, which are not in this file.")
    return notes


def _section(speaker: str, text: str, notes: list[str]) -> str:
    said = f"<h2>{escape(speaker)}</h2>\n<pre>{escape(text)}</pre>"
    return "\n".join([said, *(f"<p>{escape(note)}</p>" for note in notes)])
