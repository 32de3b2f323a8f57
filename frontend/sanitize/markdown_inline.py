r"""Sanitizing one line of model output: it can load nothing and run nothing.

The meaning of Markdown depends on its context, so two parsers may disagree about a hostile line.
That cannot matter here: only the constructs below keep their meaning, rewritten in an unambiguous
form. Code and math end in their line and contain no `![`, URLs are in angle brackets, and every
other `!`, `<`, `:`, `$`, backtick and `](` is escaped. That leaves no images, no HTML, no Streamlit
directives, and no prices that are parsed as math. Where Streamlit would replace plain text, such as
`:on:` by an emoji or `->` by an arrow, an empty directive splits it; copied text does not have it.
"""

import html
import re
from collections import defaultdict, deque
from collections.abc import Callable
from html.entities import html5

from sanitize.latex import sanitize_latex
from sanitize.math_detection import is_between_dollars, looks_like_math

EMPTY_DIRECTIVE = ":small[]{}"

_WEB = r"https?://"
_PATH = r"[\w./?=&%\#~+,;:@-]"
_NO_DOLLAR = r"(?<!(?<!\\)\$)"  # before this one, unless it is escaped
_TARGET = r"[^\s()<>\\`|\"\[\]]"
_TOKEN = re.compile(
    rf"""
      (?P<ticks>`+)
    | \\\((?P<round>(?:[^\\`]|\\[^()`])++)\\\)
    | \\\[(?P<square>(?:[^\\`]|\\[^\[\]`])++)\\\]
    # An amount of money in LaTeX, perhaps not closed yet.
    | {_NO_DOLLAR}\$\\\$(?P<price>[ ]?\d[\d.,]*+(?:[ ]?[kKmMbB])?(?=\$(?!\w))\$?|[ ]?[\d.,]*+$)
    | {_NO_DOLLAR}\$\$(?P<dollars>(?:[^$`\\]|\\[^`])++)\$\$(?!\$)
    | {_NO_DOLLAR}\$(?P<dollar>(?:[^$`\\]|\\[^`])++)\$(?!\$)
    # An emoji name may contain escapes and entities.
    | (?P<emoji>\\?:(?=(?:100|1234|(?!\d+\\?:|/)[\w+\-/\\&\#;]+):))
    # Any other backslash belongs to a path, a regex or LaTeX, and stays.
    | (?P<escape>\\[`*_\#+\-!|<>~$:]|(?<=\d)\\[.)])
    | (?P<backslash>\\(?:[!-/:-@\[-`{{-~]|$))
    | \[(?P<label>{_WEB}{_PATH}+)(?=\])
    | \]\((?P<target>(?:{_WEB}|mailto:)(?:{_TARGET}|\({_TARGET}*\))+)
        (?P<title>[ ]+"[^"`<>\\|\[\]]*")?[ ]*\)
    | (?P<angle><)?(?<![a-zA-Z\d])(?P<url>{_WEB}[a-zA-Z\d](?:[a-zA-Z\d.-]*[a-zA-Z\d])?(?::\d+)?
        (?:[/?\#](?:(?:{_PATH}|\({_PATH}*\))*(?:[^\W_]|[/=&%\#+@-]|\({_PATH}*\)))?)?)(?(angle)>)
    | (?P<entity>&(?:\#\d{{1,7}}|\#[xX][\da-fA-F]{{1,6}}|[a-zA-Z][a-zA-Z\d]{{1,31}});)
    | (?P<image>(?<![\w!])!\[)
    # Streamlit replaces these between spaces.
    | (?<![^\s*_~|\[\])`$;])(?P<sign><->|->|<-|--|>=|<=|~=)(?![^\s*_~|\[\]`$\\<&])
    # Includes products, powers, __init__ and blanks to fill in.
    | (?P<literal>
          \](?=[(:]) | [wW]{{3}}\. | [!<:$]
        | \*{{4,}}+ | _{{4,}}+ | ~{{3,}}+ | (?<!~)~(?!~)
        | (?<=[a-zA-Z\d)\]])(?:\*(?=[a-zA-Z\d(]) | \*\*(?=\d)) | (?<![\w\\])__[a-zA-Z]\w*?__(?!\w)
      )
    """,
    re.VERBOSE,
)
_TICKS = re.compile("`+")
_NAME = re.compile(r":material/|:[\w+-]+:")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def sanitize_inline(line: str, *, in_table: bool = False, is_open: bool = False) -> str:
    """Sanitize a line in linear time. If it is open, more of it may follow."""
    code_ends = _code_ends(line)
    output, position = list[str](), 0
    while token := _TOKEN.search(line, position):
        output.append(line[position : token.start()])
        position = token.end()
        if token.lastgroup == "ticks":
            position = _code_end(token, code_ends)
            output.append(_code(line[token.start() : position], in_table=in_table))
        elif is_open and token.lastgroup == "dollar" and position == len(line):
            output.append(escape(token[0]))  # what follows may show that it is not math
        elif text := _REWRITERS[token.lastgroup or ""](token):
            output.append(text)
        else:
            output.append(escape(token[0][0]))
            position = token.start() + 1
    return "".join(output) + line[position:]


