r"""Telling math between dollar signs from prices, shell variables and lone dollar signs.

Pandoc's rules come first (no space inside of the dollar signs, no digit after the closing one);
then the content must look like a formula. What is between `\(` and `\)` is always math.
"""

import re

# A LaTeX command, a power, an index, an equation or a group: prices have none of them.
_STRONG_SIGN = re.compile(r"[\\^_={}]")
_COMMAND = re.compile(r"\\[a-zA-Z]{2,}")
_TEXT_GROUP = re.compile(r"\\(?:text|math|operatorname)[a-z]*\s*\{[^{}]*\}|\\[a-zA-Z]+")
_SHELL_GROUP = re.compile(r"\{\w+\}(?![\^_])")  # the rest of ${HOME}
_BAD_START = re.compile(r"[)\]}>,;:'\"*/&|]|\.(?!\d)")
_BAD_END = re.compile(r"[-+*/=<>:;,&(\[\"^_]$|(?<![A-Za-z)}\]])'$")
_ABSOLUTE_VALUE = re.compile(r"\|[^|]+\|")
_WORD = re.compile(r"[A-Za-z]{2,}")
_LONG_WORD = re.compile(r"[A-Za-z]{4,}(?!\s*\()")  # not the name of a function
_FUNCTIONS = re.compile(
    r"\b(?:sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|log|ln|lg|exp|sqrt|max|min"
    r"|argmax|argmin|mod|gcd|lcm|lim|sup|inf|det|dim|deg|ker|floor|ceil|poly)\b"
)
_ENGLISH = re.compile(
    r"(?<!\S)(?:and|or|to|for|the|per|is|are|was|of|in|on|at|vs|but|not|from|with|each|plus|than)"
    r"(?!\S)",
    re.IGNORECASE,
)
_ADJACENT_WORDS = re.compile(r"[A-Za-z]{2,}[,.;]? +[A-Za-z]{2,}")
_ORDINAL = re.compile(r"(?:th|st|nd|rd|s|'s)\b")


def is_between_dollars(content: str, before: str, after: str) -> bool:
    """Return True if this is math between single dollar signs, given the text on both sides."""
    if content[:1].isspace() or content[-1:].isspace():
        return False
    is_attached = content[0] in "^_" or _COMMAND.search(content) is not None  # H$_2$O, 3$\times$4
    if not is_attached:
        if before[-1:].isalnum():
            return False
        if re.match(r"[A-Za-z\d{(]", after) and not _ORDINAL.match(after):
            return False
    return looks_like_math(content)


def looks_like_math(content: str) -> bool:
    """Return True if a text between dollar signs can be a formula."""
    content = content.strip()
    if _ABSOLUTE_VALUE.fullmatch(content):
        return True
    if not content or _BAD_START.match(content) or _BAD_END.search(content):
        return False
    if _COMMAND.search(content):
        return True
    if _SHELL_GROUP.match(content):
        return False
    is_strong = _STRONG_SIGN.search(content) is not None
    return (is_strong and not content[0].isdigit()) or not _is_prose(content, is_strong=is_strong)


def _is_prose(content: str, *, is_strong: bool) -> bool:
    words = _FUNCTIONS.sub("", _TEXT_GROUP.sub("", content))
    if _ENGLISH.search(words) or _ADJACENT_WORDS.search(words) or _LONG_WORD.search(words):
        return True
    if not re.search(r"[^\W_]", content):  # neither a letter nor a digit
        return True
    brackets = [sum(map(content.count, pair)) for pair in ("([", ")]")]
    return not is_strong and brackets[0] != brackets[1]
