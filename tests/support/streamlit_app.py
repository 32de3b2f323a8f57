"""Runs the frontend's pages without a browser."""

from typing import Any

import pytest
import streamlit as st
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from tests.support.paths import ROOT

NAVIGATION = ROOT / "frontend" / "navigation.py"


def open_page(url: str, monkeypatch: pytest.MonkeyPatch, page: str | None = None) -> AppTest:
    """Open the chat page or another of `app_pages`, with the API at `url`."""
    monkeypatch.setenv("API_BASE_URL", url)
    st.cache_resource.clear()
    app = AppTest.from_file(NAVIGATION, default_timeout=60)  # for busy machines
    # Otherwise AppTest searches all installed packages for custom components, for 0.1 s.
    app._bidi_component_manager = BidiComponentManager()
    app.run()
    return app.switch_page(f"app_pages/{page}.py").run() if page else app


def message_texts(page: AppTest, role: str) -> list[str]:
    """Return the first text of each message with this role."""
    messages = [message for message in page.chat_message if message.name == role]
    kind = "text" if role == "user" else "markdown"
    elements: list[Any] = [message.get(kind)[0] for message in messages if message.get(kind)]
    return [element.value for element in elements]


def last_receipt(page: AppTest) -> str:
    """Return the line of numbers below the last answer."""
    answers = [message for message in page.chat_message if message.name == "assistant"]
    return str(answers[-1].text[0].value)


def warnings(page: AppTest) -> str:
    return " ".join(warning.value for warning in page.warning)


def ask(page: AppTest, question: str) -> AppTest:
    return page.chat_input[0].set_value(question).run()
