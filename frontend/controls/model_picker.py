"""Which model is asked: one choice for all pages."""

import streamlit as st

from api.client import Model
from components.service_status import ServiceStatus, service_status
from sanitize.markdown_blocks import sanitize_markdown

KEY = "model_choice"
_IDS, _WANTED, _LAST = "model_choice_ids", "model_choice_wanted", "model_choice_last"


def selected_model() -> str | None:
    """Give the model that was chosen; none leaves the choice to the API."""
    state = st.session_state
    model: str | None = state.get(_WANTED) or state.get(KEY)
    return model


def select_model(model: str | None) -> None:
    """Choose a model; one that is known not to be there leaves the choice as it was."""
    if model:
        st.session_state[_WANTED] = model
        if model not in st.session_state.get(_IDS, []):
            service_status.clear()  # it may be newer than the last look


def model_picker(found: ServiceStatus) -> None:
    ids = _model_options(found)
    model = st.selectbox(
        "Model",
        ids,
        key=KEY,
        placeholder="None found",
        disabled=not ids,
        on_change=_keep,
        persist_state="session",
    )
    st.session_state[_LAST] = model
    if known := {model.id: describe_model(model) for model in found.models}.get(model or ""):
        st.caption(sanitize_markdown(known))
    else:
        st.empty()  # what follows would move, and be seen twice


def _keep() -> None:
    st.session_state[_LAST] = st.session_state[KEY]
    st.session_state.pop(_WANTED, None)  # chosen by hand since


def describe_model(model: Model) -> str:
    """Say in one line what is known of a model."""
    known = model.smolchat
    found = [f"{known.parameters} parameters"] if known.parameters else []
    found += [fact for fact in (known.size, known.quantization) if fact]
    if known.context_window:
        found.append(f"context {known.context_window:,}")
    return " · ".join(found)


def _model_options(found: ServiceStatus) -> list[str]:
    """List the models, the API's own choice first, and choose what is to be chosen of them.

    What was known stays while nothing answers.
    """
    state = st.session_state
    if found.health and (found.models or not state.get(_IDS)):
        listed = [found.health.model, *(model.id for model in found.models)]
        state[_IDS] = list(dict.fromkeys(listed))
    ids: list[str] = state.setdefault(_IDS, [])
    # Streamlit forgets on the next page what was not chosen by hand.
    wanted, last = state.pop(_WANTED, None), state.get(_LAST)
    if wanted and not found.models and wanted not in ids:  # it may be there
        ids.append(wanted)
    if here := next((model for model in (wanted, last) if model in ids), None):
        state[KEY] = here
    return ids
