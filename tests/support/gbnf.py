"""Reads grammars in llama.cpp's language (GBNF), as far as the API writes them."""

import random
import re
from functools import cache

from benchmarks.schema_instances import random_instance

_TOKEN = re.compile(
    r'(?P<literal>"(?:\\.|[^"\\])*")|(?P<negated>\[\^(?:\\.|[^\]\\])*\])'
    r"|(?P<characters>\[(?:\\.|[^\]\\])*\])|(?P<name>[a-z]+-\d+)|(?P<group>\()"
    r"|(?P<syntax>[)|?]|\{\d+(?:,\d+)?\})|(?P<space> +)|(?P<other>.)",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-F]{2})|(.))")


def is_accepted(grammar: str, text: str) -> bool:
    """Return True if the whole text is derived from a grammar."""
    return re.fullmatch(_to_pattern(grammar, sampled=False), text) is not None


def random_text(grammar: str, rng: random.Random) -> str:
    """Return a text that is derived from a grammar; often one at its bounds."""
    text = random_instance({"type": "string", "pattern": _to_pattern(grammar, sampled=True)}, rng)
    assert isinstance(text, str)
    return text


@cache
def _to_pattern(grammar: str, *, sampled: bool) -> str:
    """Return a regular expression, as no rule of these grammars is recursive.

    A sampled one has a few examples for any character but some.
    """
    rules = dict(line.split(" ::= ") for line in grammar.strip().split("\n"))

    @cache
    def rule(name: str) -> str:
        return f"(?:{''.join(map(to_pattern, _TOKEN.finditer(rules[name])))})"

    def to_pattern(token: re.Match[str]) -> str:
        text = token[0]
        match token.lastgroup:
            case "literal":
                unescaped = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else m[2], text[1:-1])
                return f"(?:{re.escape(unescaped)})"
            case "negated":
                return "[ a-z1é😀{,]" if sampled else text
            case "name":
                return rule(text)
            case "group":
                return "(?:"
            case "space":
                return ""
            case "other":
                raise ValueError(f"unexpected {text!r} in {token.string!r}")
            case _:
                return text

    return rule("root")
