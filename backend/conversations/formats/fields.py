"""Typed reading of the fields that the formats of other programs have in common."""

from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from backend.json_values import as_dict, as_str
from backend.model_server.answers.tool_calls import normalize_tool_calls

_ROLES = {"system", "developer", "user", "assistant", "tool"}
_OTHER_ROLES = {"human": "user", "model": "assistant", "ai": "assistant", "function": "tool"}
# A larger number is not in seconds: it would be after the year 5138.
_MAX_SECONDS = 100_000_000_000
_UNITS_PER_SECOND = (1, 1_000, 1_000_000, 1_000_000_000)

Json = dict[str, Any]


def parse_timestamp(value: object) -> datetime | None:
    """Parse a time: ISO 8601, or a number of s, ms, µs or ns since 1970, which may be a string.

    A time without a zone is in UTC. Returns None for anything else, and for times before 1970.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC) if 1970 <= moment.year < 9999 else None
        except (ValueError, OverflowError):
            value = _parse_number(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return None
    for units in _UNITS_PER_SECOND:
        if value < _MAX_SECONDS * units:
            return datetime.fromtimestamp(value / units, UTC)
    return None


def is_role(value: object) -> bool:
    """Return True if programs name a message's author like this."""
    return as_str(value).lower() in _ROLES | _OTHER_ROLES.keys()


def read_role(value: object) -> str:
    """Return the role of a message as the store names it; unknown ones are the user's."""
    role = as_str(value).lower()
    return role if role in _ROLES else _OTHER_ROLES.get(role, "user")


def read_key(value: object) -> str | None:
    """Return a reference to a message, which some programs number, or None."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def read_keys(value: object) -> list[str]:
    """Return the references in a list."""
    keys = map(read_key, value) if isinstance(value, list) else ()
    return [key for key in keys if key]


def read_model(value: object) -> str | None:
    """Return a model's id, shortened to what the store takes, or None."""
    return as_str(value)[:1000] or None


def read_error(value: object) -> Json | None:
    """Return an answer's error in OpenAI's shape; `value` is an object, a text or `true`."""
    if not value:
        return None
    fields = as_dict(value)
    text = as_str(fields.get("content")) or as_str(fields.get("message")) or as_str(value)
    message = text or "The answer failed."
    return {"message": message, "type": "server_error", "code": None, "param": None}


def read_tool_calls(value: object) -> list[Json]:
    """Return the tool calls of a message in OpenAI's shape, without those that have no name."""
    calls = normalize_tool_calls(value)
    return [call for call in calls if as_dict(call.get("function")).get("name")]


def tool_call(call_id: str, name: str, arguments: object, **fields: Any) -> Json:
    """Return a tool call in OpenAI's shape, whose arguments are JSON in a string."""
    function = {"name": name, "arguments": json_text(arguments)}
    return {"id": call_id, "type": "function", "function": function} | fields


def file_name(value: object) -> str:
    """Return the name of an attachment, or an empty string."""
    fields = as_dict(value)
    nested = as_dict(fields.get("file"))
    names = [fields.get(name) for name in ("name", "filename", "file_name", "title")]
    names += [nested.get("name"), nested.get("filename"), as_dict(nested.get("meta")).get("name")]
    return next(filter(None, map(as_str, names)), "")


def json_text(value: object) -> str:
    """Return a string as it is, nothing as an empty string, and other values as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return to_json(value).decode()


def _parse_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
