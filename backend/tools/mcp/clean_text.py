"""Removes invisible characters from text that an MCP server sends."""

import re
from typing import Any

# Controls except tab and line feed; surrogates; marks that hide or reorder text; the invisible
# copies of ASCII (tags), with which instructions are hidden from people but not from models.
_INVISIBLE = re.compile(
    # Commands to a terminal, as a whole.
    "\x1b\\[[0-?]*[ -/]*[@-~]|"
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_MAX_ANNOTATION_CHARACTERS = 1000
# What is shown of a schema; values in the others are for validation and stay as they are.
_ANNOTATIONS = ("title", "description")
_VALUES = ("const", "enum", "default", "examples")


def clean_text(text: str, max_characters: int) -> str:
    """Return text without invisible characters, truncated with a note to `max_characters`."""
    # A little more than is kept is enough to clean, unless most of it is invisible.
    cleaned = _INVISIBLE.sub("", text[: 2 * max_characters].replace("\r\n", "\n")).strip()
    if len(cleaned) <= max_characters and len(text) <= 2 * max_characters:
        return cleaned
    note = f"\n[truncated: {len(text):,} characters]"
    return cleaned[: max(max_characters - len(note), 0)] + note


def clean_line(text: str, max_characters: int) -> str:
    """Return text as one line without invisible characters, cut to `max_characters`."""
    line = " ".join(_INVISIBLE.sub("", text[: 10 * max_characters]).split())
    return line if len(line) <= max_characters else line[: max_characters - 1] + "…"


def clean_schema(schema: Any) -> Any:
    """Return a schema, which is not deeply nested, with its titles and descriptions cleaned."""
    if isinstance(schema, list):
        return [clean_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _clean_keyword(key, value) for key, value in schema.items()}


def _clean_keyword(key: str, value: Any) -> Any:
    if key in _ANNOTATIONS and isinstance(value, str):
        return clean_text(value, _MAX_ANNOTATION_CHARACTERS)
    return value if key in _VALUES else clean_schema(value)
