"""The Status page: services, storage, recent performance and configuration."""

import streamlit as st

from components.service_status import (
    StatusResult,
    api,
    api_status,
    api_status_callout,
    privacy_notice,
    service_badge,
    service_callout,
    service_status,
)
from status.speed_view import render_speeds
from status.status_view import local_timezone, render_services, render_settings, render_store

service = service_status()
result = api_status() if service.health else StatusResult(None)
status = result.status
settings = api().settings


def refresh() -> None:
    service_status.clear()
    api_status.clear()


with st.sidebar:
    service_badge()
    server = (service.health and service.health.model_server.url) or ""
    st.caption(privacy_notice(settings.api_base_url, server, local_hosts=settings.local_hosts))

with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("Status", anchor=False, width="content")
    st.button("Refresh", icon=":material/refresh:", key="status_refresh", on_click=refresh)
st.markdown("Viewing this page never runs the model.")
if not service.is_ready:
    service_callout(service)
if result.error:
    api_status_callout(result.error, on_retry=refresh if service.is_ready else None)

st.header("Services", anchor=False)
render_services(service, status, settings)

st.header("Conversations", anchor=False)
if status:
    render_store(status.store)
else:
    st.caption("Not available: the API did not report it.")

st.header("Recent performance", anchor=False)
if status and status.recent:
    render_speeds(status.recent, local_timezone())
elif status and status.recent is not None:
    st.caption("No stored responses yet")
else:
    st.caption("Not available: the API did not report it.")

st.header("Configuration", anchor=False)
render_settings(status, settings)
with st.container(horizontal=True, key="status_links"):
    for label, path in (("API docs", "/docs"), ("openapi.json", "/openapi.json")):
        st.link_button(
            label,
            f"{settings.api_public_url or settings.api_base_url}{path}",
            icon=":material/open_in_new:",
            disabled=service.health is None,
        )
if settings.api_key.get_secret_value():
    st.caption("Both require the API key, which a browser does not send on its own.")
