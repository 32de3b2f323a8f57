"""Recent performance on the Status page: medians, charts and a table."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

import streamlit as st

from api.status import RecentAnswer
from components.chart_colors import Colors, chart_colors
from status.speed import Speed, format_number, median_or_none, speeds, table_rows

CHART_PIXELS = 170


def render_speeds(recent: Sequence[RecentAnswer], timezone: tzinfo) -> None:
    results = speeds(recent)
    left, right = st.columns(2, gap="medium")
    with left:
        rates = [speed.tokens_per_second for speed in results]
        _render_metric("Median generation speed", "tokens/s", "Tokens per second", rates)
    with right:
        delays = [speed.first_token_seconds for speed in results]
        _render_metric("Median time to first token", "s", "Seconds to first token", delays)
    st.caption(f"Last {len(results)} finished responses in stored chats, newest on the right.")
    _render_table(results, timezone)


def _render_metric(label: str, unit: str, title: str, values: Sequence[float | None]) -> None:
    median = median_or_none(values)
    st.metric(label, format_number(median, unit))
    if median is None:
        return
    spec = chart(len(values), title, chart_colors())
    st.vega_lite_chart(
        points(values), spec, alt=_summary(title, values), width="stretch", height=CHART_PIXELS
    )


def _render_table(speeds: Sequence[Speed], timezone: tzinfo) -> None:
    with st.expander("View as table", icon=":material/table_rows:", key="status_speeds"):
        st.table(
            table_rows(speeds, timezone),
            border="horizontal",
            hide_index=True,
            alt="Recent performance",
        )


def points(values: Sequence[float | None]) -> list[dict[str, Any]]:
    """Return the data of a chart; a missing value leaves a gap."""
    return [
        {"answer": number, "value": value}
        for number, value in enumerate(values, 1)
        if value is not None
    ]


def chart(count: int, title: str, colors: Colors) -> dict[str, Any]:
    """Return the Vega-Lite spec: a bar per response, oldest first, and the median as a line."""
    order = {
        "field": "answer",
        "type": "ordinal",
        "scale": {"domain": list(range(1, count + 1)), "paddingInner": 0.25},
        "axis": None,
    }
    axis = {"title": None, "tickCount": 4, "gridColor": colors.grid, "format": ",.3~r"}
    value = {"field": "value", "type": "quantitative", "axis": axis, "scale": {"zero": True}}
    tooltip = {"field": "value", "type": "quantitative", "title": title, "format": ",.3~r"}
    return {
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadiusEnd": 2, "color": colors.primary},
                "encoding": {"x": order, "y": value, "tooltip": [tooltip]},
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
        f"{title} for {len(measured)} responses: {low:.2f} to {high:.2f}, "
        f"median {median_or_none(measured):.2f}. All values are in the table below."
    )