def escape(text: str) -> str:
    return _PUNCTUATION.sub(r"\\\g<0>", text)


def _code_ends(line: str) -> dict[int, deque[int]]:
    """Return the end positions of backtick runs by length, since code ends with an equal run."""
    ends = defaultdict[int, deque[int]](deque)
    for run in _TICKS.finditer(line):
        ends[len(run[0])].append(run.end())
    return ends


def _code_end(opening: re.Match[str], ends: dict[int, deque[int]]) -> int:
    candidates = ends[len(opening[0])]
    while candidates and candidates[0] <= opening.end():
        candidates.popleft()
    return candidates[0] if candidates else opening.end()


def _code(span: str, *, in_table: bool) -> str:
    # If another construct consumed the opening backtick, an image could start inside the span.
    if "![" in span or not span.strip("`"):
        return escape(span)
    # Tables are split into cells before code is parsed.
    return re.sub(r"(?<!\\)\|", r"\\|", span) if in_table else span


def _dollar_math(token: re.Match[str]) -> str:
    line, start, end = token.string, *token.span()
    before, after = line[max(0, start - 1) : start], line[end : end + 3]
    return _math(token) if is_between_dollars(token["dollar"], before, after) else ""


def _math(token: re.Match[str]) -> str:
    """Rewrite math between single dollar signs; escape it if it is not allowed."""
    formula = sanitize_latex(token[token.lastgroup or 0])
    if not formula:
        return escape(token[0])
    needs_separator = re.match(r"[\d$\\]", token.string[token.end() : token.end() + 1])
    return f"${formula}$" + (EMPTY_DIRECTIVE if needs_separator else "")


def _character(token: re.Match[str]) -> str:
    entity = token["entity"]
    text = html5.get(entity[1:]) or (html.unescape(entity) if entity[1] == "#" else entity)
    if text == entity:
        return escape(entity)
    if not text.isprintable() or text.isspace():
        return " "
    return f"{EMPTY_DIRECTIVE}{escape(text)}{EMPTY_DIRECTIVE}" if _PUNCTUATION.match(text) else text


def _url(token: re.Match[str]) -> str:
    url = token["url"]
    return f"[{_link_text(url)}](<{_target(url)}>)" if _NAME.search(url) else f"<{url}>"


def _link(token: re.Match[str]) -> str:
    return f"](<{_target(token['target'])}>{token['title'] or ''})"


def _link_text(url: str) -> str:
    """Escape a URL for display, without emoji."""
    return escape(url).replace(r"\:", rf"\:{EMPTY_DIRECTIVE}")


def _target(url: str) -> str:
    """Escape the target of a link, which is visible if no link text came before it."""
    return _NAME.sub(lambda name: name[0].replace(":", "&#58;"), url)


# The rewriter of each kind of token. An empty result escapes only its first character.
_REWRITERS: dict[str, Callable[[re.Match[str]], str]] = {
    "round": _math,
    "square": _math,
    "dollars": lambda token: _math(token) if looks_like_math(token["dollars"]) else "",
    "dollar": _dollar_math,
    "price": lambda token: rf"\${token['price'].removesuffix('$')}",
    "label": lambda token: f"[{_link_text(token['label'])}",
    "target": _link,
    "title": _link,
    "url": _url,
    "image": lambda _: "[Image: ",
    "emoji": lambda _: rf"\:{EMPTY_DIRECTIVE}",
    "entity": _character,
    "sign": lambda token: EMPTY_DIRECTIVE.join(map(escape, token["sign"])),
    "escape": lambda token: token[0],
    "backslash": lambda token: escape(token[0]),
    "literal": lambda token: escape(token[0]),
}
