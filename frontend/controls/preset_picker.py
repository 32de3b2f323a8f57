"""The choice of a preset: ours, and those that a person has kept under a name."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from api.errors import ApiError
from components.service_status import api
from controls import parameter_panel
from sanitize.markdown_inline import escape

KEY, NAME = "preset", "preset_name"
MAX_NAME = 60
_PROBLEM = "preset_problem"
# What is not set is the model server's own: SmolLM2 was tuned for a low temperature.
BUILT_IN_PRESETS: Mapping[str, dict[str, Any]] = {
    "Precise": {"temperature": 0.2, "top_p": 0.9},
    "Balanced": {},
    "Creative": {"temperature": 1.1, "min_p": 0.05},
}

state = st.session_state


@st.cache_resource(show_spinner=False, ttl=3.0)
def saved_presets() -> dict[str, dict[str, Any]]:
    """Give the presets that were kept; none while they cannot be had."""
    try:
        return {preset.name: preset.parameters for preset in api().presets()}
    except ApiError:
        return {}


def preset_choice() -> None:
    """Draw the choice; marked is the preset that the parameters are now, if they are one."""
    known = {**saved_presets(), **BUILT_IN_PRESETS}
    chosen = parameter_panel.selected_parameters()
    state[KEY] = next((name for name, values in known.items() if values == chosen), None)
    names = [*BUILT_IN_PRESETS, *(name for name in known if name not in BUILT_IN_PRESETS)]
    st.pills("Preset", names, format_func=escape, key=KEY, on_change=_apply, args=[known])
    if chosen and state[KEY] is None:
        _render_save_form()
    elif state[KEY] and state[KEY] not in BUILT_IN_PRESETS:
        st.button(
            "Forget this preset",
            icon=":material/delete:",
            key="preset_forget",
            type="tertiary",
            on_click=_delete,
            args=[state[KEY]],
        )
    if problem := state.pop(_PROBLEM, ""):
        st.error(problem, icon=":material/error:")


def _render_save_form() -> None:
    with st.popover("Keep as a preset", icon=":material/bookmark_add:", type="tertiary"):
        st.text_input("Name", key=NAME, max_chars=MAX_NAME)
        st.button("Keep", key="preset_keep", type="primary", on_click=_save)


def _apply(known: Mapping[str, dict[str, Any]]) -> None:
    if (name := state[KEY]) in known:
        parameter_panel.set_parameters(known[name])


def _save() -> None:
    name = (state.get(NAME) or "").strip()
    if not name or name in BUILT_IN_PRESETS:
        state[_PROBLEM] = "Give it a name of its own."
        return
    try:
        api().put_preset(name, parameter_panel.selected_parameters())
    except ApiError as error:
        state[_PROBLEM] = error.message
    saved_presets.clear()


def _delete(name: str) -> None:
    try:
        api().delete_preset(name)
    except ApiError as error:
        state[_PROBLEM] = error.message
    saved_presets.clear()
