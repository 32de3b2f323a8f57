r"""Model text, turned into markdown that can neither load nor run anything.

What markdown means depends on what is around it, so two readers of a hostile text may disagree.
Here that cannot matter: of the text only what is recognised below keeps its meaning, and it is
written in a form that has one meaning only. Fences are moved to the margin, where nothing but
their own end closes them. Code and mathematics within a line end in it and hold no `![`. Every
other `!`, `<`, `:`, `$` and backtick is escaped, which leaves no image, no HTML, no directive or
emoji of Streamlit's, and no price that is taken for mathematics. Links lead to http, https and
mailto, and only where someone clicks.
"""

import re
from collections import deque
from collections.abc import Iterator
from itertools import islice

BLOCK_CHARACTERS = 400
MATHS_LINES = 40

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_LINE_END = re.compile(r"\r\n|\r|\n")
_FENCE = re.compile(
    r"(?P<lead>[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?)"
    r"(?:(?P<ticks>`{3,})(?P<language>[^`]*)|(?P<tildes>~{3,}).*)$"
)
_MATHS_OPENS = re.compile(r"\s*(\\\[|\$\$)\s*$")
_MATHS_ENDS = {r"\[": r"\]", "$$": "$$"}
# Where a paragraph begins that goes on with nothing before it.
_NEW_PARAGRAPH = re.compile(r"[^\W\d_]|[#`\"'(\[$\\]|\*\*")

_TOKEN = re.compile(
    r"""
      (?P<code>(?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))
    | \\\((?P<round>.+?)\\\)
    | \\\[(?P<square>.+?)\\\]
    | \$\$(?P<dollars>[^$]+)\$\$
    | \$(?P<dollar>(?![\s$])[^$]*[^\s$])\$(?![\w$])
    | (?P<emoji>(?<!:)\\?:(?=(?:100|1234|(?!\d+\\?:|/)[\w+\-/\\]+):))
    | (?P<escape>\\[!-/:-@\[-`{-~])
    | (?P<url>(?P<angle><)?\bhttps?://[a-zA-Z0-9][a-zA-Z0-9.-]*(?::\d+)?
        (?:[/?\#](?:(?!:[\w-]+[\[{])[\w./?=&%\#~+,;:@-])*)?(?(angle)>))
    | (?P<image>(?<![\w!])!\[)
    | (?P<tildes>~{3,})
    | \](?=\((?!https?:|mailto:)|:)
    | [!<:$`]
    """,
    re.VERBOSE,
)
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
# What tells mathematics from prices where both are written between dollars.
_IS_MATHS = re.compile(r"[\\^_={}]|^[A-Za-z]$")
_WORD_JOINER = "\u2060"  # invisible; the name of an emoji is none with it


def safe_markdown(text: str) -> str:
    """Rewrite a model's text, or any beginning of one."""
    lines = deque(_LINE_END.split(text.replace("\0", "")))
    written = list[str]()
    while lines:
        written += _rewrite(lines.popleft(), lines)
    return "\n".join(written)


def blocks(text: str) -> list[str]:
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
            fence = opening["ticks"] or opening["tildes"]
        current += line
    return [*found, current]


def _is_settled(block: str) -> bool:
    return len(block) > BLOCK_CHARACTERS and block.endswith("\n\n")


def _rewrite(line: str, following: deque[str]) -> Iterator[str]:
    """Rewrite a line and, where it opens something, what belongs to it."""
    if fence := _FENCE.match(line):
        yield from _fenced(fence, following)
    elif opening := _MATHS_OPENS.match(line):
        yield from _displayed(line, _MATHS_ENDS[opening[1]], following)
    else:
        # Small models write verses and lists line by line: a line that goes on stays a line.
        goes_on = line.strip() and following and following[0].strip()
        yield _TOKEN.sub(_token, line) + ("  " if goes_on else "")


def _fenced(fence: re.Match[str], following: deque[str]) -> Iterator[str]:
    """Give a fence at the margin; one in a list leaves its marker behind."""
    mark = fence["ticks"] or fence["tildes"]
    lead = fence["lead"]
    if lead.strip():
        yield lead.rstrip()
    language = re.match(r"\s*([\w+#.-]*)", fence["language"] or "")
    yield mark + (language[1] if language else "")
    while following:
        line = following.popleft()
        if _closes(mark, line):
            yield mark
            return
        yield line[len(lead) :] if line[: len(lead)].isspace() else line


def _closes(mark: str, line: str) -> bool:
    stripped = line.strip()
    return len(stripped) >= len(mark) and not stripped.strip(mark[0])


def _displayed(line: str, end: str, following: deque[str]) -> Iterator[str]:
    """Give mathematics of several lines as one, once its end has come; until then it is text."""
    coming = [other.strip() for other in islice(following, MATHS_LINES)]
    if end not in coming:
        yield _escaped(line)
        return
    inner = " ".join(coming[: coming.index(end)])
    for _ in range(coming.index(end) + 1):
        following.popleft()
    yield from ("", rf"$\displaystyle {_only_maths(inner)}$", "")


def _token(found: re.Match[str]) -> str:
    whole = found[0]
    if found["code"]:
        # A table cuts its cells before it looks for code: an image could begin at the cut.
        return _escaped(whole) if "![" in whole else whole
    if found["emoji"]:
        return rf"\:{_WORD_JOINER}"
    if found["escape"] or found["url"]:
        return whole
    if found["image"]:
        return "[Image: "
    if found["tildes"]:
        return _escaped(whole)
    return _maths(found) or rf"\{whole[0]}" + _TOKEN.sub(_token, whole[1:])


def _maths(found: re.Match[str]) -> str:
    """Give mathematics between single dollars, or nothing where it is none."""
    inner = found["round"] or found["square"] or found["dollars"] or ""
    if found["dollar"] and _IS_MATHS.search(found["dollar"]):
        inner = found["dollar"]
    return f"${_only_maths(inner)}$" if inner.strip() else ""


def _only_maths(inner: str) -> str:
    """Leave nothing that would mean something else, should this not be read as mathematics."""
    return re.sub(r"[$`\s]+", " ", inner).strip().replace("![", "! [").replace("<", r"\lt ")


def _escaped(text: str) -> str:
    return _PUNCTUATION.sub(r"\\\g<0>", text)
