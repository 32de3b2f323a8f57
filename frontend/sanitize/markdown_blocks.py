"""Model text, turned into markdown that can neither load nor run anything.

Streamlit reads markdown with extensions of its own, so nothing is passed on because it looks
harmless: what is recognised here is written anew, in a form that has one meaning only, and the rest
is escaped. This module looks at whole lines: fences, quotes, tables, and formulas of many lines.
Fences are moved to the margin, where nothing but their own end closes them. What is within a line
is in safe_line.py, and what is within a formula in safe_maths.py.
"""

import re
from collections import deque
from collections.abc import Iterator
from itertools import islice

from sanitize.latex import sanitize_latex
from sanitize.markdown_inline import EMPTY_DIRECTIVE, escape, sanitize_inline

BLOCK_CHARACTERS = 400
MATHS_LINES = 40
QUOTES_WITHIN = 3

# A language not named here is shown without colours. Streamlit draws some, mermaid and math, as
# pictures instead of code, and looks for their names anywhere in a fence's first word.
_LANGUAGES = """
ada asm awk bash basic batch c clojure cmake cpp csharp css csv dart diff docker elixir elm
    erlang fortran fsharp go gradle graphql groovy haskell hcl html http ini java javascript json
    json5 jsx julia kotlin latex less lisp lua makefile markdown matlab nginx nim nix objectivec
    ocaml pascal perl php powershell prolog properties protobuf python r regex ruby rust sass scala
    scheme scss sh solidity sql svg swift tcl toml tsx typescript verilog vhdl vim wasm xml yaml zig
"""
_NICKNAMES = {
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
_MATHS_OPENS = re.compile(rf"{_LEAD}(?P<mark>\\\[|\$\$)(?P<first>.*)$")
_MATHS_ENDS = {r"\[": r"\]", "$$": "$$"}
_MATHS_OPENS_LATE = re.compile(r"(?P<before>[^\\$`]*\S)\s+(?P<mark>\\\[|\$\$)\s*$")
# Neither a comparison nor the prompt of Python.
_QUOTE = re.compile(r"(?P<lead>[ \t]*)>(?!=|>>) ?")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]")
# A browser gives up on what is deep enough.
_TOO_DEEP = re.compile(rf"[ \t]*(?:{_MARKER}[ \t]+|>[ \t]*){{9}}")
# Where a paragraph begins that goes on with nothing before it.
_NEW_PARAGRAPH = re.compile(r"[^\W\d_]|[#`\"'(\[$\\]|\*\*")


def sanitize_markdown(text: str) -> str:
    """Rewrite a model's text, or any beginning of one."""
    return "\n".join(_BlockRewriter(_LINE_END.split(text.replace("\0", ""))).lines())


def split_blocks(text: str) -> list[str]:
    """Cut a text where it is settled, so that only the last piece has to be drawn again.

    A cut is at a blank line outside a fence, where a new paragraph begins. All pieces but the last
    stay as they are when the text grows.
    """
    found, current, fence = list[str](), "", ""
    for line in _LINE.findall(text):
        if not fence and _is_settled(current) and _NEW_PARAGRAPH.match(line):
            found.append(current)
            current = ""
        if fence:
            fence = "" if _closes(fence, line) else fence
        elif opening := _FENCE.match(line.rstrip()):
            fence = opening["mark"]
        current += line
    return [*found, current]


def _is_settled(block: str) -> bool:
    return len(block) > BLOCK_CHARACTERS and block.endswith("\n\n")


