"""The model picker, shared by all pages."""

from typing import Any

import streamlit as st

from api.client import Model
from components.service_status import ServiceStatus, service_status
from controls.model_defaults import model_defaults
from sanitize.plain_text import plain_text

KEY = "model_choice"
_OPTIONS_KEY, _REQUESTED_KEY = "model_choice_options", "model_choice_requested"
_LAST_KEY, _SERVER_NAME_KEY = "model_choice_last", "model_server_name"


def selected_model() -> str | None:
    """Return the selected model, or None for the API's default."""
    state = st.session_state
    model: str | None = state.get(_REQUESTED_KEY) or state.get(KEY)
    return model


def default_parameters(model: str | None) -> dict[str, Any]:
    """Return the parameters that suit `model` at the model server that was last seen."""
    return model_defaults(model, server_name=st.session_state.get(_SERVER_NAME_KEY))


def select_model(model: str | None) -> None:
    """Request a model for the next run. It is ignored if the server does not offer it."""
    if model:
        st.session_state[_REQUESTED_KEY] = model
        if model not in st.session_state.get(_OPTIONS_KEY, []):
            service_status.clear()  # it may be newer than the cached list


def model_picker(status: ServiceStatus) -> None:
    if status.health:
        st.session_state[_SERVER_NAME_KEY] = status.health.model_server.name
    ids = _model_options(status)
    model = st.selectbox(
        "Model",
        ids,
        key=KEY,
        placeholder="No models found",
        disabled=not ids,
        on_change=_on_change,
        persist_state="session",
    )
    st.session_state[_LAST_KEY] = model
    descriptions = {item.id: describe_model(item) for item in status.models}
    if description := descriptions.get(model or ""):
        st.caption(plain_text(description))
    else:
        st.empty()  # keeps the position of later elements, which would otherwise show twice


def _on_change() -> None:
    st.session_state[_LAST_KEY] = st.session_state[KEY]
    st.session_state.pop(_REQUESTED_KEY, None)


def describe_model(model: Model) -> str:
    """Format the details of a model as one line."""
    details = model.smolchat
    parts = [f"{details.parameters} parameters"] if details.parameters else []
    parts += [part for part in (details.size, details.quantization) if part]
    if details.context_window:
        parts.append(f"context {details.context_window:,}")
    if "image" in (details.input or ()):
        parts.append("images")
    return " · ".join(parts)


def _model_options(status: ServiceStatus) -> list[str]:
    """List the model ids, the API's default first, and restore the selection.

    The last known list stays while the API is unreachable.
    """
    state = st.session_state
    if status.health and (status.models or not state.get(_OPTIONS_KEY)):
        available = [status.health.model, *(model.id for model in status.models)]
        state[_OPTIONS_KEY] = list(dict.fromkeys(available))
    ids: list[str] = state.setdefault(_OPTIONS_KEY, [])
    # Streamlit drops a selection that was set by code when the page changes.
    requested, last = state.pop(_REQUESTED_KEY, None), state.get(_LAST_KEY)
    if requested and not status.models and requested not in ids:  # the list may be incomplete
        ids.append(requested)
    if selected := next((model for model in (requested, last) if model in ids), None):
        state[KEY] = selected
    return ids
