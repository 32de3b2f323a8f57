"""Services, storage and configuration on the Status page."""

import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

import streamlit as st

from api.status import Status, StoreStatus
from components.callouts import browser_timezone
from components.service_status import BADGES, Color, ServiceStatus
from receipts.receipt_text import NOT_MEASURED
from sanitize.plain_text import code_span, message_text
from settings import Settings
from version import VERSION

UNKNOWN = "unknown"
_NAME_UNKNOWN = f"Name and version: {UNKNOWN}"
_ONLINE: tuple[str, str, Color] = ("Online", ":material/check_circle:", "green")


def local_timezone() -> tzinfo:
    """Return the browser's time zone, or UTC if unknown."""
    return browser_timezone() or UTC


def render_services(service: ServiceStatus, status: Status | None, settings: Settings) -> None:
    """Render the page, the API and the model server, in the order of a request."""
    page_details = [f"SmolChat {VERSION} · Python {platform.python_version()}"]
    _render_service("page", "This page", address=st.context.url, details=page_details)
    server = service.health.model_server if service.health else None
    _render_service(
        "api",
        "API",
        address=settings.api_base_url,
        details=_api_details(status),
        badge=_ONLINE if server else BADGES["api_down"],
    )
    _render_service(
        "server",
        "Model server",
        address=server.url if server else None,
        details=_server_details(service, status),
        badge=BADGES.get(server.state) if server else None,
    )


def _render_service(
    key: str,
    title: str,
    *,
    address: str | None,
    details: Iterable[str],
    badge: tuple[str, str, Color] | None = None,
) -> None:
    with st.container(border=True, key=f"status_{key}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(title, anchor=False, width="content")
            if badge:
                text, icon, color = badge
                st.badge(text, icon=icon, color=color)
        with st.container(key=f"status_address_{key}"):
            st.text(address or UNKNOWN)
        with st.container(key=f"status_lines_{key}", gap="xxsmall"):
            for detail in details:
                st.text(detail)


def _api_details(status: Status | None) -> list[str]:
    if status is None:
        return [f"Version: {UNKNOWN}"]
    packages = status.packages
    parts = [f"SmolChat {status.version}", f"FastAPI {packages.get('fastapi', UNKNOWN)}"]
    return [
        " · ".join([*parts, f"Python {status.python}"]),
        f"Up since {_format_time(status.started_at)} on {status.platform}",
        f"Active {status.running:,}, queued {status.waiting:,}",
    ]


def _server_details(service: ServiceStatus, status: Status | None) -> list[str]:
    if service.health is None:
        return [_NAME_UNKNOWN, f"Context size: {UNKNOWN}"]
    server = status.model_server if status else None
    size = server.context_size if server else None
    context_size = UNKNOWN if size is None else f"{size:,} tokens"
    return [
        # If it is not ready, the callout at the top shows the message.
        *([service.health.model_server.message] if service.is_ready else []),
        f"{server.name}, version {UNKNOWN}" if server and server.name else _NAME_UNKNOWN,
        f"Context size of {service.health.model}: {context_size}",
    ]


def render_store(store: StoreStatus) -> None:
    """Render where conversations are stored, and how many."""
    if store.problem:
        st.warning(message_text(store.problem), icon=":material/info:")
    with st.container(horizontal=True, key="status_store"):
        st.metric("Conversations", _count(store.conversations))
        st.metric("Messages", _count(store.messages))
        st.metric("Size", format_bytes(store.bytes))
    kind = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(store.kind, store.kind)
    with st.container(key="status_address_store"):
        st.text(f"{kind} · {store.place}")


def format_bytes(count: int | None) -> str:
    """Format a number of bytes with a unit."""
    if count is None:
        return NOT_MEASURED
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{count:,} bytes" if unit == "bytes" else f"{amount:,.1f} {unit}"


def render_settings(status: Status | None, settings: Settings) -> None:
    """Render the settings in effect and the installed packages, collapsed."""
    if status:
        _render_table("API settings", "api_settings", status.settings)
    _render_table("Page settings", "page_settings", settings.effective_values())
    if status:
        _render_table("API packages", "packages", status.packages)


def _render_table(title: str, key: str, values: Mapping[str, Any]) -> None:
    with st.expander(title, icon=":material/tune:", key=f"status_{key}"):
        rows = [
            {"Name": code_span(name), "Value": code_span(_format_value(values[name]) or "none")}
            for name in values
        ]
        st.table(rows, border="horizontal", hide_index=True, alt=title)


def _format_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _count(number: int | None) -> str:
    return NOT_MEASURED if number is None else f"{number:,}"


def _format_time(time: datetime) -> str:
    return f"{time.astimezone(local_timezone()):%Y-%m-%d %H:%M}"
