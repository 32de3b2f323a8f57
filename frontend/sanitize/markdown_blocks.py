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
from sanitize.markdown_inline import EMPTY_DIRECTIVE, escape, sanitize_inline

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
_LINE_END = re.compile(r"\r\n|\r|\n")
_MARKER = r"(?:[-*+]|\d{1,9}[.)])"
_ITEM = re.compile(rf"[ \t]*{_MARKER}(?:[ \t]+|$)")
_LEAD = rf"(?P<lead>[ \t]*(?:{_MARKER}[ \t]+){{0,8}})"
_FENCE = re.compile(rf"{_LEAD}(?P<mark>`{{3,}}+(?=[^`]*$)|~{{3,}}+)(?P<info>.*)$")
_FIRST_WORD = re.compile(r"[\s{.]*([\w+#-]*)")
_MATH_OPENS = re.compile(rf"{_LEAD}(?P<mark>\\\[|\$\$)(?P<first>.*)$")
_MATH_ENDS = {r"\[": r"\]", "$$": "$$"}
_MATH_OPENS_LATE = re.compile(r"(?P<before>[^\\$`]*\S)\s+(?P<mark>\\\[|\$\$)\s*$")
# Neither ">=" nor the Python prompt ">>>".
_QUOTE = re.compile(r"(?P<lead>[ \t]*)>(?!=|>>) ?")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]")
# Browsers cannot render arbitrarily deep nesting.
_TOO_DEEP = re.compile(rf"[ \t]*(?:{_MARKER}[ \t]+|>[ \t]*){{9}}")
# The start of a paragraph that does not continue the block before it.
_NEW_PARAGRAPH = re.compile(r"[^\W\d_]|[#`\"'(\[$\\]|\*\*")


def sanitize_markdown(text: str) -> str:
    """Sanitize a text, which may be incomplete while it is streamed."""
    return "\n".join(_BlockRewriter(_LINE_END.split(text.replace("\0", ""))).lines())


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
            fence = "" if _closes(fence, line) else fence
        elif opening := _FENCE.match(line.rstrip()):
            fence = opening["mark"]
        current += line
    return [*blocks, current]


def _is_complete(block: str) -> bool:
    return len(block) > MIN_BLOCK_CHARACTERS and block.endswith("\n\n")


class _BlockRewriter:
    """Rewrite lines, tracking the context that determines how the next line is parsed."""

    def __init__(self, lines: list[str], depth: int = 0) -> None:
        self._lines = deque(lines)
        self._depth = depth
        self._starts_block = True  # no open paragraph that the next line would continue
        self._is_table = False
        self._item_indent = 0

    def lines(self) -> Iterator[str]:
        while self._lines:
            line = self._lines.popleft()
            # Anything but text ends a table and a paragraph.
            starts_block, was_table = self._starts_block, self._is_table
            self._starts_block, self._is_table = True, False
            if fence := _FENCE.match(line):
                yield from self._fenced(fence)
            elif starts_block and _indent(line) >= self._item_indent + 4 and line.strip():
                yield from self._indented(line)
            elif (quote := _QUOTE.match(line)) and self._depth < MAX_QUOTE_DEPTH:
                yield from self._quoted(line, quote)
            elif formula := self._display_math(line):
                yield from formula
            else:
                if not _MATH_OPENS.match(line) and (late := _MATH_OPENS_LATE.match(line)):
                    line = late["before"]
                    self._lines.appendleft(late["mark"])
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
            if _closes(mark, line):
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
        nested = _BlockRewriter([_QUOTE.sub("", line, count=1) for line in lines], self._depth + 1)
        # With more indentation it could be parsed as the continuation of a paragraph.
        lead = quote["lead"] if quote["lead"] in ("", " ", "  ", "   ") else ""
        for rewritten in nested.lines():
            yield f"{lead}> {rewritten}"
        if self._lines and self._lines[0].strip():
            yield ""  # or the next line would become part of the quote

    def _display_math(self, line: str) -> list[str]:
        """Rewrite a multi-line formula on one line; return no lines if it has no end yet."""
        opening = _MATH_OPENS.match(line)
        if not opening or (end := _MATH_ENDS[opening["mark"]]) in opening["first"]:
            return []
        following = list(islice(self._lines, MAX_FORMULA_LINES))
        last = next((number for number, line in enumerate(following) if end in line), None)
        if last is None:
            return []
        for _ in range(last + 1):
            self._lines.popleft()
        inner, _, tail = following[last].partition(end)
        formula = sanitize_latex(" ".join([opening["first"], *following[:last], inner]))
        if not formula:
            return _as_code("\n".join([line, *following[: last + 1]]))
        lead = opening["lead"] if opening["lead"].strip() else ""
        suffix = EMPTY_DIRECTIVE + sanitize_inline(tail) if tail.strip() else ""
        return ["", rf"{lead}$\displaystyle {formula}${suffix}", ""]

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
        return self._text(line) + ("  " if line.strip() and next_line.strip() else "")

    def _text(self, line: str) -> str:
        if _TOO_DEEP.match(line):
            return escape(line)
        before, sign, after = line.partition(">")
        if sign and not before.strip():
            return rf"{before}\>{EMPTY_DIRECTIVE}{sanitize_inline(after)}"
        return sanitize_inline(line, in_table=self._is_table)


def _language(info: str) -> str:
    word = _FIRST_WORD.match(info)
    name = word[1].lower() if word else ""
    name = _LANGUAGE_ALIASES.get(name, name)
    return name if name in _LANGUAGES.split() else ""


def _as_code(text: str) -> list[str]:
    mark = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return [mark, *text.split("\n"), mark]


def _closes(mark: str, line: str) -> bool:
    stripped = line.strip()
    return len(stripped) >= len(mark) and not stripped.strip(mark[0])


def _indent(line: str) -> int:
    line = line.expandtabs(4)
    return len(line) - len(line.lstrip(" "))


def _is_indented(line: str, margin: int) -> bool:
    return not line.strip() or (_indent(line) >= margin and not _FENCE.match(line))


def _is_table_rule_or_hr(line: str) -> bool:
    """Return True for the delimiter row of a table or a horizontal rule."""
    return "-" in line and not line.strip(" \t|:-")
