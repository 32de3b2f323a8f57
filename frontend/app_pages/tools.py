"""The Tools page: what the API can run for the model, where it comes from, and what asks first."""

import streamlit as st

from components.service_status import service_badge, service_callout, service_status
from controls.tool_switches import available_tools
from tools.server_list import server_list, tool_servers
from tools.tool_list import tool_list

service = service_status()


def refresh() -> None:
    service_status.clear()
    available_tools().clear()
    tool_servers().clear()


with st.sidebar:
    service_badge()

with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("Tools", anchor=False, width="content")
    st.button("Refresh", icon=":material/refresh:", key="tools_refresh", on_click=refresh)
st.markdown(
    "The model can use a tool when it is on in a chat, under *Tools* in the sidebar. Here you "
    "choose whether it runs by itself, asks you first, or never runs."
)
if service.health is None:
    service_callout(service)

st.header("MCP servers", anchor=False)
server_list()

st.header("Available tools", anchor=False)
tool_list()
