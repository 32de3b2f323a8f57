"""The speed of the last answers on the page: two medians, two plots, and a table."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

import streamlit as st

from api.status import RecentAnswer
from components.chart_colors import Colors, chart_colors
from status.speed import Speed, format_number, median_or_none, speeds, table_rows

CHART_PIXELS = 170


def render_speeds(recent: Sequence[RecentAnswer], zone: tzinfo) -> None:
    found = speeds(recent)
    left, right = st.columns(2, gap="medium")
    with left:
        rates = [speed.tokens_per_second for speed in found]
        _render_measure("Writing", "tokens/s", "Tokens a second", rates)
    with right:
        waits = [speed.first_token_seconds for speed in found]
        _render_measure("First token", "s", "Seconds to the first token", waits)
    st.caption(
        f"Stored answers that were finished, the last {len(found)}: the newest on the right."
    )
    _render_table(found, zone)


def _render_measure(label: str, unit: str, title: str, values: Sequence[float | None]) -> None:
    typical = median_or_none(values)
    st.metric(f"{label}, median", format_number(typical, unit))
    if typical is None:
        return
    spec = chart(len(values), title, chart_colors())
    st.vega_lite_chart(
        points(values), spec, alt=_summary(title, values), width="stretch", height=CHART_PIXELS
    )


def _render_table(found: Sequence[Speed], zone: tzinfo) -> None:
    with st.expander("The same as a table", icon=":material/table_rows:", key="status_speeds"):
        st.table(
            table_rows(found, zone),
            border="horizontal",
            hide_index=True,
            alt="Speed of the last answers",
        )


def points(values: Sequence[float | None]) -> list[dict[str, Any]]:
    """Give what a plot shows; what was not measured leaves a gap."""
    return [
        {"answer": number, "value": value}
        for number, value in enumerate(values, 1)
        if value is not None
    ]


def chart(answers: int, title: str, colors: Colors) -> dict[str, Any]:
    """Plot one measure of each answer from the oldest to the newest, and the median as a line."""
    order = {
        "field": "answer",
        "type": "ordinal",
        "scale": {"domain": list(range(1, answers + 1)), "paddingInner": 0.25},
        "axis": None,
    }
    axis = {"title": None, "tickCount": 4, "gridColor": colors.grid, "format": "~s"}
    value = {"field": "value", "type": "quantitative", "axis": axis, "scale": {"zero": True}}
    hint = {"field": "value", "type": "quantitative", "title": title, "format": ".3~r"}
    return {
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadiusEnd": 2, "color": colors.primary},
                "encoding": {"x": order, "y": value, "tooltip": [hint]},
            },
            {
                "mark": {"type": "rule", "color": colors.text, "strokeDash": [4, 3]},
                "encoding": {"y": value | {"aggregate": "median"}},
            },
        ],
        "config": {"axis": {"labelColor": colors.text, "labelFontSize": 12}},
    }


def _summary(title: str, values: Sequence[float | None]) -> str:
    measured = [value for value in values if value is not None]
    low, high = min(measured), max(measured)
    return (
        f"{title} of {len(measured)} answers: from {low:.2f} to {high:.2f}, "
        f"median {median_or_none(measured):.2f}; the table below has each"
    )
