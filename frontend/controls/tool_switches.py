"""The switches of the tools that the model may use in a chat."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

import streamlit as st

from api.errors import ApiError
from api.tools import BUILT_IN, Tool
from components.background_value import BackgroundValue
from components.service_status import api
from controls.page_values import current_value
from sanitize.plain_text import plain_text, visible_text

KEY_PREFIX = "parameter_tool_"
FIELD = "smolchat"  # of the parameters, which has the tools as a request has them
MAX_TITLE_CHARACTERS, MAX_DESCRIPTION_CHARACTERS = 80, 600
_NAMES_KEY = "parameter_tool_names"  # of all tools that a switch was on for, or could be
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_TOOLS = 128  # of a request
_NOTES = {"ask": " · asks first", "never": " · never runs", "always": ""}

state = st.session_state


@st.cache_resource(show_spinner=False)
def available_tools() -> BackgroundValue[list[Tool]]:
    """Return the API's tools. They stay while the API is unreachable."""
    client, tools = api(), list[Tool]()

    def load() -> list[Tool]:
        nonlocal tools
        with suppress(ApiError):
            tools = client.tools()
        return tools

    return BackgroundValue(load)


def allowed_tool(name: str) -> Tool | None:
    """Return a tool that is available now and may run, if there is one of this name."""
    tools = available_tools().get()
    return next((tool for tool in tools if tool.name == name and tool.approval != "never"), None)


def selected_tools() -> list[str]:
    """Return the names of the tools that are on, also of those that are not available now."""
    return sorted(name for name in _names() if current_value(KEY_PREFIX + name))[:_MAX_TOOLS]


def usable_tools() -> list[str]:
    """Return the names of the tools that are on and available."""
    available = {tool.name for tool in available_tools().get()}
    return [name for name in selected_tools() if name in available]


def tool_fields() -> dict[str, Any]:
    """Return the tools that are on as the field of a request."""
    tools = selected_tools()
    return {FIELD: {"tools": tools}} if tools else {}


def tools_in(values: Mapping[str, Any]) -> list[str]:
    """Return the tools in a request's fields, which may be those of an imported chat."""
    options = values.get(FIELD)
    names = options.get("tools") if isinstance(options, dict) else None
    texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return sorted({name for name in texts if _NAME.fullmatch(name)})[:_MAX_TOOLS]


def switch_values(tools: Sequence[str]) -> dict[str, bool]:
    """Return the values of all switches, by their keys, with which these tools are on."""
    _names().update(tools)
    return {KEY_PREFIX + name: name in tools for name in _names()}


def tool_switches() -> None:
    """Render a switch for each tool, by its source."""
    tools = available_tools().get()
    _names().update(tool.name for tool in tools)
    with st.expander("Tools", icon=":material/build:", key="tool_panel"):
        for source, group in groupby(tools, lambda tool: tool.source):
            if source != BUILT_IN:
                st.caption(plain_text(visible_text(source)[:MAX_TITLE_CHARACTERS]))
            for tool in group:
                _switch(tool)
        if not tools:
            st.caption("No tools available")
        missing = set(selected_tools()) - {tool.name for tool in tools}
        if missing:
            st.caption(f"Not available now: {plain_text(', '.join(sorted(missing)))}")
        st.page_link("app_pages/tools.py", label="Manage tools", icon=":material/settings:")
    if on := [name for name in selected_tools() if name not in missing]:
        with st.container(key="tool_summary"):
            st.text(f"Tools: {', '.join(on)}")


def title_of(tool: Tool) -> str:
    """Return the title as Markdown that shows it as plain text."""
    return plain_text(visible_text(tool.title or tool.name)[:MAX_TITLE_CHARACTERS])


def description_of(tool: Tool) -> str:
    """Return the description as Markdown that shows it as plain text."""
    return plain_text(visible_text(tool.description)[:MAX_DESCRIPTION_CHARACTERS])


def source_of(tool: Tool) -> str:
    if tool.source == BUILT_IN:
        return "Built in"
    return f"MCP server {plain_text(visible_text(tool.source)[:MAX_TITLE_CHARACTERS])}"


def _switch(tool: Tool) -> None:
    st.toggle(
        title_of(tool) + _NOTES[tool.approval],
        key=KEY_PREFIX + tool.name,
        help=description_of(tool) or None,
        disabled=tool.approval == "never",
        persist_state="session",
    )


def _names() -> set[str]:
    names: set[str] = state.setdefault(_NAMES_KEY, set())
    return names
