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
from components.callouts import error_callout
from sanitize.markdown_blocks import sanitize_markdown
from settings import Settings

CACHE_SECONDS = 3.0
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
class ServiceStatus:
    """What a look at the API found."""

    health: Health | None
    models: list[Model]
    api_error: ApiError | None = None

    @property
    def state(self) -> str:
        return self.health.model_server.state if self.health else "api_down"

    @property
    def error(self) -> ApiError | None:
        """What the API says of its model server, or why the API says nothing."""
        return ApiError(self.health.model_server.message) if self.health else self.api_error

    @property
    def is_ready(self) -> bool:
        return self.state == "ready"


@st.cache_resource(show_spinner=False)
def api() -> ApiClient:
    return ApiClient(Settings.load())


@st.cache_resource(show_spinner=False, ttl=CACHE_SECONDS)
def service_status() -> ServiceStatus:
    """Look at the API, at most once in a few seconds for all who have the page open."""
    try:
        health = api().health()
    except ApiError as error:
        return ServiceStatus(None, [], error)
    with suppress(ApiError):  # the model server has gone since: the next look says so
        if health.model_server.state in ("ready", "model_missing"):
            return ServiceStatus(health, api().models())
    return ServiceStatus(health, [])


@dataclass(frozen=True)
class StatusResult:
    """What the API tells of itself, or why it does not."""

    status: Status | None
    error: ApiError | None = None


@st.cache_resource(show_spinner=False, ttl=CACHE_SECONDS)
def api_status() -> StatusResult:
    """Ask the API for all that it tells of itself."""
    try:
        return StatusResult(api().status())
    except ApiError as error:
        return StatusResult(None, error)


@st.fragment(run_every=CACHE_SECONDS)
def service_badge() -> None:
    """Say in two words how things are, now and not when the page was drawn."""
    text, icon, color = BADGES[service_status().state]
    st.badge(text, icon=icon, color=color)


@st.fragment(run_every=CACHE_SECONDS)
def service_callout(drawn: ServiceStatus) -> None:
    """Say why no answer can be had now, for as long as that is so."""
    if service_status().state != drawn.state:
        st.rerun()
    if drawn.error:
        error_callout(drawn.error, on_retry=service_status.clear, key="service_retry")


def privacy_notice(*urls: str) -> str:
    """Say where typed text goes, given all the addresses on its way."""
    hosts = [urlsplit(url).hostname or "" for url in urls if url]
    remote = [host for host in hosts if not _is_local(host)]
    if remote:
        return f"What you type is sent to **{sanitize_markdown(remote[-1])}**."
    return "Runs on **this computer**. Nothing you type leaves it."


def _is_local(host: str) -> bool:
    named = [name.strip() for name in api().settings.local_hosts.lower().split(",")]
    if host and host in (*LOCAL_HOSTS, *named):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
