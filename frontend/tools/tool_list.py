"""The tools on the Tools page: what each does, and whether it may run."""

from itertools import groupby

import streamlit as st

import strict_json
from api.errors import ApiError
from api.tools import Approval, Tool
from components.callouts import error_callout
from components.service_status import api
from controls.tool_switches import available_tools, description_of, source_of, title_of
from sanitize.plain_text import code_span, visible_text
from sanitize.render_cost import limit_code

APPROVALS: dict[Approval, str] = {"ask": "Ask first", "always": "Always allow", "never": "Never"}
_ERROR_KEY, _APPROVAL_PREFIX = "tools_approval_error", "tools_approval_"

state = st.session_state


def tool_list() -> None:
    """Render the tools by their source."""
    tools = available_tools().get()
    for source, group in groupby(tools, source_of):
        st.subheader(source, anchor=False)
        for tool in group:
            _render_tool(tool)
    if not tools:
        st.caption("No tools available")
    if error := state.pop(_ERROR_KEY, None):
        error_callout(error, on_retry=None, key="tools_approval_problem")


def _render_tool(tool: Tool) -> None:
    with st.container(border=True, key=f"tools_tool_{tool.name}", gap="xsmall"):
        st.markdown(f"**{title_of(tool)}** {code_span(tool.name)}")
        st.markdown(description_of(tool))
        key = f"{_APPROVAL_PREFIX}{tool.name}"
        state[key] = tool.approval  # another client may have changed it
        st.segmented_control(
            "Permission",
            list(APPROVALS),
            format_func=APPROVALS.__getitem__,
            required=True,
            key=key,
            on_change=_set_approval,
            args=[key, tool.name],
            help="Says it changes nothing." if tool.read_only else "May change data.",
        )
        with st.expander("Schema", type="compact"):
            code, is_cheap = limit_code(visible_text(strict_json.format_json(tool.parameters)))
            st.code(code, language="json" if is_cheap else None, wrap_lines=True)


def _set_approval(key: str, name: str) -> None:
    try:
        changed = api().set_approval(name, state[key])
        tools = available_tools().get()
        available_tools().set([changed if tool.name == name else tool for tool in tools])
    except ApiError as error:
        state[_ERROR_KEY] = error
