"""State of the API and its model server: cached checks, badge, callout and privacy notice."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import streamlit as st

from api.client import ApiClient, Health, Model
from api.errors import ApiError
from api.status import Status
from components.background_value import MAX_AGE_SECONDS, BackgroundValue
from components.callouts import error_callout
from sanitize.plain_text import plain_text
from settings import Settings, canonical_host, is_loopback

CACHE_SECONDS = MAX_AGE_SECONDS
Color = Literal["green", "orange", "red"]
BADGES: dict[str, tuple[str, str, Color]] = {
    "ready": ("Ready", ":material/check_circle:", "green"),
    "loading": ("Loading model", ":material/hourglass_top:", "orange"),
    "load_failed": ("Model did not load", ":material/error:", "orange"),
    "model_missing": ("Model not found", ":material/error:", "orange"),
    "silent": ("Model server not responding", ":material/hourglass_top:", "orange"),
    "unreachable": ("Model server offline", ":material/error:", "orange"),
    "invalid": ("Not a model server", ":material/error:", "orange"),
    "api_down": ("API offline", ":material/cloud_off:", "red"),
}


@dataclass(frozen=True)
class ServiceStatus:
    """Result of a health check."""

    health: Health | None
    models: list[Model]
    api_error: ApiError | None = None

    @property
    def state(self) -> str:
        return self.health.model_server.state if self.health else "api_down"

    @property
    def error(self) -> ApiError | None:
        """The model server's problem, or why the API is unreachable."""
        return ApiError(self.health.model_server.message) if self.health else self.api_error

    @property
    def is_ready(self) -> bool:
        return self.state == "ready"


@st.cache_resource(show_spinner=False)
def api() -> ApiClient:
    return ApiClient(Settings.load())


class _ServiceCheck:
    """Checks the API every few seconds, once for all sessions, and returns the last result."""

    def __call__(self) -> ServiceStatus:
        return _latest_status().get()

    def clear(self) -> None:
        """Forget the last result, so that the next one is new."""
        _latest_status().clear()


service_status = _ServiceCheck()


@st.cache_resource(show_spinner=False)
def _latest_status() -> BackgroundValue[ServiceStatus]:
    client = api()
    return BackgroundValue(lambda: _check_services(client))


def _check_services(client: ApiClient) -> ServiceStatus:
    try:
        health = client.health()
    except ApiError as error:
        return ServiceStatus(None, [], error)
    with suppress(ApiError):  # the model server is gone; the next check reports it
        if health.model_server.state in ("ready", "load_failed", "model_missing"):
            return ServiceStatus(health, client.models())
    return ServiceStatus(health, [])


@dataclass(frozen=True)
class StatusResult:
    """The API's status, or why it is unavailable."""

    status: Status | None
    error: ApiError | None = None


@st.cache_resource(show_spinner=False, ttl=CACHE_SECONDS)
def api_status() -> StatusResult:
    try:
        return StatusResult(api().status())
    except ApiError as error:
        return StatusResult(None, error)


@st.fragment(run_every=CACHE_SECONDS)
def api_status_callout(error: ApiError, *, on_retry: Callable[[], None] | None) -> None:
    """Render why the status is not available; rerun the page when it is."""
    if api_status().status:
        st.rerun()
    error_callout(error, on_retry=on_retry, key="status_retry")


@st.fragment(run_every=CACHE_SECONDS)
def service_badge() -> None:
    """Render the current state, refreshed every few seconds."""
    text, icon, color = BADGES[service_status().state]
    st.badge(text, icon=icon, color=color)


@st.fragment(run_every=CACHE_SECONDS)
def service_callout(status: ServiceStatus, *, has_retry: bool = True) -> None:
    """Render the problem in `status`; rerun the page when the state changes."""
    if service_status().state != status.state:
        st.rerun()
    if status.error:
        retry = service_status.clear if has_retry else None
        error_callout(status.error, on_retry=retry, key="service_retry")


def privacy_notice(*urls: str, local_hosts: Sequence[str]) -> str:
    """Return where messages are sent, given every address on their way."""
    hosts = [canonical_host(urlsplit(url).hostname or "") for url in urls if url]
    remote = [host for host in hosts if not (is_loopback(host) or host in local_hosts)]
    if remote:
        return f"What you type is sent to **{plain_text(remote[-1])}**."
    return "Runs on **this computer**. Nothing you type leaves it."
