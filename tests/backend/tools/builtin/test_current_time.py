"""The clock, in all time zones."""

from datetime import UTC, datetime
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.tools.builtin.current_time import current_date_and_time, describe_time
from backend.tools.dispatch import run_call
from backend.tools.tool import ToolError

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time_zone", "text"),
    [
        ("Europe/Berlin", "Sunday, 29 November 2026, 13:00 Europe/Berlin (UTC+01:00)"),
        ("europe/berlin", "Sunday, 29 November 2026, 13:00 Europe/Berlin (UTC+01:00)"),
        (" New  York ", "Sunday, 29 November 2026, 07:00 America/New_York (UTC-05:00)"),
        ("Tokyo", "Sunday, 29 November 2026, 21:00 Asia/Tokyo (UTC+09:00)"),
        ("Kathmandu", "Sunday, 29 November 2026, 17:45 Asia/Kathmandu (UTC+05:45)"),
        ("Pacific/Kiritimati", "Monday, 30 November 2026, 02:00 Pacific/Kiritimati (UTC+14:00)"),
        ("UTC", "Sunday, 29 November 2026, 12:00 UTC (UTC+00:00)"),
        ("PST", "Sunday, 29 November 2026, 04:00 America/Los_Angeles (UTC-08:00)"),
        ("UTC+5:30", "Sunday, 29 November 2026, 17:30 UTC+05:30 (UTC+05:30)"),
        ("GMT -3", "Sunday, 29 November 2026, 09:00 UTC-03:00 (UTC-03:00)"),
    ],
)
def test_time_is_that_of_the_zone(time_zone: str, text: str) -> None:
    assert describe_time(NOON, time_zone) == text


@pytest.mark.parametrize(
    ("hour", "minute", "time"),
    [(0, 59, "01:59 Europe/Berlin (UTC+01:00)"), (1, 0, "03:00 Europe/Berlin (UTC+02:00)")],
)
def test_summer_time_begins(hour: int, minute: int, time: str) -> None:
    moment = datetime(2026, 3, 29, hour, minute, tzinfo=UTC)
    assert describe_time(moment, "Berlin") == f"Sunday, 29 March 2026, {time}"


def test_the_hour_that_is_repeated_says_its_offset() -> None:
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    assert "02:30 Europe/Berlin (UTC+02:00)" in describe_time(first, "Berlin")
    assert "02:30 Europe/Berlin (UTC+01:00)" in describe_time(second, "Berlin")


def test_without_a_zone_the_time_is_local() -> None:
    local = NOON.astimezone()
    for time_zone in ("", " ", "local"):
        assert f"{local:%H:%M}" in describe_time(NOON, time_zone)


@pytest.mark.parametrize(
    "time_zone",
    [
        "Nowhere",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe",
        "\0",
        "UTC+15",
        "+99:99",
        "\u0661",
        ".",
    ],
)
def test_unknown_zone_is_an_error(time_zone: str) -> None:
    with pytest.raises(ToolError, match=r"time zone"):
        describe_time(NOON, time_zone)


def test_every_zone_is_known() -> None:
    for name in available_timezones():
        if "/" in name:  # not the names of some, such as CET
            assert f" {name} (UTC" in describe_time(NOON, name)


@given(st.text(max_size=60))
def test_any_text_is_a_zone_or_an_error(time_zone: str) -> None:
    try:
        text = describe_time(NOON, time_zone)
    except ToolError as error:
        text = str(error)
    assert "2026" in text or "time zone" in text
    assert len(text) < 300


@pytest.mark.anyio
async def test_tool_needs_no_arguments() -> None:
    result = await run_call(current_date_and_time, {}, max_characters=1000, seconds=5)
    assert not result.is_error
    assert f"{datetime.now(UTC).year}" in result.text
    too_long = {"time_zone": "x" * 61}
    assert (
        await run_call(current_date_and_time, too_long, max_characters=1000, seconds=5)
    ).is_error
