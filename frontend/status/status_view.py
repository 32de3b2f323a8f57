"""What is known of the house, drawn: its three programs, what is kept, the settings in effect."""

import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

import streamlit as st

from api.status import Status, StoreStatus
from chat.receipt_text import NOT_MEASURED
from components.callouts import browser_timezone
from components.service_status import BADGES, Color, ServiceStatus
from sanitize.markdown_blocks import sanitize_markdown
from settings import Settings
from version import VERSION

NOT_TOLD = "not told"
_ANSWERS: tuple[str, str, Color] = ("Answers", ":material/check_circle:", "green")


def local_timezone() -> tzinfo:
    """Give the time zone of whoever looks, as far as the browser told it."""
    return browser_timezone() or UTC


def render_services(found: ServiceStatus, status: Status | None, settings: Settings) -> None:
    """Say what runs where, on the way from the browser to the model."""
    page = [f"SmolChat {VERSION} · Streamlit {st.__version__} · Python {platform.python_version()}"]
    _render_program("page", "This page", address=st.context.url, lines=page)
    server = found.health.model_server if found.health else None
    _render_program(
        "api",
        "API",
        address=settings.api_base_url,
        lines=_api(status),
        badge=_ANSWERS if server else BADGES["api_down"],
    )
    _render_program(
        "server",
        "Model server",
        address=server.url if server else None,
        lines=_server(found, status),
        badge=BADGES.get(server.state) if server else None,
    )


def _render_program(
    key: str,
    title: str,
    *,
    address: str | None,
    lines: Iterable[str],
    badge: tuple[str, str, Color] | None = None,
) -> None:
    with st.container(border=True, key=f"status_{key}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(title, anchor=False, width="content")
            if badge:
                text, icon, color = badge
                st.badge(text, icon=icon, color=color)
        with st.container(key=f"status_address_{key}"):
            st.text(address or NOT_TOLD)
        with st.container(key=f"status_lines_{key}", gap="xxsmall"):
            for line in lines:
                st.text(line)


def _api(status: Status | None) -> list[str]:
    if status is None:
        return [f"Version: {NOT_TOLD}"]
    packages = status.packages
    parts = [f"SmolChat {status.version}", f"FastAPI {packages.get('fastapi', NOT_TOLD)}"]
    return [
        " · ".join([*parts, f"Python {status.python}"]),
        f"Runs since {_moment(status.started_at)}, on {status.platform}",
        f"Requests at the model server: {status.running}, waiting for it: {status.waiting}",
    ]


def _server(found: ServiceStatus, status: Status | None) -> list[str]:
    if found.health is None:
        return [f"Name, version: {NOT_TOLD}", f"Context: {NOT_MEASURED}"]
    told = status.model_server if status else None
    size = told.context_size if told else None
    context = NOT_MEASURED if size is None else f"{size:,} tokens"
    return [
        *([found.health.model_server.message] if found.is_ready else []),  # else it is above
        f"{told.name}, version {NOT_TOLD}" if told and told.name else f"Name, version: {NOT_TOLD}",
        f"Context for {found.health.model}: {context}",
    ]


def render_store(store: StoreStatus) -> None:
    """Say where conversations are kept, and how many."""
    if store.problem:
        st.warning(sanitize_markdown(store.problem), icon=":material/info:")
    with st.container(horizontal=True, key="status_store"):
        st.metric("Conversations", _count(store.conversations))
        st.metric("Messages", _count(store.messages))
        st.metric("Size", format_bytes(store.bytes))
    kind = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(store.kind, store.kind)
    with st.container(key="status_address_store"):
        st.text(f"{kind} · {store.place}")


def format_bytes(count: int | None) -> str:
    """Write a number of bytes for people."""
    if count is None:
        return NOT_MEASURED
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{count:,} bytes" if unit == "bytes" else f"{amount:,.1f} {unit}"


def render_settings(status: Status | None, settings: Settings) -> None:
    """List what is in effect, folded."""
    if status:
        _render_table("Settings of the API", "api_settings", status.settings)
    _render_table("Settings of this page", "page_settings", settings.in_effect())
    if status:
        _render_table("Packages of the API", "packages", status.packages)


def _render_table(title: str, key: str, values: Mapping[str, Any]) -> None:
    with st.expander(title, icon=":material/tune:", key=f"status_{key}"):
        rows = [
            {"Name": as_code(name), "Value": as_code(_written(values[name]))} for name in values
        ]
        st.table(rows, border="horizontal", hide_index=True, alt=title)


def as_code(text: str) -> str:
    """Show a value as it is, on one line."""
    words = " ".join(text.split()).replace("`", "'")
    return sanitize_markdown(f"`{words or 'none'}`")


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _count(number: int | None) -> str:
    return NOT_MEASURED if number is None else f"{number:,}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(local_timezone()):%Y-%m-%d %H:%M}"
