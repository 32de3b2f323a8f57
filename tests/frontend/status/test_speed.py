"""Recent performance: missing or implausible values, charts and table rows."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.status import RecentAnswer
from components.chart_colors import LIGHT
from receipts.receipt_text import NOT_MEASURED
from status.speed import format_number, median_or_none, speeds, table_rows
from status.speed_view import chart, points

NOW = datetime(2026, 11, 26, 3, 50, tzinfo=UTC)


def answer(model: str | None = "m", **receipt: Any) -> RecentAnswer:
    payload = {"model": model, "ended_at": NOW, "receipt": receipt or None}
    return RecentAnswer.model_validate(payload)


def test_newest_answer_is_last_in_the_chart_and_first_in_the_table() -> None:
    results = speeds([answer("new", first_token_ms=250.0), answer("old", first_token_ms=1500.0)])
    assert [speed.first_token_seconds for speed in results] == [1.5, 0.25]
    assert points([speed.first_token_seconds for speed in results]) == [
        {"answer": 1, "value": 1.5},
        {"answer": 2, "value": 0.25},
    ]
    assert [row["Model"] for row in table_rows(results, UTC)] == ["new", "old"]
    assert table_rows(results, UTC)[0]["Finished"] == "11-26 03:50"


def test_missing_values_are_not_shown_as_zero() -> None:
    results = speeds([answer(), answer(completion_tokens=5, completion_tokens_per_second=30.0)])
    newest, oldest = table_rows(results, UTC)
    assert {newest[name] for name in ("Tokens", "Tokens/s", "TTFT (s)")} == {NOT_MEASURED}
    assert (oldest["Tokens"], oldest["Tokens/s"]) == ("5", "30.0")
    assert points([None, 2.0, None]) == [{"answer": 2, "value": 2.0}]
    assert median_or_none([None, None]) is None
    assert median_or_none([None, 1.0, 3.0]) == 2.0


@pytest.mark.parametrize("number", [-5.0, 0.0, 1e308, 1e7])
def test_implausible_values_are_ignored(number: float) -> None:
    [speed] = speeds([answer(first_token_ms=number, completion_tokens_per_second=number)])
    assert (speed.first_token_seconds, speed.tokens_per_second) == (None, None)


def test_hostile_model_name_is_escaped() -> None:
    name = "![x](http://evil.test/a.png) <b>\n\n| # `"
    [row] = table_rows(speeds([answer(name)]), UTC)
    assert "![" not in row["Model"].replace(r"\!", "")
    assert "\n" not in row["Model"]
    [row] = table_rows(speeds([answer(None)]), UTC)
    assert row["Model"] == "unknown"


@pytest.mark.parametrize(
    ("value", "text"), [(0.1234, "0.12 s"), (12.345, "12.3 s"), (12345.0, "12,345.0 s")]
)
def test_number_has_meaningful_digits(value: float, text: str) -> None:
    assert format_number(value, "s") == text


def test_chart_has_a_slot_for_each_answer() -> None:
    spec = chart(3, "Seconds", LIGHT)
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [1, 2, 3]
