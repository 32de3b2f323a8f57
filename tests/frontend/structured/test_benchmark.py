"""The reliability score: its interval, its sums, and what is exported."""

import csv
import io
import json
from typing import Any

import pytest

from components.chart_colors import LIGHT
from structured.benchmark import Trial, scores, to_csv, to_json, wilson_interval
from structured.benchmark_view import chart, points, row


def trial(way: str, **known: Any) -> Trial:
    whole: dict[str, Any] = {"method": way, "number": 1, "outcome": "valid", "seconds": 1.0}
    return Trial(**(whole | known))


# Known values: R's binom.confint(method="wilson"), and Wilson's own limits at the ends.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 0, 0, 1),
        (0, 10, 0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1),
        (1, 1, 0.2065, 1),
        (96, 100, 0.9016, 0.9843),
        (1, 3, 0.0615, 0.7923),
    ],
)
def test_the_interval_is_wilsons(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-4)


def test_the_interval_holds_the_share_and_narrows_with_more_trials() -> None:
    for trials in (1, 7, 50):
        for successes in range(trials + 1):
            low, high = wilson_interval(successes, trials)
            assert 0 <= low <= successes / trials <= high <= 1
            mirrored = wilson_interval(trials - successes, trials)
            assert mirrored == pytest.approx((1 - high, 1 - low))
            more_low, more_high = wilson_interval(successes * 10, trials * 10)
            assert more_high - more_low < high - low


def test_each_way_is_scored_for_itself_in_the_order_of_its_trial() -> None:
    found = scores(
        [
            trial("json_schema", outcome="truncated"),
            trial("SmolChat", seconds=1.0),
            trial("json_schema", seconds=4.0),
            trial("SmolChat", seconds=3.0),
            trial("json_schema", outcome="invalid"),
            trial("json_schema", outcome="refused"),
        ]
    )
    theirs, ours = found
    assert (theirs.method, theirs.trials, theirs.valid, theirs.truncated) == (
        "json_schema",
        4,
        1,
        1,
    )
    assert (theirs.valid_share, theirs.truncated_share) == (0.25, 0.25)
    assert theirs.median_seconds == 4.0  # of the valid ones
    assert (ours.valid_share, ours.median_seconds) == (1.0, 2.0)
    assert (ours.low, ours.high) == wilson_interval(2, 2)


def test_a_way_that_never_worked_has_no_seconds() -> None:
    [found] = scores([trial("free text", outcome="invalid")])
    assert found.median_seconds is None
    assert row(found) == {
        "Way": "free text",
        "Valid": "0% of 1",
        "95 % interval": "0 to 79%",
        "Truncated": "0%",
        "Median seconds": "none",
    }


def test_nothing_is_scored_where_nothing_was_tried() -> None:
    assert scores([]) == []


def test_the_plot_shows_each_share_within_its_interval() -> None:
    [point] = points(scores([trial("SmolChat"), trial("SmolChat", outcome="invalid")]))
    assert point["low"] < point["valid"] == 0.5 < point["high"]
    spec = chart(["json_object", "SmolChat"], LIGHT)
    assert spec["encoding"]["y"]["scale"]["domain"] == ["json_object", "SmolChat"]


def test_all_is_exported_as_json() -> None:
    tried = [trial("SmolChat", text='{"a": "ü"}', attempts=2)]
    exported = json.loads(to_json(tried, {"SmolChat": {"path": "/structured"}}))
    assert exported["requests"] == {"SmolChat": {"path": "/structured"}}
    assert exported["scores"][0]["valid"] == 1
    assert exported["trials"][0]["text"] == '{"a": "ü"}'


def test_the_table_that_is_exported_holds_none_of_a_models_words() -> None:
    exported = to_csv([trial("SmolChat", text="=1+1", fault="=2+2", completion_tokens=7)])
    [line] = csv.DictReader(io.StringIO(exported))
    assert line["outcome"] == "valid"
    assert (line["seconds"], line["completion_tokens"]) == ("1.000", "7")
    assert "=" not in exported
