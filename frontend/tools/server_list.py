"""The MCP servers on the Tools page: their state, and switching them off, on and over."""

from collections.abc import Callable

import streamlit as st

from api.errors import ApiError
from api.tools import ToolServer, ToolServerList
from components.background_value import BackgroundValue
from components.callouts import error_callout
from components.service_status import CACHE_SECONDS, Color, api
from controls.tool_switches import available_tools
from sanitize.plain_text import message_text, plain_text, visible_text

NO_SERVERS = (
    "No MCP servers. Set `SMOLCHAT_MCP_CONFIG` in `.env` to a JSON file that lists them, and "
    "restart the API."
)
BADGES: dict[str, tuple[str, str, Color]] = {
    "off": ("Off", ":material/power_settings_new:", "orange"),
    "connecting": ("Connecting", ":material/hourglass_top:", "orange"),
    "connected": ("Connected", ":material/check_circle:", "green"),
    "failed": ("Not connected", ":material/error:", "red"),
}
_TRANSPORTS = {"http": "HTTP", "stdio": "Program on this computer"}
MAX_CHARACTERS = 500
_ERROR_KEY, _SHOWN_KEY, _SWITCH_PREFIX = "tools_error", "tools_servers_shown", "tools_server_on_"

state = st.session_state


@st.cache_resource(show_spinner=False)
def tool_servers() -> BackgroundValue[ToolServerList]:
    client = api()

    def load() -> ToolServerList:
        try:
            return client.tool_servers()
        except ApiError:  # as an API without the route: the page's badge tells if it is down
            return ToolServerList()

    return BackgroundValue(load)


@st.fragment(run_every=CACHE_SECONDS)
def server_list() -> None:
    """Render the servers, and the whole page again when one has other tools."""
    servers = tool_servers().get()
    shown = [(server.name, server.state, server.tools) for server in servers.data]
    if state.get(_SHOWN_KEY, shown) != shown:
        state[_SHOWN_KEY] = shown
        available_tools().clear()
        st.rerun()
    state[_SHOWN_KEY] = shown
    if servers.error:
        st.warning(message_text(servers.error), icon=":material/info:")
    for number, server in enumerate(servers.data):
        _render_server(number, server)
    if not servers.data and not servers.error:
        st.caption(NO_SERVERS)
    if error := state.pop(_ERROR_KEY, None):
        error_callout(error, on_retry=None, key="tools_problem")


def _render_server(number: int, server: ToolServer) -> None:
    text, icon, color = BADGES.get(server.state, BADGES["failed"])
    with st.container(border=True, key=f"tools_server_{number}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain_text(_short(server.name))}**", width="content")
            st.badge(text, icon=icon, color=color)
        with st.container(key=f"status_lines_tools_{number}", gap="xxsmall"):
            st.text(_short(server.address))
            count = server.tools or 0
            transport = _TRANSPORTS.get(server.transport, server.transport)
            st.text(f"{transport} · {count:,} {'tool' if count == 1 else 'tools'}")
        if server.error:
            st.caption(message_text(_short(server.error)))
        with st.container(horizontal=True, vertical_alignment="center"):
            _render_controls(number, server)


def _render_controls(number: int, server: ToolServer) -> None:
    key = f"{_SWITCH_PREFIX}{number}"
    state[key] = server.state != "off"  # another client may have switched it
    st.toggle("Enabled", key=key, on_change=_switch, args=[key, server.name])
    st.button(
        "Reconnect",
        icon=":material/refresh:",
        key=f"tools_reconnect_{number}",
        type="tertiary",
        on_click=_reconnect,
        args=[server.name],
        disabled=server.state == "off",
    )


def _switch(key: str, name: str) -> None:
    is_on = bool(state.get(key))
    _change(lambda: api().switch_tool_server(name, is_on=is_on))


def _reconnect(name: str) -> None:
    _change(lambda: api().reconnect_tool_server(name))


def _change(request: Callable[[], ToolServer]) -> None:
    try:
        request()
    except ApiError as error:
        state[_ERROR_KEY] = error
    tool_servers().clear()
    available_tools().clear()


def _short(text: str) -> str:
    return visible_text(" ".join(text.split()))[:MAX_CHARACTERS]
