"""Colors for charts, which do not inherit the theme."""

from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True)
class Colors:
    text: str
    grid: str
    primary: str
    secondary: str


LIGHT = Colors(text="#2A211B", grid="#E2D5C1", primary="#B4532A", secondary="#D9BFA5")
DARK = Colors(text="#F2E9DD", grid="#3A312A", primary="#BC5A2C", secondary="#5A4A3D")


def chart_colors() -> Colors:
    """Return the colors of the active theme."""
    return DARK if st.context.theme.type == "dark" else LIGHT
