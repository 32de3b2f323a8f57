"""The speeds of the last answers as numbers: nothing is made up, nothing breaks a plot."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.status import RecentAnswer
from chat.receipt_text import NOT_MEASURED
from components.chart_colors import LIGHT
from status.speed import format_number, median_or_none, speeds, table_rows
from status.speed_view import chart, points

NOW = datetime(2026, 11, 26, 3, 50, tzinfo=UTC)


def answer(model: str | None = "m", **receipt: Any) -> RecentAnswer:
    told = {"model": model, "ended_at": NOW, "receipt": receipt or None}
    return RecentAnswer.model_validate(told)


def test_the_newest_comes_last_in_a_plot_and_first_in_a_table() -> None:
    found = speeds([answer("new", first_token_ms=250.0), answer("old", first_token_ms=1500.0)])
    assert [speed.first_token_seconds for speed in found] == [1.5, 0.25]
    assert points([speed.first_token_seconds for speed in found]) == [
        {"answer": 1, "value": 1.5},
        {"answer": 2, "value": 0.25},
    ]
    assert [row["Model"] for row in table_rows(found, UTC)] == ["new", "old"]
    assert table_rows(found, UTC)[0]["Ended"] == "11-26 03:50"


def test_what_was_not_measured_is_said_and_never_zero() -> None:
    found = speeds([answer(), answer(completion_tokens=5, completion_tokens_per_second=30.0)])
    newest, oldest = table_rows(found, UTC)
    assert {newest[name] for name in ("Tokens", "Tokens/s", "First token, s")} == {NOT_MEASURED}
    assert (oldest["Tokens"], oldest["Tokens/s"]) == ("5", "30.0")
    assert points([None, 2.0, None]) == [{"answer": 2, "value": 2.0}]
    assert median_or_none([None, None]) is None
    assert median_or_none([None, 1.0, 3.0]) == 2.0


@pytest.mark.parametrize("number", [-5.0, 0.0, 1e308, 1e7])
def test_what_cannot_have_been_measured_was_not(number: float) -> None:
    [speed] = speeds([answer(first_token_ms=number, completion_tokens_per_second=number)])
    assert (speed.first_token_seconds, speed.tokens_per_second) == (None, None)


def test_a_hostile_name_of_a_model_is_text() -> None:
    name = "![x](http://evil.test/a.png) <b>\n\n| # `"
    [row] = table_rows(speeds([answer(name)]), UTC)
    assert "![" not in row["Model"].replace(r"\!", "")
    assert "\n" not in row["Model"]
    [row] = table_rows(speeds([answer(None)]), UTC)
    assert row["Model"] == "not told"


@pytest.mark.parametrize(
    ("value", "words"), [(0.1234, "0.12 s"), (12.345, "12.3 s"), (12345.0, "12,345.0 s")]
)
def test_numbers_have_the_digits_that_mean_something(value: float, words: str) -> None:
    assert format_number(value, "s") == words


def test_a_plot_has_a_place_for_each_answer() -> None:
    spec = chart(3, "Seconds", LIGHT)
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [1, 2, 3]