class _BlockRewriter:
    """The lines that are to come, and of those before what decides how they are read."""

    def __init__(self, lines: list[str], depth: int = 0) -> None:
        self._lines = deque(lines)
        self._depth = depth
        self._is_fresh = True  # no paragraph is open that the next line would go on with
        self._is_table = False
        self._item_indent = 0

    def lines(self) -> Iterator[str]:
        while self._lines:
            line = self._lines.popleft()
            # What is no text ends a table and leaves no paragraph open.
            was_fresh, was_table = self._is_fresh, self._is_table
            self._is_fresh, self._is_table = True, False
            if fence := _FENCE.match(line):
                yield from self._fenced(fence)
            elif was_fresh and _indent(line) >= self._item_indent + 4 and line.strip():
                yield from self._indented(line)
            elif (quote := _QUOTE.match(line)) and self._depth < QUOTES_WITHIN:
                yield from self._quoted(line, quote)
            elif formula := self._displayed(line):
                yield from formula
            else:
                if not _MATHS_OPENS.match(line) and (late := _MATHS_OPENS_LATE.match(line)):
                    line = late["before"]
                    self._lines.appendleft(late["mark"])
                yield self._line(line, was_fresh=was_fresh, was_table=was_table)

    def _fenced(self, fence: re.Match[str]) -> Iterator[str]:
        """Give a fence at the margin; one in a list leaves its marker behind."""
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
        """Give indented code as a fence: there, escapes would be seen."""
        margin = self._item_indent + 4
        code = [line]
        while self._lines and _is_indented(self._lines[0], margin):
            code.append(self._lines.popleft())
        yield from _as_code("\n".join(line.expandtabs(4)[margin:] for line in code).rstrip())

    def _quoted(self, line: str, quote: re.Match[str]) -> Iterator[str]:
        lines = [line]
        while self._lines and _QUOTE.match(self._lines[0]):
            lines.append(self._lines.popleft())
        within = _BlockRewriter([_QUOTE.sub("", line, count=1) for line in lines], self._depth + 1)
        # Further in, it might be taken for a paragraph that goes on.
        lead = quote["lead"] if quote["lead"] in ("", " ", "  ", "   ") else ""
        for written in within.lines():
            yield f"{lead}> {written}"
        if self._lines and self._lines[0].strip():
            yield ""  # or the next line would be taken into the quote

    def _displayed(self, line: str) -> list[str]:
        """Give mathematics of several lines as one, once its end has come; until then nothing."""
        opening = _MATHS_OPENS.match(line)
        if not opening or (end := _MATHS_ENDS[opening["mark"]]) in opening["first"]:
            return []
        coming = list(islice(self._lines, MATHS_LINES))
        last = next((number for number, line in enumerate(coming) if end in line), None)
        if last is None:
            return []
        for _ in range(last + 1):
            self._lines.popleft()
        inner, _, rest = coming[last].partition(end)
        formula = sanitize_latex(" ".join([opening["first"], *coming[:last], inner]))
        if not formula:
            return _as_code("\n".join([line, *coming[: last + 1]]))
        lead = opening["lead"] if opening["lead"].strip() else ""
        goes_on = EMPTY_DIRECTIVE + sanitize_inline(rest) if rest.strip() else ""
        return ["", rf"{lead}$\displaystyle {formula}${goes_on}", ""]

    def _line(self, line: str, *, was_fresh: bool, was_table: bool) -> str:
        coming = self._lines[0] if self._lines else ""
        self._is_fresh = (
            not line.strip() or bool(_HEADING.match(line)) or _is_table_rule_or_hr(line)
        )
        if item := _ITEM.match(line):
            self._item_indent = len(item[0].expandtabs(4))
        elif was_fresh and line.strip() and _indent(line) < 2:
            self._item_indent = 0
        if _is_table_rule_or_hr(line):
            self._is_table = was_table
            return line
        is_header = _is_table_rule_or_hr(coming) and ("|" in coming or ":" in coming)
        self._is_table = bool(line.strip()) and (was_table or is_header)
        # Small models write verses and lists line by line: a line that goes on stays a line.
        return self._text(line) + ("  " if line.strip() and coming.strip() else "")

    def _text(self, line: str) -> str:
        if _TOO_DEEP.match(line):
            return escape(line)
        before, sign, rest = line.partition(">")
        if sign and not before.strip():
            return rf"{before}\>{EMPTY_DIRECTIVE}{sanitize_inline(rest)}"
        return sanitize_inline(line, in_table=self._is_table)


def _language(info: str) -> str:
    word = _FIRST_WORD.match(info)
    name = word[1].lower() if word else ""
    name = _NICKNAMES.get(name, name)
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
    """Tell a table's second line, or a line across the page."""
    return "-" in line and not line.strip(" \t|:-")
