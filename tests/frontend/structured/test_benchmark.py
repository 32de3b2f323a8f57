"""Benchmark results: confidence interval, scores, chart and export."""

import csv
import io
import json
from typing import Any

import pytest

from components.chart_colors import LIGHT
from structured.benchmark import Trial, scores, to_csv, to_json, wilson_interval
from structured.benchmark_view import chart, points, row


def trial(method: str, **fields: Any) -> Trial:
    defaults: dict[str, Any] = {"method": method, "number": 1, "outcome": "valid", "seconds": 1.0}
    return Trial(**(defaults | fields))


# Reference values from R's binom.confint(method="wilson").
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
def test_interval_matches_reference_values(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-4)


def test_interval_contains_the_share_and_narrows_with_more_trials() -> None:
    for trials in (1, 7, 50):
        for successes in range(trials + 1):
            low, high = wilson_interval(successes, trials)
            assert 0 <= low <= successes / trials <= high <= 1
            mirrored = wilson_interval(trials - successes, trials)
            assert mirrored == pytest.approx((1 - high, 1 - low))
            more_low, more_high = wilson_interval(successes * 10, trials * 10)
            assert more_high - more_low < high - low


def test_methods_are_scored_in_the_order_of_their_first_trial() -> None:
    results = scores(
        [
            trial("json_schema", outcome="truncated"),
            trial("SmolChat", seconds=1.0),
            trial("json_schema", seconds=4.0),
            trial("SmolChat", seconds=3.0),
            trial("json_schema", outcome="invalid"),
            trial("json_schema", outcome="refused"),
        ]
    )
    json_schema, smolchat = results
    assert json_schema.method == "json_schema"
    assert (json_schema.trials, json_schema.valid, json_schema.truncated) == (4, 1, 1)
    assert (json_schema.valid_share, json_schema.truncated_share) == (0.25, 0.25)
    assert json_schema.median_seconds == 4.0  # of the valid ones
    assert (smolchat.valid_share, smolchat.median_seconds) == (1.0, 2.0)
    assert (smolchat.low, smolchat.high) == wilson_interval(2, 2)


def test_method_without_valid_output_has_no_median() -> None:
    [score] = scores([trial("free text", outcome="invalid")])
    assert score.median_seconds is None
    assert row(score) == {
        "Method": "free text",
        "Valid": "0% of 1",
        "95% interval": "0 to 79%",
        "Truncated": "0%",
        "Median time (s)": "n/a",
        "Most frequent error": "none",
    }


def test_no_trials_give_no_scores() -> None:
    assert scores([]) == []


def test_chart_shows_each_share_within_its_interval() -> None:
    [point] = points(scores([trial("SmolChat"), trial("SmolChat", outcome="invalid")]))
    assert point["low"] < point["valid"] == 0.5 < point["high"]
    spec = chart(["json_object", "SmolChat"], LIGHT)
    assert spec["encoding"]["y"]["scale"]["domain"] == ["json_object", "SmolChat"]


def test_json_export_holds_requests_scores_and_trials() -> None:
    trials = [trial("SmolChat", text='{"a": "ü"}', attempts=2)]
    exported = json.loads(to_json(trials, {"SmolChat": {"path": "/structured"}}))
    assert exported["requests"] == {"SmolChat": {"path": "/structured"}}
    assert exported["scores"][0]["valid"] == 1
    assert exported["trials"][0]["text"] == '{"a": "ü"}'


def test_csv_export_holds_no_model_output() -> None:
    exported = to_csv([trial("SmolChat", text="=1+1", fault="=2+2", completion_tokens=7)])
    [record] = csv.DictReader(io.StringIO(exported))
    assert record["outcome"] == "valid"
    assert (record["seconds"], record["completion_tokens"]) == ("1.000", "7")
    assert "=" not in exported


def test_most_frequent_error_is_shown_as_text() -> None:
    trials = [
        trial("free text", outcome="invalid", fault="[x](http://evil.test)"),
        trial("free text", outcome="refused", fault="No."),
        trial("free text", outcome="invalid", fault="[x](http://evil.test)"),
        trial("free text", outcome="valid"),
    ]
    [score] = scores(trials)
    assert score.fault == "[x](http://evil.test)"
    assert row(score)["Most frequent error"] == r"\[x\](http\::small[]{}//evil.test)"
    [long_score] = scores([trial("free text", outcome="invalid", fault="x" * 999)])
    assert len(row(long_score)["Most frequent error"]) < 150
