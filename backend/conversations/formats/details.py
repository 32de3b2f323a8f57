"""The `<details>` blocks in which Open WebUI writes reasoning, tool calls and code into an answer.

`serialize_output` in https://github.com/open-webui/open-webui/blob/main/backend/open_webui/utils/middleware.py
writes them: each with a `type`, in a line of its own. Attributes are HTML-escaped JSON, and so is
the text of the reasoning, every line of which is quoted by `> `. Older versions did not escape it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from pydantic_core import from_json

from backend.conversations.formats.fields import (
    Json,
    file_name,
    json_text,
    read_tool_calls,
    tool_call,
)
from backend.json_values import as_dict_list, as_str

_VALUE = r"""(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>=]++)))?"""
_NAME = r"""[^\s=<>"'/]++"""
_ATTRIBUTE = re.compile(f"({_NAME}){_VALUE}")
_TOKEN = re.compile(
    rf"""
      ^[ ]{{0,3}}(?P<fence>`{{3,}}+|~{{3,}}+)(?P<info>[^\n]*)$
    | (?P<open><details(?P<attributes>(?:\s+{_NAME}{_VALUE})*+)\s*/?>)
    | (?P<close></details\s*>)
    """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
_SUMMARY = re.compile(r"\s*<summary[^>]*>.*?</summary\s*>\n?", re.DOTALL | re.IGNORECASE)
_CODE = re.compile(r"\s*+(`{3,}+|~{3,}+)([^\n]*+)\n(.*?)\n?\1\s*+", re.DOTALL)
_KNOWN_TYPES = {"reasoning", "tool_calls", "code_interpreter"}
_MAX_CODE_SPAN = 1000  # characters before a tag that are searched for a backtick


@dataclass
class AnswerParts:
    """An answer without its blocks, and what they held."""

    content: str
    reasoning: list[str] = field(default_factory=list)
    tool_calls: list[Json] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)  # kinds and names


@dataclass
class _Tag:
    start: int
    end: int
    attributes: dict[str, str]  # still HTML-escaped
    closing: tuple[int, int] = (-1, -1)  # the span of the closing tag, if there is one

    @property
    def kind(self) -> str:
        return unescape(self.attributes.get("type", "")).strip().lower()


def split_details(text: str) -> AnswerParts:
    """Take Open WebUI's blocks out of an answer; the text around them stays as it is.

    What is in a code fence, in other `<details>` or without a type is the answer's own text.
    """
    parts, kept, position = AnswerParts(""), list[str](), 0
    for tag, body_end, end in _blocks(text):
        kept.append(text[position : tag.start])
        _read_block(parts, tag, text[tag.end : body_end])
        position = end + (text[end : end + 1] == "\n")
    if not position:
        return AnswerParts(text)
    kept.append(text[position:])
    # The blank lines at a block that begins or ends the answer belong to the block.
    content = "".join(kept) if kept[0].strip() else "".join(kept[1:]).lstrip("\n")
    parts.content = content if kept[-1].strip() else content.rstrip("\n")
    return parts


def _blocks(text: str) -> Iterator[tuple[_Tag, int, int]]:
    """Yield the opening tag of each block, where its body ends, and where it ends itself."""
    tags, closing = _pair_tags(text)
    starts = [tag.start for tag in tags if tag.kind and _is_line_start(text, tag.start)]
    position = 0
    for tag in tags:
        if tag.start < position:
            continue
        if not (tag.start == position > 0 and tag.kind) and not _is_block(text, tag):
            position = max(position, tag.closing[1])  # what it holds is text
            continue
        body_end, position = tag.closing
        if body_end < 0:
            body_end, position = _unclosed_end(tag, starts, closing) or (len(text), len(text))
        yield tag, body_end, position


def _unclosed_end(
    tag: _Tag, starts: list[int], closing: list[tuple[int, int]]
) -> tuple[int, int] | None:
    """Return where a block ends that is not closed at its level: at the next one, if any.

    Else a `<details>` in its text took its closing tag.
    """
    if (index := bisect_right(starts, tag.start)) < len(starts):
        return starts[index], starts[index]
    index = bisect_right(closing, (tag.start, 0))
    return closing[index] if index < len(closing) else None


def _pair_tags(text: str) -> tuple[list[_Tag], list[tuple[int, int]]]:
    """Return the opening tags, each with the closing tag of its level, and all closing tags.

    Tags in code fences are not tags.
    """
    tags: list[_Tag] = []
    opened: list[_Tag] = []
    closing: list[tuple[int, int]] = []
    fence = ""
    for token in _TOKEN.finditer(text):
        if mark := token["fence"]:
            if not fence:
                fence = "" if mark[0] == "`" and "`" in token["info"] else mark
            elif mark.startswith(fence) and not token["info"].strip():
                fence = ""
        elif fence:
            continue
        elif token["open"]:
            tags.append(_Tag(token.start(), token.end(), _attributes(token["attributes"])))
            opened.append(tags[-1])
        else:
            closing.append(token.span())
            if opened:
                opened.pop().closing = token.span()
    return tags, closing


def _attributes(source: str) -> dict[str, str]:
    """Return the values by their names; they are still HTML-escaped."""
    values: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(source):
        values.setdefault(name.lower(), double or single or bare)
    return values


def _is_block(text: str, tag: _Tag) -> bool:
    """Return True if Open WebUI wrote the tag: it begins a line, or is of a known type."""
    if not tag.kind or _is_line_start(text, tag.start):
        return bool(tag.kind)
    line = text[max(0, tag.start - _MAX_CODE_SPAN) : tag.start].rpartition("\n")[2]
    is_in_code = line.count("`") % 2 == 1
    return tag.kind in _KNOWN_TYPES and "done" in tag.attributes and not is_in_code


def _is_line_start(text: str, position: int) -> bool:
    """Return True if at most three spaces precede: with four, Markdown reads code."""
    before = text[max(0, position - 4) : position]
    _, line_break, indent = before.rpartition("\n")
    return not indent.strip(" ") and (bool(line_break) or position < 4)


def _read_block(parts: AnswerParts, tag: _Tag, body: str) -> None:
    attributes, number = tag.attributes, len(parts.tool_calls)
    if summary := _SUMMARY.match(body):
        body = body[summary.end() :]
    if tag.kind == "reasoning":
        parts.reasoning.append(_reasoning_text(body))
    elif tag.kind == "tool_calls" and (calls := _tool_calls(attributes, number)):
        parts.tool_calls += calls
    elif tag.kind == "code_interpreter" and (code := _CODE.fullmatch(body)):
        arguments = {"language": code[2].strip(), "code": code[3]}
        result = _result(attributes.get("output"))
        parts.tool_calls.append(tool_call(f"call_{number}", tag.kind, arguments, **result))
    else:
        name = unescape(attributes.get("name", ""))
        parts.left_out.append((tag.kind.replace("_", " "), name))
    for source in ("files", "embeds"):
        for item in _items(attributes.get(source)):
            parts.left_out.append((source[:-1], file_name(item)))


def _reasoning_text(body: str) -> str:
    """Return the reasoning without quote marks and escapes.

    A quote mark that is not escaped shows that nothing is.
    """
    is_escaped = not body.lstrip().startswith(">")
    text = unescape(body) if is_escaped else body
    return re.sub(r"(?m)^> ?", "", text).strip()


def _tool_calls(attributes: dict[str, str], number: int) -> list[Json]:
    """Return the calls of a block. Older versions list them in `content`."""
    if name := unescape(attributes.get("name", "")):
        call_id = unescape(attributes.get("id", "")) or f"call_{number}"
        arguments = _json_value(attributes.get("arguments", ""))
        return [tool_call(call_id, name, arguments, **_result(attributes.get("result")))]
    results = {
        as_str(item.get("tool_call_id")): {"result": json_text(item.get("content"))}
        for item in as_dict_list(_items(attributes.get("results")))
    }
    calls = read_tool_calls(_items(attributes.get("content")))
    return [call | results.get(call["id"], {}) for call in calls]


def _result(attribute: str | None) -> Json:
    return {} if attribute is None else {"result": json_text(_json_value(attribute))}


def _items(attribute: str | None) -> list[Any]:
    value = _json_value(attribute or "")
    return value if isinstance(value, list) else []


def _json_value(attribute: str) -> Any:
    """Return the JSON in an attribute; what is not JSON is text."""
    text = unescape(attribute)
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return text
