"""Sanitizing model output: Markdown that can neither load nor run anything.

Streamlit extends Markdown, so nothing passes through just because it looks harmless. Recognized
constructs are rewritten in an unambiguous form; everything else is escaped. This module handles
blocks: fences, quotes, tables and multi-line formulas. Fences are moved to the margin, where only
their own closing fence ends them. `markdown_inline` handles the content of lines, `latex` formulas.
"""

import re
from collections import deque
from collections.abc import Iterator
from itertools import islice

from sanitize.latex import sanitize_latex
from sanitize.markdown_fence import FENCE, LEAD, MARKER, closes_fence
from sanitize.markdown_inline import EMPTY_DIRECTIVE, escape, sanitize_inline
from sanitize.math_detection import looks_like_math
from sanitize.plain_text import plain_text

MIN_BLOCK_CHARACTERS = 400
MAX_FORMULA_LINES = 40
MAX_QUOTE_DEPTH = 3

# Other languages are not highlighted. Streamlit renders mermaid and math as diagrams and formulas
# instead of code, and finds their names anywhere in the first word after the fence.
_LANGUAGES = """
ada asm awk bash basic batch c clojure cmake cpp csharp css csv dart diff docker elixir elm
    erlang fortran fsharp go gradle graphql groovy haskell hcl html http ini java javascript json
    json5 jsx julia kotlin latex less lisp lua makefile markdown matlab nginx nim nix objectivec
    ocaml pascal perl php powershell prolog properties protobuf python r regex ruby rust sass scala
    scheme scss sh solidity sql svg swift tcl toml tsx typescript verilog vhdl vim wasm xml yaml zig
"""
_LANGUAGE_ALIASES = {
    "c#": "csharp", "c++": "cpp", "console": "bash", "cs": "csharp", "dockerfile": "docker",
    "golang": "go", "js": "javascript", "jsonc": "json5", "kt": "kotlin", "md": "markdown",
    "objc": "objectivec", "objective-c": "objectivec", "ps1": "powershell", "py": "python",
    "python3": "python", "rb": "ruby", "rs": "rust", "shell": "bash", "tex": "latex",
    "ts": "typescript", "yml": "yaml", "zsh": "bash",
}  # fmt: skip

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_ITEM = re.compile(rf"[ \t]*{MARKER}(?:[ \t]+|$)")
_FIRST_WORD = re.compile(r"[\s{.]*([\w+#-]*)")
_MATH_OPENS = re.compile(
    rf"(?:{LEAD}|(?P<before>[^\\$`]*\S)\s+(?=(?:\\\[|\$\$)\s*$))(?P<mark>\\\[|\$\$(?!\$))(?P<first>.*)$"
)
_MATH_ENDS = {r"\[": re.compile(r"\\\]"), "$$": re.compile(r"(?<![\\$])\$\$(?!\$)")}
# Neither ">=" nor the Python prompt ">>>".
_QUOTE = re.compile(r"(?P<lead>[ \t]*)>(?!=|>>) ?")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]")
# Browsers cannot render arbitrarily deep nesting.
_TOO_DEEP = re.compile(rf"[ \t]*(?:{MARKER}[ \t]+|>[ \t]*){{9}}")
# The start of a paragraph that does not continue the block before it.
_NEW_PARAGRAPH = re.compile(r"[^\W\d_]|[#`\"'(\[$\\]|\*\*")


def normalize_lines(text: str) -> str:
    """Return the text with the characters and the line ends by which it is parsed."""
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


def sanitize_markdown(text: str, *, is_partial: bool = False) -> str:
    """Sanitize a text; if it is partial, what its end means is not known yet."""
    lines = normalize_lines(text).split("\n")
    return "\n".join(_BlockRewriter(lines, is_partial=is_partial).lines())


def split_blocks(text: str) -> list[str]:
    """Split a growing text into blocks, of which only the last one can still change.

    Splits at a blank line outside a fence, before a new paragraph.
    """
    blocks, current, fence = list[str](), "", ""
    for line in _LINE.findall(text):
        if not fence and _is_complete(current) and _NEW_PARAGRAPH.match(line):
            blocks.append(current)
            current = ""
        if fence:
            fence = "" if closes_fence(fence, line) else fence
        elif opening := FENCE.match(line.rstrip()):
            fence = opening["mark"]
        current += line
    return [*blocks, current]


def _is_complete(block: str) -> bool:
    return len(block) > MIN_BLOCK_CHARACTERS and block.endswith("\n\n")


