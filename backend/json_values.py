"""Typed access to values of untrusted JSON."""

from typing import Any

# JSON numbers have no limit; this one fits a database column and a float.
MAX_NUMBER = 2**63 - 1


def as_dict(value: object) -> dict[str, Any]:
    """Return `value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_dict_list(value: object) -> list[dict[str, Any]]:
    """Return the objects in `value` if it is an array, else an empty list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_str(value: object) -> str:
    """Return `value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def as_count(value: object) -> int | None:
    """Return `value` if it is an integer from 0 to MAX_NUMBER, else None; a bool is not one."""
    return value if type(value) is int and 0 <= value <= MAX_NUMBER else None


def as_index(value: object) -> int | None:
    """Return an index, which some servers send as text, or None if `value` is none."""
    return int(value) if isinstance(value, str) and value.isdecimal() else as_count(value)


def as_positive_number(value: object) -> float | None:
    """Return `value` as a float if it is a number above 0 that fits, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= MAX_NUMBER else None


def content_text(content: object) -> str:
    """Return the text of a message's `content`, which is a string or a list of content parts."""
    if isinstance(content, list):
        return "".join(as_str(part.get("text")) for part in as_dict_list(content))
    return as_str(content)


def user_text(messages: list[dict[str, Any]], max_characters: int) -> str:
    """Return what the user wrote in the messages of a chat, the latest first, and cut."""
    texts, length = [], 0
    for message in reversed(messages):
        if length > max_characters:
            break
        if message.get("role") == "user":
            texts.append(content_text(message.get("content"))[:max_characters])
            length += len(texts[-1]) + 1
    return "\n".join(texts)[:max_characters]
