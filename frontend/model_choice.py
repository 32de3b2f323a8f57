"""Which model is asked: one choice for all pages."""

import streamlit as st

from api_client import Model
from safe_markdown import safe_markdown
from service import Service

KEY = "model_choice"
_IDS = "model_choice_ids"


def chosen() -> str | None:
    """Give the model that was chosen; none leaves the choice to the API."""
    model: str | None = st.session_state.get(KEY)
    return model


def choose(model: str | None) -> None:
    """Choose a model, if it is one that can be asked."""
    if model in st.session_state.get(_IDS, []):
        st.session_state[KEY] = model


def model_choice(found: Service) -> None:
    ids = _ids(found)
    model = st.selectbox(
        "Model",
        ids,
        key=KEY,
        placeholder="None found",
        disabled=not ids,
        persist_state="session",
    )
    if known := {model.id: about(model) for model in found.models}.get(model or ""):
        st.caption(safe_markdown(known))


def about(model: Model) -> str:
    """Say in one line what is known of a model."""
    known = model.smolchat
    found = [f"{known.parameters} parameters"] if known.parameters else []
    found += [known.quantization] if known.quantization else []
    if known.context_window:
        found.append(f"context {known.context_window:,}")
    return " · ".join(found)


def _ids(found: Service) -> list[str]:
    """List the models, the API's own choice first; what was known stays while nothing answers."""
    state = st.session_state
    if found.health and (found.models or not state.get(_IDS)):
        listed = [found.health.model, *(model.id for model in found.models)]
        state[_IDS] = list(dict.fromkeys(listed))
    return list(state.get(_IDS, []))
