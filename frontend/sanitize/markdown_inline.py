r"""One line of a model's text, within which nothing loads, runs, or means what nobody wrote.

What markdown means depends on what is around it, so two readers of a hostile line may disagree.
Here that cannot matter: only what is recognised below keeps its meaning, and it is written in a
form that has one meaning only. Code and mathematics end in their line and hold no `![`, addresses
stand in angle brackets, and every other `!`, `<`, `:`, `$`, backtick and `](` is escaped. That
leaves no image, no HTML, no directive of Streamlit's, and no price that is taken for mathematics.
What Streamlit would make of the text itself, an emoji of `:on:` or an arrow of `->`, is kept apart
by nothing: an empty directive, which a copy does not contain.
"""

import html
import re
from collections import defaultdict, deque
from collections.abc import Callable
from html.entities import html5

from sanitize.latex import sanitize_latex

EMPTY_DIRECTIVE = ":small[]{}"

_WEB = r"https?://"
_PATH = r"[\w./?=&%\#~+,;:@-]"
_TARGET = r"[^\s()<>\\`|\"\[\]]"
_TOKEN = re.compile(
    rf"""
      (?P<ticks>`+)
    | \\\((?P<round>(?:[^\\]|\\[^()])++)\\\)
    | \\\[(?P<square>(?:[^\\]|\\[^\[\]])++)\\\]
    | \$\$(?P<dollars>[^$]++)\$\$
    | \$(?P<dollar>(?![\s$])[^$]*[^\s$])\$(?![\w$])
    # The rest of an emoji's name may be written in any way.
    | (?P<emoji>\\?:(?=(?:100|1234|(?!\d+\\?:|/)[\w+\-/\\&\#;]+):))
    # Elsewhere a backslash is one of a path, of a pattern or of LaTeX, and stays.
    | (?P<escape>\\[`*_\#+\-!|<>~$:]|(?<=\d)\\[.)])
    | (?P<backslash>\\(?:[!-/:-@\[-`{{-~]|$))
    | \[(?P<label>{_WEB}{_PATH}+)(?=\])
    | \]\((?P<target>(?:{_WEB}|mailto:)(?:{_TARGET}|\({_TARGET}*\))+)
        (?P<title>[ ]+"[^"`<>\\|\[\]]*")?[ ]*\)
    | (?P<angle><)?(?<![a-zA-Z\d])(?P<url>{_WEB}[a-zA-Z\d](?:[a-zA-Z\d.-]*[a-zA-Z\d])?(?::\d+)?
        (?:[/?\#](?:(?:{_PATH}|\({_PATH}*\))*(?:[^\W_]|[/=&%\#+@-]|\({_PATH}*\)))?)?)(?(angle)>)
    | (?P<entity>&(?:\#\d{{1,7}}|\#[xX][\da-fA-F]{{1,6}}|[a-zA-Z][a-zA-Z\d]{{1,31}});)
    | (?P<image>(?<![\w!])!\[)
    # Streamlit draws these where they stand alone.
    | (?<![^\s*_~|\[\])`$;])(?P<sign><->|->|<-|--|>=|<=|~=)(?![^\s*_~|\[\]`$\\<&])
    # Among the others: a product, a power, __init__, and a blank to be filled in.
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
# What tells mathematics from prices where both are written between dollars.
_IS_MATHS = re.compile(r"[\\^_={}]|^[A-Za-z]$|^\|[^|]+\|$")


def sanitize_inline(line: str, *, in_table: bool = False) -> str:
    """Rewrite a line, in a time that grows as the line does."""
    code_ends = _code_ends(line)
    written, position = list[str](), 0
    while token := _TOKEN.search(line, position):
        written.append(line[position : token.start()])
        position = token.end()
        if token.lastgroup == "ticks":
            position = _code_end(token, code_ends)
            written.append(_code(line[token.start() : position], in_table=in_table))
        elif text := _REWRITERS[token.lastgroup or ""](token):
            written.append(text)
        else:
            written.append(escape(token[0][0]))
            position = token.start() + 1
    return "".join(written) + line[position:]


def escape(text: str) -> str:
    return _PUNCTUATION.sub(r"\\\g<0>", text)


def _code_ends(line: str) -> dict[int, deque[int]]:
    """Find where runs of backticks end, by their length: code ends with one as it began."""
    ends = defaultdict[int, deque[int]](deque)
    for run in _TICKS.finditer(line):
        ends[len(run[0])].append(run.end())
    return ends


def _code_end(opening: re.Match[str], ends: dict[int, deque[int]]) -> int:
    coming = ends[len(opening[0])]
    while coming and coming[0] <= opening.end():
        coming.popleft()
    return coming[0] if coming else opening.end()


def _code(whole: str, *, in_table: bool) -> str:
    # Should anything take the opening backtick for its own, an image could begin in what is left.
    if "![" in whole or not whole.strip("`"):
        return escape(whole)
    # A table cuts its cells before it looks for code.
    return re.sub(r"(?<!\\)\|", r"\\|", whole) if in_table else whole


def _math(token: re.Match[str]) -> str:
    """Give mathematics between single dollars, and what must not be read as such as it stands."""
    formula = sanitize_latex(token[token.lastgroup or 0])
    if not formula:
        return escape(token[0])
    goes_on = re.match(r"[\d$\\]", token.string[token.end() : token.end() + 1])
    return f"${formula}$" + (EMPTY_DIRECTIVE if goes_on else "")


def _character(token: re.Match[str]) -> str:
    entity = token["entity"]
    meant = html5.get(entity[1:]) or (html.unescape(entity) if entity[1] == "#" else entity)
    if meant == entity:
        return escape(entity)
    if not meant.isprintable() or meant.isspace():
        return " "
    return (
        f"{EMPTY_DIRECTIVE}{escape(meant)}{EMPTY_DIRECTIVE}" if _PUNCTUATION.match(meant) else meant
    )


def _url(token: re.Match[str]) -> str:
    url = token["url"]
    return f"[{_address(url)}](<{_target(url)}>)" if _NAME.search(url) else f"<{url}>"


def _link(token: re.Match[str]) -> str:
    return f"](<{_target(token['target'])}>{token['title'] or ''})"


def _address(url: str) -> str:
    """Give an address that is seen, and no emoji in it."""
    return escape(url).replace(r"\:", rf"\:{EMPTY_DIRECTIVE}")


def _target(url: str) -> str:
    """Give an address that is led to; it is seen, too, where no link was opened before it."""
    return _NAME.sub(lambda name: name[0].replace(":", "&#58;"), url)


# What is written for each kind of token; nothing where only its first character is looked at.
_REWRITERS: dict[str, Callable[[re.Match[str]], str]] = {
    "round": _math,
    "square": _math,
    "dollars": _math,
    "dollar": lambda token: _math(token) if _IS_MATHS.search(token["dollar"]) else "",
    "label": lambda token: f"[{_address(token['label'])}",
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
