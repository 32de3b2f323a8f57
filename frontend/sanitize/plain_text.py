"""Text from elsewhere as text: shown exactly as it is, never as a link, an image or formatting.

For everything that is not a model's Markdown but comes from outside the page: error messages,
names of models, presets and chats, locations in a schema. `markdown_blocks` is for Markdown.
"""

import re

from sanitize.markdown_inline import EMPTY_DIRECTIVE

# What can be Markdown within a line, or at its start.
_ACTIVE = re.compile(r"[\\`*\[\]{}<>&~$:@!|]|(?<!\w)_|_(?!\w)|^[#+=-]|(?<=\d)[.)](?=\s|$)")
# Streamlit replaces addresses, emoji, icons and arrows in what escaped text is parsed to. So the
# text is split after these characters, and it does not find them.
_SPLIT = re.compile(r"(?<=[:@])|(?<=www)(?=\.)|(?<=[-<>~])(?=[->=])", re.IGNORECASE)
_CODE = re.compile(r"(?<!`)`(?P<code>[^`]+)`(?!`)|(?P<url>https?://[^\s`,;)]*[^\s`,;).])")
_ICON = ":material/"  # Streamlit replaces it even in code


def plain_text(text: str) -> str:
    """Return Markdown that shows the text on one line. Works in labels too, but not in a badge."""
    line = " ".join(text.split())
    return EMPTY_DIRECTIVE.join(_ACTIVE.sub(r"\\\g<0>", part) for part in _SPLIT.split(line))


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
