"""A page as Streamlit runs it without a browser."""

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

FRAME = Path(__file__).parent.parent / "frontend" / "frame.py"


def opened(url: str, monkeypatch: pytest.MonkeyPatch, page: str | None = None) -> AppTest:
    """Open a page in front of the API at `url`: the first one, or one of `app_pages`."""
    monkeypatch.setenv("API_BASE_URL", url)
    st.cache_resource.clear()
    first = AppTest.from_file(FRAME, default_timeout=20).run()
    return first.switch_page(f"app_pages/{page}.py").run() if page else first
