r"""Read and write the JSON of model servers, also where it is not quite JSON.

A server that cuts its text into UTF-16 units, as JavaScript counts them, sends an emoji as two
halves: `"\ud83d"` in one chunk and `"\ude00"` in the next. Neither is a character, and strict
parsers refuse the whole chunk.
"""

import json
import math
import re
from typing import Any

from pydantic_core import from_json, to_json

from backend.json_limits import has_huge_number, replace_huge_numbers

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Half of a character, escaped or as UTF-8 would write it, without its other half beside it.
_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\xed[\xa0-\xbf]"
)
# Control characters are not allowed in JSON's strings, as little as NaN is a number.
_CONTROL = bytes(set(range(32)) - set(b"\r\n"))
_CONTROL_AS_SPACES = bytes(max(code, 32) for code in range(256))
_CONSTANT = re.compile(rb"[:,\[]\s*-?(?:NaN|Infinity)\b")
_UTF8_HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
# What every escaped half begins with; one literal is searched for far faster than `_HALF`.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_HIGH_AND_LOW = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE = re.compile("[\ud800-\udfff]")


def has_broken_text(raw: bytes) -> bool:
    """Return True if `raw` has what some parsers refuse.

    That is half a character, other than UTF-8, NaN, or 1e999.
    """
    has_surrogates = b"\\u" in raw and _SURROGATE.search(raw) is not None
    if (has_surrogates and _HALF.search(raw)) or has_control_characters(raw):
        return True
    if (b"NaN" in raw or b"Infinity" in raw) and _CONSTANT.search(raw):
        return True
    if has_huge_number(raw):
        return True
    if raw.isascii():
        return False
    try:
        raw.decode()
    except UnicodeDecodeError:
        return True
    return False


def has_control_characters(raw: bytes) -> bool:
    """Return True if `raw` has control characters other than line breaks."""
    return len(raw.translate(None, _CONTROL)) < len(raw)


def parse_strict(raw: bytes) -> Any:
    """Return the parsed JSON; it has nothing that some parsers refuse.

    Raises:
        ValueError: It is invalid, or `has_broken_text`.
    """
    if has_huge_number(raw):
        raise ValueError("a number is too large")
    return from_json(raw, allow_inf_nan=False)


def parse_json(raw: bytes | str) -> Any:
    """Return the parsed JSON, or None if it is invalid.

    A byte order mark is skipped. Halves of characters stay in the strings: join them, or replace
    them by `replace_halves`. Bytes that are not UTF-8 become U+FFFD, and
    numbers that JSON has not become null.
    """
    data = raw.encode(errors="surrogatepass") if isinstance(raw, str) else raw
    if has_huge_number(data):
        data = replace_huge_numbers(data)
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError:
        pass
    data = _escape_halves(data.removeprefix(_BYTE_ORDER_MARK))
    try:
        # This checks syntax and depth.
        from_json(_HALF.sub(rb"\\ufffd", data).translate(_CONTROL_AS_SPACES))
        return json.loads(data, strict=False, parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def parse_object(raw: bytes | str) -> dict[str, Any]:
    """Return the parsed JSON object, or an empty one if `raw` is something else."""
    parsed = parse_json(raw)
    return parsed if isinstance(parsed, dict) else {}


def dump_json(value: Any) -> bytes:
    """Return `value` as JSON; halves of characters are joined, or become U+FFFD."""
    try:
        return to_json(value)
    except ValueError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return replace_halves(text).encode()


def replace_halves(text: str) -> str:
    """Return the text with halves of characters joined, or replaced by U+FFFD."""
    if not _LONE.search(text):
        return text
    return _LONE.sub("\ufffd", _HIGH_AND_LOW.sub(_join_halves, text))


def _join_halves(match: re.Match[str]) -> str:
    return match[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _escape_halves(data: bytes) -> bytes:
    """Return UTF-8 with each half of a character as JSON escapes it; other faults are U+FFFD."""
    try:
        text = data.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        text = _UTF8_HALF.sub(_escape_half, data).decode(errors="replace")
    return text.encode(errors="backslashreplace")


def _escape_half(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match[0].decode(errors="surrogatepass"))


def _finite(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None
