"""Finds JSON inside the text of an error: a proxy quotes the answer of the server behind it.

Python programs print it as they write it themselves (`{'detail': …}`), and Pydantic prints its
errors as lines of text.
"""

import re
from typing import Any

from pydantic_core import to_json

from backend.model_server.answers.json_text import parse_json

_START = re.compile(r"\{\s*[\"']|\[\s*\{")
_PYTHON_TOKEN = re.compile(
    r"'((?:[^'\\]|\\.)*)(?:'|\\?\Z)|\"(?:[^\"\\]|\\.)*(?:\"|\\?\Z)"
    r"|\b\w{1,40}\(|[()]|,(?=\s{0,20}[)\]}])"
    r"|\b(?:None|True|False)\b",
    re.DOTALL,
)
_BETWEEN_OBJECTS = re.compile(r"\}\s{0,20}\n\s{0,20}\{")
_JSON_TOKENS = {"None": "null", "True": "true", "False": "false", ")": "]", ",": ""}
# A line with the field, then an indented one: "  Field required [type=missing, input_value=…]".
_PYDANTIC_ERROR = re.compile(
    r"^([\w.\[\] >-]{1,200})\n {2}(\S.{0,300}?) [\[(]type=[\w.]{1,60}(?:[,;) ].*)?$", re.MULTILINE
)


def split_embedded_json(text: str) -> tuple[str, Any]:
    """Return the text without the object or list of objects in it, and that; None if none."""
    if errors := _PYDANTIC_ERROR.findall(text):
        return "", [{"loc": re.split(r"\.| -> ", place), "msg": msg} for place, msg in errors]
    start = _START.search(text)
    end = max(text.rfind("}"), text.rfind("]")) + 1
    if not start or end <= start.start():
        return text, None
    quoted = text[start.start() : end]
    as_json = _PYTHON_TOKEN.sub(_to_json_token, quoted)
    several = f"[{_BETWEEN_OBJECTS.sub('},{', as_json)}]"  # one object a line
    for candidate in (quoted, as_json, several):
        if (embedded := parse_json(candidate)) is not None:
            return text[: start.start()] + text[end:], embedded
    return text, None


def _to_json_token(match: re.Match[str]) -> str:
    token = match[0]
    if match[1] is not None:
        return to_json(match[1].replace(r"\'", "'").replace(r"\n", "\n")).decode()
    return "[" if token.endswith("(") else _JSON_TOKENS.get(token, token)
