"""Pieces that every page may draw: what is known of the service, and how trouble is told."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import streamlit as st

from api_client import LOCAL_HOSTS, ApiClient, ApiError, Health, Model
from safe_markdown import safe_markdown
from settings import Settings

LOOK_SECONDS = 3.0
_ADDRESS = re.compile(r"(?<!`)https?://[^\s`,;)]*[^\s`,;).]")
# Names that mean this computer inside Docker: Model Runner, the host, its bridge, Compose's API.
_DOCKER_HOSTS = ("model-runner.docker.internal", "host.docker.internal", "172.17.0.1", "api")
_BADGES: dict[str, tuple[str, str, Literal["green", "orange", "red"]]] = {
    "ready": ("Ready", ":material/check_circle:", "green"),
    "loading": ("The model is loading", ":material/hourglass_top:", "orange"),
    "model_missing": ("Model missing", ":material/error:", "orange"),
    "unreachable": ("No model server", ":material/error:", "orange"),
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
        return self.health.state if self.health else "api_down"

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
        models = api().models() if health.state in ("ready", "model_missing") else []
    except ApiError as error:
        return Service(None, [], error)
    return Service(health, models)


def service_badge(found: Service) -> None:
    text, icon, color = _BADGES.get(found.state, _BADGES["unreachable"])
    st.badge(text, icon=icon, color=color)


@st.fragment(run_every=LOOK_SECONDS)
def service_callout(drawn: Service) -> None:
    """Say why no answer can be had now, for as long as that is so."""
    if service().state != drawn.state:
        st.rerun()
    if drawn.error:
        callout(drawn.error, on_retry=service.clear, key="service_retry")
    elif drawn.health:
        callout(ApiError(drawn.health.message), on_retry=service.clear, key="service_retry")


def callout(error: ApiError, *, on_retry: Callable[[], None], key: str) -> None:
    """Show an error: what happened, what to try next, and a button that tries again."""
    parts = [_told(error.message), _told(error.next_step)]
    if error.next_step:
        parts[0] = f"**{parts[0]}**"
    with st.container(gap="small"):
        st.warning("\n\n".join(parts), icon=":material/info:")
        st.button("Retry", icon=":material/refresh:", key=key, on_click=on_retry)


def _told(words: str) -> str:
    """Show an address as what it is: a name, and not a place to go to."""
    return safe_markdown(_ADDRESS.sub(r"`\g<0>`", words))


def privacy(*urls: str) -> str:
    """Say where typed text goes, given all the addresses on its way."""
    hosts = [urlsplit(url).hostname or "" for url in urls if url]
    remote = [host for host in hosts if host not in LOCAL_HOSTS + _DOCKER_HOSTS]
    if remote:
        return f"What you type is sent to **{safe_markdown(remote[-1])}**."
    return "Runs on **this computer**. Nothing you type leaves it."
