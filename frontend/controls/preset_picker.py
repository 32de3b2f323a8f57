"""The preset picker: built-in presets and saved ones."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from api.errors import ApiError
from components.service_status import api
from controls import parameter_panel
from sanitize.markdown_inline import escape

KEY, NAME_KEY = "preset", "preset_name"
MAX_NAME_CHARACTERS = 60
_ERROR_KEY = "preset_error"
# Balanced keeps the model server's defaults: SmolLM2 was tuned for a low temperature.
BUILT_IN_PRESETS: Mapping[str, dict[str, Any]] = {
    "Precise": {"temperature": 0.2, "top_p": 0.9},
    "Balanced": {},
    "Creative": {"temperature": 1.1, "min_p": 0.05},
}

state = st.session_state


@st.cache_resource(show_spinner=False, ttl=3.0)
def saved_presets() -> dict[str, dict[str, Any]]:
    """Return the saved presets; none while the API is unreachable."""
    try:
        return {preset.name: preset.parameters for preset in api().presets()}
    except ApiError:
        return {}


def preset_picker() -> None:
    """Render the presets, with the one that matches the current parameters selected."""
    presets = {**saved_presets(), **BUILT_IN_PRESETS}
    current = parameter_panel.selected_parameters()
    state[KEY] = next((name for name, values in presets.items() if values == current), None)
    names = [*BUILT_IN_PRESETS, *(name for name in presets if name not in BUILT_IN_PRESETS)]
    st.pills("Preset", names, format_func=escape, key=KEY, on_change=_apply, args=[presets])
    if current and state[KEY] is None:
        _render_save_form()
    elif state[KEY] and state[KEY] not in BUILT_IN_PRESETS:
        st.button(
            "Delete preset",
            icon=":material/delete:",
            key="preset_delete",
            type="tertiary",
            on_click=_delete,
            args=[state[KEY]],
        )
    if error := state.pop(_ERROR_KEY, ""):
        st.error(error, icon=":material/error:")


def _render_save_form() -> None:
    with st.popover("Save preset", icon=":material/bookmark_add:", type="tertiary"):
        st.text_input("Name", key=NAME_KEY, max_chars=MAX_NAME_CHARACTERS)
        st.button("Save", key="preset_save", type="primary", on_click=_save)


def _apply(presets: Mapping[str, dict[str, Any]]) -> None:
    if (name := state[KEY]) in presets:
        parameter_panel.set_parameters(presets[name])


def _save() -> None:
    name = (state.get(NAME_KEY) or "").strip()
    if not name or name in BUILT_IN_PRESETS:
        state[_ERROR_KEY] = f"Enter a name other than {', '.join(BUILT_IN_PRESETS)}."
        return
    try:
        api().put_preset(name, parameter_panel.selected_parameters())
    except ApiError as error:
        state[_ERROR_KEY] = error.message
    saved_presets.clear()


def _delete(name: str) -> None:
    try:
        api().delete_preset(name)
    except ApiError as error:
        state[_ERROR_KEY] = error.message
    saved_presets.clear()
