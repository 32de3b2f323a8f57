"""Dates in questions."""

import pytest

from backend.tools.calling.extraction.dates import date_format, find_dates


@pytest.mark.parametrize(
    "text",
    ["2026-03-04", "2026/3/4", "03/04/2026", "March 4th, 2026", "4 March 2026", "4th of Mar 2026"],
)
def test_date_is_written_in_the_format_that_is_wanted(text: str) -> None:
    (date,) = find_dates(f"on {text} at noon")
    assert (date.format("YYYY-MM-DD"), date.format("DD.MM.YYYY")) == ("2026-03-04", "04.03.2026")


def test_date_without_a_year_has_that_of_the_other() -> None:
    dates = find_dates("from April 3rd to April 5th 2026")
    assert [date.format("YYYY-MM-DD") for date in dates] == ["2026-04-03", "2026-04-05"]


@pytest.mark.parametrize("text", ["April 3rd", "2026-13-45", "may 2026", "1/2"])
def test_no_date_is_found(text: str) -> None:
    assert find_dates(text) == []


def test_format_is_read_from_a_description() -> None:
    assert date_format("The day, as mm-dd-yyyy.") == "MM-DD-YYYY"
    assert date_format("The day.") == ""
