"""The clock: the date and time now, in any time zone."""

import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field

from backend.database.types import utc_now
from backend.tools.function_tool import function_tool
from backend.tools.tool import ToolError

_OFFSET = re.compile(r"(?:utc|gmt)?([+-])(\d{1,2})(?::?([0-5]\d))?")
_MAX_OFFSET_HOURS = 14
# Not places, but what people call the zones of some; their summer time is the zone's own.
_COMMON_NAMES = {
    "gmt": "Etc/GMT",
    "z": "Etc/UTC",
    "et": "America/New_York",
    "est": "America/New_York",
    "edt": "America/New_York",
    "ct": "America/Chicago",
    "cst": "America/Chicago",
    "cdt": "America/Chicago",
    "mt": "America/Denver",
    "pt": "America/Los_Angeles",
    "pst": "America/Los_Angeles",
    "pdt": "America/Los_Angeles",
    "bst": "Europe/London",
    "cet": "Europe/Paris",
    "cest": "Europe/Paris",
    "jst": "Asia/Tokyo",
    "ist": "Asia/Kolkata",
}
_DAY = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_PART = "(?:date|time|day|year|month|weekday)"
_END = r"\s*(?:$|of the week\b|[?.!]|in\b(?! which))"
_CUES = (
    # Not "what is the time complexity", "the time of" or "the year in which".
    rf"\bwhat(?:'s|s| is)?\s+(?:the\s+|today's\s+|current\s+){{0,3}}{_PART}{_END}",
    rf"\b(?:what|which)\s+{_PART}\s+(?:is|do we have)\s*(?:it|today|now)?\b",
    rf"\b(?:current|today's|local)\s+{_PART}\b(?! complexity)",
    rf"\b{_PART}\s+(?:is it\s+)?(?:today|right now|now)\b",
    rf"\bis\s+(?:it|today)\s+(?:a\s+)?(?:{_DAY}|weekend|weekday)\b",
    r"\b(?:do you have|tell me|got) the time\b",
)


_TIME_QUESTIONS = [re.compile(cue, re.IGNORECASE) for cue in _CUES]
_PLACE = re.compile(r"\bin\s+([^\W\d_][\w/]*(?:\s[^\W\d_][\w/]*){0,2})")
_MAX_QUESTION_CHARACTERS = 2_000


def _extract_arguments(question: str) -> dict[str, Any] | None:
    """Return the time zone that a question names, or none, if it asks for the time or date."""
    question = question[:_MAX_QUESTION_CHARACTERS]
    if not any(cue.search(question) for cue in _TIME_QUESTIONS):
        return None
    if not (place := _PLACE.search(question)):
        return {}
    words = place[1].split()
    names = (" ".join(words[:count]) for count in range(len(words), 0, -1))
    known = next((name for name in names if _zone_key(name) in _zone_names()), None)
    return None if known is None else {"time_zone": known}


@function_tool(
    title="Date and time",
    read_only=True,
    seconds=5,
    cues=_CUES,
    extract_arguments=_extract_arguments,
)
def current_date_and_time(
    time_zone: Annotated[
        str,
        Field(
            max_length=60,
            description="An IANA time zone or its city, for example Europe/Berlin or Tokyo; empty "
            "for the local time.",
        ),
    ] = "",
) -> str:
    """Get the current date, time and day of the week, today and now."""
    return describe_time(utc_now(), time_zone)


def describe_time(now: datetime, time_zone: str = "") -> str:
    """Return a time in words, in a time zone.

    Raises:
        ToolError: There is no such time zone.
    """
    name, zone = _find_zone(time_zone)
    local = now.astimezone(zone)
    offset = local.strftime("%z")
    return (
        f"{local:%A}, {local.day} {local:%B %Y, %H:%M} {name or local.tzname()} "
        f"(UTC{offset[:3]}:{offset[3:5]})"
    )


def _find_zone(text: str) -> tuple[str, tzinfo | None]:
    """Return a time zone with its name. None is that of this machine."""
    text = " ".join(text.split())
    if text.lower() in ("", "local"):
        return "", None
    if match := _OFFSET.fullmatch(text.lower().replace(" ", "").replace("\N{MINUS SIGN}", "-")):
        return "", _fixed_zone(match)
    if (name := _zone_names().get(_zone_key(text))) is None:
        raise ToolError(
            f"There is no time zone {text!r:.70}. Use an IANA name such as Europe/Berlin."
        )
    return name, ZoneInfo(name)


def _zone_key(text: str) -> str:
    key = text.lower().replace(" ", "_")
    return _COMMON_NAMES.get(key, key).lower()


def _fixed_zone(match: re.Match[str]) -> tzinfo:
    hours, minutes = int(match[2]), int(match[3] or 0)
    if hours > _MAX_OFFSET_HOURS:
        raise ToolError(f"A time zone is at most {_MAX_OFFSET_HOURS} hours from UTC.")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(offset if match[1] == "+" else -offset)


@cache
def _zone_names() -> dict[str, str]:
    """Return the time zones by their names in lower case, and by the cities in them."""
    names = sorted(available_timezones())
    cities = {name.rpartition("/")[2].lower(): name for name in reversed(names) if "/" in name}
    return cities | {name.lower(): name for name in names}
