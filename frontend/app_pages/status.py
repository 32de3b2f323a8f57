"""What runs where, what is kept, how fast the last answers came, and the settings in effect."""

import streamlit as st

from components.callouts import error_callout
from components.service_status import (
    StatusResult,
    api,
    api_status,
    privacy_notice,
    service_badge,
    service_callout,
    service_status,
)
from status.speed_view import render_speeds
from status.status_view import local_timezone, render_services, render_settings, render_store

found = service_status()
look = api_status() if found.health else StatusResult(None)
status = look.status
settings = api().settings


def look_again() -> None:
    service_status.clear()
    api_status.clear()


with st.sidebar:
    service_badge()
    server = found.health.model_server.url if found.health else ""
    st.caption(privacy_notice(settings.api_base_url, server))

with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("Status", anchor=False, width="content")
    st.button("Look again", icon=":material/refresh:", key="status_again", on_click=look_again)
st.markdown("All of this is looked up without asking the model anything.")
if not found.is_ready:
    service_callout(found)
if look.error:
    error_callout(look.error, on_retry=look_again, key="status_retry")

st.header("What runs where", anchor=False)
render_services(found, status, settings)

st.header("Conversations", anchor=False)
if status:
    render_store(status.store)
else:
    st.caption("The API keeps them; it has not told where.")

st.header("Speed of the last answers", anchor=False)
if status and status.recent:
    render_speeds(status.recent, local_timezone())
elif status and status.recent is not None:
    st.caption("Not measured: there is no stored answer yet.")
else:
    st.caption("Not measured: nobody could tell.")

st.header("Configuration in effect", anchor=False)
render_settings(status, settings)
with st.container(horizontal=True, key="status_links"):
    for label, path in (("Description of the API", "/docs"), ("openapi.json", "/openapi.json")):
        st.link_button(
            label,
            f"{settings.api_public_url or settings.api_base_url}{path}",
            icon=":material/open_in_new:",
            disabled=found.health is None,
        )
if settings.api_key.get_secret_value():
    st.caption("Both want the API's key, which a browser does not send by itself.")
