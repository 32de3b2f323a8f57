"""Text from elsewhere as text: shown exactly as it is, never as a link, an image or formatting.

For everything that is not a model's Markdown but comes from outside the page: error messages,
names of models, presets and chats, locations in a schema. `markdown_blocks` is for Markdown.
"""

import json
import re

from sanitize.markdown_inline import EMPTY_DIRECTIVE

# What can be Markdown within a line, or at its start.
_ACTIVE = re.compile(r"[\\`*\[\]{}<>&~$:@!|]|(?<!\w)_|_(?!\w)|^[#+=-]|(?<=\d)[.)](?=\s|$)")
# Streamlit replaces addresses, emoji, icons and arrows in what escaped text is parsed to. So the
# text is split after these characters, and it does not find them.
_SPLIT = re.compile(r"(?<=[:@])|(?<=www)(?=\.)|(?<=[-<>~])(?=[->=])", re.IGNORECASE)
_CODE = re.compile(r"(?<!`)`(?P<code>[^`]+)`(?!`)|(?P<url>https?://[^\s`,;)]*[^\s`,;).])")
# Control characters, what changes the direction of a text, and what cannot be seen.
_INVISIBLE = re.compile(
    r"[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_ICON = ":material/"  # Streamlit replaces it even in code


def plain_text(text: str) -> str:
    """Return Markdown that shows the text on one line. Works in labels too, but not in a badge."""
    line = " ".join(text.split())
    return EMPTY_DIRECTIVE.join(_ACTIVE.sub(r"\\\g<0>", part) for part in _SPLIT.split(line))


def visible_text(text: str) -> str:
    r"""Return the text with characters that hide or reorder others as JSON's escapes (`\u202e`)."""
    text = text.replace("\r\n", "\n")
    return _INVISIBLE.sub(lambda character: json.dumps(character[0])[1:-1], text)


def message_text(text: str) -> str:
    """Return Markdown that shows a message; addresses and what is in backticks become code."""
    output, position = list[str](), 0
    text = " ".join(text.split())
    for match in _CODE.finditer(text):
        output.append(_plain_part(text[position : match.start()]))
        output.append(code_span(match["code"] or match["url"]))
        position = match.end()
    return "".join([*output, _plain_part(text[position:])])


def code_span(text: str) -> str:
    """Return Markdown that shows the text as code, on one line."""
    text = " ".join(text.split())
    if not text or _ICON in text:
        return plain_text(text)
    runs = map(len, re.findall("`+", text))
    mark = "`" * (1 + max(runs, default=0))
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{mark}{padding}{text}{padding}{mark}"


def _plain_part(text: str) -> str:
    """Return a part of a line as plain text, with the spaces at its ends."""
    start = " " * text.startswith(" ")
    end = " " * (text.endswith(" ") and bool(text.strip()))
    return start + plain_text(text) + end
