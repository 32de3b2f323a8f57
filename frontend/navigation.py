"""The frame of every page: page config, style sheet, logo and navigation."""

from pathlib import Path

import streamlit as st

STATIC = Path(__file__).parent / "static"

st.set_page_config(
    page_title="SmolChat", page_icon=str(STATIC / "bolt.svg"), initial_sidebar_state=312
)
st.html(STATIC / "app.css")
st.logo(str(STATIC / "bolt.svg"), size="large")

chat = st.Page("app_pages/chat.py", title="Chat", icon=":material/forum:", default=True)
structured = st.Page("app_pages/structured.py", title="Structured", icon=":material/data_object:")
files = st.Page("app_pages/files.py", title="Files", icon=":material/folder:")
tools = st.Page("app_pages/tools.py", title="Tools", icon=":material/build:")
status = st.Page("app_pages/status.py", title="Status", icon=":material/monitor_heart:")
st.navigation([chat, files, structured, tools, status], position="top").run()
