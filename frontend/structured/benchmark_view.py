"""The reliability score on the page: how far it is, a table, a plot, and what to take away."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from components.background_job import JobResult
from components.callouts import error_callout
from components.chart_colors import Colors, chart_colors
from structured.benchmark import MethodScore, scores, to_csv, to_json
from structured.benchmark_job import Experiment

ROW_PIXELS, AXIS_PIXELS = 36, 64


class BenchmarkView:
    """Draws a measurement anew with each trial that has come."""

    def __init__(self, measurement: Experiment) -> None:
        self.outcome: JobResult = measurement
        self._measurement = measurement
        place = st.container() if measurement.is_over else st.empty().container()
        with place:
            self._progress, self._table, self._chart = st.empty(), st.empty(), st.empty()
        self._drawn = -1

    def render(self) -> None:
        done = len(self._measurement.trials)
        if done == self._drawn:
            return
        self._drawn = done
        plan, planned = self._measurement.plan, self._measurement.planned
        way = plan.ways[done % len(plan.ways)]
        text = f"{done} of {planned} · asking {way} …" if done < planned else f"{done} of {planned}"
        self._progress.progress(done / planned, text=text)
        self._render_scores()

    def render_result(self, *, on_retry: Callable[[], None]) -> None:
        measurement = self._measurement
        done, planned = len(measurement.trials), measurement.planned
        if measurement.error:
            with self._progress.container():
                error_callout(measurement.error, on_retry=on_retry, key="reliability_retry")
        elif done < planned:
            self._progress.text(f"Stopped after {done} of {planned}.")
        self._render_scores()
        if measurement.trials:
            _render_downloads(measurement)

    def _render_scores(self) -> None:
        if found := scores(self._measurement.trials):
            rows = [row(score) for score in found]
            self._table.table(rows, border="horizontal", hide_index=True, alt="Reliability")
            spec = chart(self._measurement.plan.ways, chart_colors())
            self._chart.vega_lite_chart(points(found), spec, alt=_told(found), width="stretch")


def row(score: MethodScore) -> dict[str, str]:
    """Give a line of the table."""
    seconds = score.median_seconds
    return {
        "Way": score.method.replace("_", r"\_"),
        "Valid": f"{score.valid_share:.0%} of {score.trials}",
        "95 % interval": f"{100 * score.low:.0f} to {score.high:.0%}",
        "Truncated": f"{score.truncated_share:.0%}",
        "Median seconds": "none" if seconds is None else f"{seconds:.2f}",
    }


def points(found: list[MethodScore]) -> list[dict[str, Any]]:
    """Give what the plot shows."""
    return [
        {"way": score.method, "valid": score.valid_share, "low": score.low, "high": score.high}
        for score in found
    ]


def chart(ways: Sequence[str], colors: Colors) -> dict[str, Any]:
    """Plot the share of valid answers of each way, and the interval that the true one is in.

    It is the same whatever was found: only what it shows is drawn anew.
    """
    way = {"field": "way", "type": "nominal", "scale": {"domain": list(ways)}, "title": None}
    axis = {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1], "title": "Valid answers"}
    share = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": axis}
    color = {
        "condition": {"test": "datum.way === 'SmolChat'", "value": colors.primary},
        "value": colors.secondary,
    }
    line = {"color": colors.text, "strokeWidth": 1.5, "thickness": 1.5}
    ends = [{"x": {"field": end} | share} for end in ("low", "high")]
    return {
        "height": ROW_PIXELS * len(ways) + AXIS_PIXELS,
        "encoding": {"y": way},
        "layer": [
            {
                "mark": {"type": "bar", "height": 20, "cornerRadiusEnd": 4},
                "encoding": {"x": {"field": "valid"} | share, "color": color},
            },
            {"mark": {"type": "rule"} | line, "encoding": ends[0] | {"x2": {"field": "high"}}},
            *({"mark": {"type": "tick", "size": 10} | line, "encoding": end} for end in ends),
        ],
        "config": {
            "axis": {"labelColor": colors.text, "titleColor": colors.text, "labelFontSize": 13}
        },
    }


def _told(found: list[MethodScore]) -> str:
    said = [f"{s.method} {s.valid_share:.0%}, from {s.low:.0%} to {s.high:.0%}" for s in found]
    return "Valid answers of each way with 95 % intervals: " + "; ".join(said)


def _render_downloads(measurement: Experiment) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Download JSON",
            to_json(measurement.trials, measurement.plan.requests()),
            "reliability.json",
            "application/json",
            key="reliability_json",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Download CSV",
            to_csv(measurement.trials),
            "reliability.csv",
            "text/csv",
            key="reliability_csv",
            icon=":material/download:",
            on_click="ignore",
        )
