"""What is known of the API and of the model server behind it, and how a page says so."""

from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

import streamlit as st

from api.client import LOCAL_HOSTS, ApiClient, Health, Model
from api.errors import ApiError
from api.status import Status
from components.callouts import callout
from sanitize.markdown_blocks import safe_markdown
from settings import Settings

LOOK_SECONDS = 3.0
Color = Literal["green", "orange", "red"]
BADGES: dict[str, tuple[str, str, Color]] = {
    "ready": ("Ready", ":material/check_circle:", "green"),
    "loading": ("The model is loading", ":material/hourglass_top:", "orange"),
    "model_missing": ("Model missing", ":material/error:", "orange"),
    "silent": ("The model server is silent", ":material/hourglass_top:", "orange"),
    "unreachable": ("No model server", ":material/error:", "orange"),
    "invalid": ("Not a model server", ":material/error:", "orange"),
    "api_down": ("API is down", ":material/cloud_off:", "red"),
}


@dataclass(frozen=True)
class Service:
    """What a look at the API found."""

    health: Health | None
    models: list[Model]
    error: ApiError | None = None

    @property
    def state(self) -> str:
        return self.health.model_server.state if self.health else "api_down"

    @property
    def trouble(self) -> ApiError | None:
        """What the API says of its model server, or why the API says nothing."""
        return ApiError(self.health.model_server.message) if self.health else self.error

    @property
    def is_ready(self) -> bool:
        return self.state == "ready"


@st.cache_resource(show_spinner=False)
def api() -> ApiClient:
    return ApiClient(Settings.load())


@st.cache_resource(show_spinner=False, ttl=LOOK_SECONDS)
def service() -> Service:
    """Look at the API, at most once in a few seconds for all who have the page open."""
    try:
        health = api().health()
    except ApiError as error:
        return Service(None, [], error)
    with suppress(ApiError):  # the model server has gone since: the next look says so
        if health.model_server.state in ("ready", "model_missing"):
            return Service(health, api().models())
    return Service(health, [])


@dataclass(frozen=True)
class StatusLook:
    """What the API tells of itself, or why it does not."""

    status: Status | None
    error: ApiError | None = None


@st.cache_resource(show_spinner=False, ttl=LOOK_SECONDS)
def status_look() -> StatusLook:
    """Ask the API for all that it tells of itself."""
    try:
        return StatusLook(api().status())
    except ApiError as error:
        return StatusLook(None, error)


@st.fragment(run_every=LOOK_SECONDS)
def service_badge() -> None:
    """Say in two words how things are, now and not when the page was drawn."""
    text, icon, color = BADGES[service().state]
    st.badge(text, icon=icon, color=color)


@st.fragment(run_every=LOOK_SECONDS)
def service_callout(drawn: Service) -> None:
    """Say why no answer can be had now, for as long as that is so."""
    if service().state != drawn.state:
        st.rerun()
    if drawn.trouble:
        callout(drawn.trouble, on_retry=service.clear, key="service_retry")


def privacy(*urls: str) -> str:
    """Say where typed text goes, given all the addresses on its way."""
    hosts = [urlsplit(url).hostname or "" for url in urls if url]
    remote = [host for host in hosts if not _is_here(host)]
    if remote:
        return f"What you type is sent to **{safe_markdown(remote[-1])}**."
    return "Runs on **this computer**. Nothing you type leaves it."


def _is_here(host: str) -> bool:
    named = [name.strip() for name in api().settings.local_hosts.lower().split(",")]
    if host and host in (*LOCAL_HOSTS, *named):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
