"""What runs where, what is kept, how fast the last answers came, and the settings in effect."""

import streamlit as st

from components.callouts import callout
from components.service_status import (
    StatusLook,
    api,
    privacy,
    service,
    service_badge,
    service_callout,
    status_look,
)
from status.speed_view import draw_speeds
from status.status_view import draw_programs, draw_settings, draw_store, zone

found = service()
look = status_look() if found.health else StatusLook(None)
status = look.status
settings = api().settings


def look_again() -> None:
    service.clear()
    status_look.clear()


with st.sidebar:
    service_badge()
    server = found.health.model_server.url if found.health else ""
    st.caption(privacy(settings.api_base_url, server))

with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("Status", anchor=False, width="content")
    st.button("Look again", icon=":material/refresh:", key="status_again", on_click=look_again)
st.markdown("All of this is looked up without asking the model anything.")
if not found.is_ready:
    service_callout(found)
if look.error:
    callout(look.error, on_retry=look_again, key="status_retry")

st.header("What runs where", anchor=False)
draw_programs(found, status, settings)

st.header("Conversations", anchor=False)
if status:
    draw_store(status.store)
else:
    st.caption("The API keeps them; it has not told where.")

st.header("Speed of the last answers", anchor=False)
if status and status.recent:
    draw_speeds(status.recent, zone())
elif status and status.recent is not None:
    st.caption("Not measured: there is no stored answer yet.")
else:
    st.caption("Not measured: nobody could tell.")

st.header("Configuration in effect", anchor=False)
draw_settings(status, settings)
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
