"""The benchmark on the page: progress, score table, chart and downloads."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from api.errors import ApiError
from components.background_job import JobResult
from components.callouts import error_callout
from components.chart_colors import Colors, chart_colors
from sanitize.plain_text import plain_text
from structured.benchmark import MethodScore, scores, to_csv, to_json
from structured.benchmark_job import Experiment

ROW_PIXELS, AXIS_PIXELS = 36, 64
NOT_MEASURED = "n/a"
MAX_FAULT_CHARACTERS = 120


class BenchmarkView:
    """Render a benchmark, updated after each trial."""

    def __init__(self, experiment: Experiment) -> None:
        self.result: JobResult = experiment
        self._experiment = experiment
        self._progress = st.empty()
        self._table = st.container(key="benchmark_table").empty()
        self._chart = st.empty()
        self._rendered_trials = -1

    def render(self) -> None:
        done = len(self._experiment.trials)
        if done == self._rendered_trials:
            return
        self._rendered_trials = done
        plan, planned = self._experiment.plan, self._experiment.planned_trials
        text = f"{done} of {planned}"
        if done < planned:
            text += f" · running {plan.methods[done % len(plan.methods)]}…"
        self._progress.progress(done / planned, text=text)
        self._render_scores()

    def render_result(self, error: ApiError | None, *, on_retry: Callable[[], None]) -> None:
        experiment = self._experiment
        done, planned = len(experiment.trials), experiment.planned_trials
        if error:
            with self._progress.container():
                error_callout(error, on_retry=on_retry, key="benchmark_retry")
        elif done < planned:
            self._progress.text(f"Stopped after {done} of {planned}.")
        self._render_scores()
        if experiment.trials:
            _render_downloads(experiment)

    def _render_scores(self) -> None:
        if results := scores(self._experiment.trials):
            rows = [row(score) for score in results]
            self._table.table(rows, border="horizontal", hide_index=True, alt="Benchmark results")
            spec = chart(self._experiment.plan.methods, chart_colors())
            self._chart.vega_lite_chart(
                points(results), spec, alt=_summary(results), width="stretch"
            )


def row(score: MethodScore) -> dict[str, str]:
    """Return a row of the score table."""
    seconds = score.median_seconds
    return {
        "Method": score.method.replace("_", r"\_"),
        "Valid": f"{score.valid_share:.0%} of {score.trials}",
        "95% interval": f"{100 * score.low:.0f} to {score.high:.0%}",
        "Truncated": f"{score.truncated_share:.0%}",
        "Median time (s)": NOT_MEASURED if seconds is None else f"{seconds:.2f}",
        "Most frequent error": plain_text(_shorten(score.fault)) or "none",
    }


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_FAULT_CHARACTERS else text[:MAX_FAULT_CHARACTERS] + "…"


def points(results: list[MethodScore]) -> list[dict[str, Any]]:
    """Return the data of the chart."""
    return [
        {"method": score.method, "valid": score.valid_share, "low": score.low, "high": score.high}
        for score in results
    ]


def chart(methods: Sequence[str], colors: Colors) -> dict[str, Any]:
    """Return the Vega-Lite spec: the valid share of each method with its confidence interval.

    Independent of the results, so that only the data is updated.
    """
    y = {"field": "method", "type": "nominal", "scale": {"domain": list(methods)}, "title": None}
    axis = {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1], "title": "Valid responses"}
    share = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": axis}
    color = {
        "condition": {"test": "datum.method === 'SmolChat'", "value": colors.primary},
        "value": colors.secondary,
    }
    line = {"color": colors.text, "strokeWidth": 1.5, "thickness": 1.5}
    ends = [{"x": {"field": end} | share} for end in ("low", "high")]
    return {
        "height": ROW_PIXELS * len(methods) + AXIS_PIXELS,
        "encoding": {"y": y},
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


def _summary(results: list[MethodScore]) -> str:
    parts = [f"{s.method} {s.valid_share:.0%} ({s.low:.0%} to {s.high:.0%})" for s in results]
    return "Valid responses by method, with 95% confidence intervals: " + "; ".join(parts)


def _render_downloads(experiment: Experiment) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Download JSON",
            to_json(experiment.trials, experiment.plan.requests()),
            "benchmark.json",
            "application/json",
            key="benchmark_json",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Download CSV",
            to_csv(experiment.trials),
            "benchmark.csv",
            "text/csv",
            key="benchmark_csv",
            icon=":material/download:",
            on_click="ignore",
        )