class _BlockRewriter:
    """Rewrite lines, tracking the context that determines how the next line is parsed."""

    def __init__(self, lines: list[str], *, depth: int = 0, is_partial: bool = False) -> None:
        self._lines = deque(lines)
        self._depth = depth
        self._is_partial = is_partial
        self._starts_block = True  # no open paragraph that the next line would continue
        self._is_table = False
        self._item_indent = 0

    def lines(self) -> Iterator[str]:
        while self._lines:
            line = self._lines.popleft()
            # Anything but text ends a table and a paragraph.
            starts_block, was_table = self._starts_block, self._is_table
            self._starts_block, self._is_table = True, False
            if fence := FENCE.match(line):
                yield from self._fenced(fence)
            elif starts_block and _indent(line) >= self._item_indent + 4 and line.strip():
                yield from self._indented(line)
            elif (quote := _QUOTE.match(line)) and self._depth < MAX_QUOTE_DEPTH:
                yield from self._quoted(line, quote)
            elif (opening := _MATH_OPENS.match(line)) and (math := self._display_math(opening)):
                if opening["before"]:
                    yield sanitize_inline(opening["before"])
                yield from math
            else:
                yield self._text_line(line, starts_block=starts_block, was_table=was_table)

    def _fenced(self, fence: re.Match[str]) -> Iterator[str]:
        """Move a fenced block to the margin. If it is in a list, its item stays, empty."""
        mark, lead = fence["mark"], fence["lead"]
        if lead.strip():
            yield lead + EMPTY_DIRECTIVE
        yield mark + _language(fence["info"])
        margin = min(len(lead), _indent(next(filter(str.strip, self._lines), "")))
        while self._lines:
            line = self._lines.popleft()
            if closes_fence(mark, line):
                yield mark
                return
            yield line[margin:] if line[:margin].isspace() else line

    def _indented(self, line: str) -> Iterator[str]:
        """Rewrite indented code as a fenced block, since escapes would be visible in it."""
        margin = self._item_indent + 4
        code = [line]
        while self._lines and _is_indented(self._lines[0], margin):
            code.append(self._lines.popleft())
        yield from _as_code("\n".join(line.expandtabs(4)[margin:] for line in code).rstrip())

    def _quoted(self, line: str, quote: re.Match[str]) -> Iterator[str]:
        lines = [line]
        while self._lines and _QUOTE.match(self._lines[0]):
            lines.append(self._lines.popleft())
        nested = _BlockRewriter(
            [_QUOTE.sub("", line, count=1) for line in lines],
            depth=self._depth + 1,
            is_partial=self._is_partial and not self._lines,
        )
        # With more indentation it could be parsed as the continuation of a paragraph.
        lead = quote["lead"] if quote["lead"] in ("", " ", "  ", "   ") else ""
        for rewritten in nested.lines():
            yield f"{lead}> {rewritten}"
        if self._lines and self._lines[0].strip():
            yield ""  # or the next line would become part of the quote

    def _display_math(self, opening: re.Match[str]) -> list[str]:
        """Rewrite a multi-line formula on one line; return no lines if it is none."""
        mark, lines = opening["mark"], [opening["first"]]
        if _MATH_ENDS[mark].search(lines[0]):
            return []
        for line in islice(self._lines, MAX_FORMULA_LINES):
            if FENCE.match(line):
                return []
            if end := _MATH_ENDS[mark].search(line):
                lines.append(line[: end.start()])
                return self._formula(opening, lines, tail=line[end.end() :])
            lines.append(line)
        return self._open_formula(mark, lines)

    def _formula(self, opening: re.Match[str], lines: list[str], *, tail: str) -> list[str]:
        mark, text = opening["mark"], " ".join(lines)
        if mark == "$$" and not looks_like_math(text):
            return []
        for _ in lines[1:]:
            self._lines.popleft()
        formula = sanitize_latex(text)
        if not formula:
            return _as_code(
                "\n".join([mark + lines[0], *lines[1:]]) + mark.replace("[", "]") + tail
            )
        lead = opening["lead"] if (opening["lead"] or "").strip() else ""
        suffix = EMPTY_DIRECTIVE + sanitize_inline(tail) if tail.strip() else ""
        return ["", rf"{lead}$\displaystyle {formula}${suffix}", ""]

    def _open_formula(self, mark: str, lines: list[str]) -> list[str]:
        """Return the lines of a formula whose end has not been streamed yet, as they are."""
        is_open = self._is_partial and len(lines) > len(self._lines)
        if not is_open or not all(map(str.strip, lines[1:-1])):
            return []
        if mark == "$$" and lines[0].strip() and not looks_like_math(lines[0]):
            return []
        self._lines.clear()
        return [f"{plain_text(line)}  " for line in (mark + lines[0], *lines[1:])]

    def _text_line(self, line: str, *, starts_block: bool, was_table: bool) -> str:
        next_line = self._lines[0] if self._lines else ""
        self._starts_block = (
            not line.strip() or bool(_HEADING.match(line)) or _is_table_rule_or_hr(line)
        )
        if item := _ITEM.match(line):
            self._item_indent = len(item[0].expandtabs(4))
        elif starts_block and line.strip() and _indent(line) < 2:
            self._item_indent = 0
        if _is_table_rule_or_hr(line):
            self._is_table = was_table
            return line
        is_header = _is_table_rule_or_hr(next_line) and ("|" in next_line or ":" in next_line)
        self._is_table = bool(line.strip()) and (was_table or is_header)
        # Keep line breaks: small models write poems and lists line by line.
        is_open = self._is_partial and not self._lines
        return self._text(line, is_open=is_open) + (
            "  " if line.strip() and next_line.strip() else ""
        )

    def _text(self, line: str, *, is_open: bool) -> str:
        if _TOO_DEEP.match(line):
            return escape(line)
        before, sign, after = line.partition(">")
        if sign and not before.strip():
            return rf"{before}\>{EMPTY_DIRECTIVE}{sanitize_inline(after, is_open=is_open)}"
        return sanitize_inline(line, in_table=self._is_table, is_open=is_open)


def _language(info: str) -> str:
    word = _FIRST_WORD.match(info)
    name = word[1].lower() if word else ""
    name = _LANGUAGE_ALIASES.get(name, name)
    return name if name in _LANGUAGES.split() else ""


def _as_code(text: str) -> list[str]:
    mark = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return [mark, *text.split("\n"), mark]


def _indent(line: str) -> int:
    line = line.expandtabs(4)
    return len(line) - len(line.lstrip(" "))


def _is_indented(line: str, margin: int) -> bool:
    return not line.strip() or (_indent(line) >= margin and not FENCE.match(line))


def _is_table_rule_or_hr(line: str) -> bool:
    """Return True for the delimiter row of a table or a horizontal rule."""
    return "-" in line and not line.strip(" \t|:-")
