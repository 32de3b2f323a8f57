"""The preset picker: built-in presets and saved ones."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import streamlit as st

from api.errors import ApiError
from components.background_value import BackgroundValue
from components.service_status import api
from controls import parameter_panel
from controls.page_values import current_value, set_values
from sanitize.plain_text import message_text, plain_text

KEY, NAME_KEY = "preset", "preset_name"
MAX_NAME_CHARACTERS = 60
WAIT_SECONDS = 1.0  # for a saved preset; presets.js holds back what is typed meanwhile
_ERROR_KEY, _SELECTED_KEY = "preset_error", "preset_selected"
# Balanced keeps the defaults that suit the model.
BUILT_IN_PRESETS: Mapping[str, dict[str, Any]] = {
    "Precise": {"temperature": 0.2, "top_p": 0.9},
    "Balanced": {},
    "Creative": {"temperature": 1.1, "min_p": 0.05},
}
state = st.session_state


@st.cache_resource(show_spinner=False)
def saved_presets() -> BackgroundValue[dict[str, dict[str, Any]]]:
    """Return the saved presets by name. They stay while the API is unreachable."""
    client, by_name = api(), dict[str, dict[str, Any]]()

    def load() -> dict[str, dict[str, Any]]:
        nonlocal by_name
        with suppress(ApiError):
            by_name = {preset.name: preset.parameters for preset in client.presets()}
        return by_name

    return BackgroundValue(load)


def preset_picker() -> None:
    """Render the presets, with the one that matches the current parameters selected."""
    apply_chosen_preset()
    presets = {**saved_presets().get(), **BUILT_IN_PRESETS}
    current = parameter_panel.selected_parameters()
    to_sent = parameter_panel.parameters_sent
    selected = next((name for name in presets if to_sent(presets[name]) == current), None)
    if selected != current_value(KEY) or selected != current_value(_SELECTED_KEY):
        set_values({KEY: selected, _SELECTED_KEY: selected})
    names = sorted(presets, key=lambda name: name not in BUILT_IN_PRESETS)
    st.pills("Preset", names, format_func=plain_text, key=KEY, on_change=apply_chosen_preset)
    if current and selected is None:
        _render_save_form()
    elif selected and selected not in BUILT_IN_PRESETS:
        st.button(
            "Delete preset",
            icon=":material/delete:",
            key="preset_delete",
            type="tertiary",
            on_click=_delete,
            args=[selected],
        )
    if error := state.pop(_ERROR_KEY, ""):
        st.error(message_text(error), icon=":material/error:")


def apply_chosen_preset() -> None:
    """Fill the fields with the preset that has been chosen since the last run, if any.

    Call it before parameters are read in a callback: which callback runs first is not known.
    Streamlit may end a callback at any use of the session state, so all is set at once.
    """
    name = current_value(KEY)
    if name is None or name == current_value(_SELECTED_KEY):
        return
    if (values := BUILT_IN_PRESETS.get(name)) is None:
        # Another tab may have changed it.
        presets = saved_presets().get(max_age_seconds=0, wait_seconds=WAIT_SECONDS)
        values = presets.get(name)
    if values is None:
        state[_ERROR_KEY] = f"The preset {name} has been deleted."
        set_values({KEY: None})
    else:
        set_values(parameter_panel.field_values(values) | {_SELECTED_KEY: name})


def _render_save_form() -> None:
    with st.popover("Save preset", icon=":material/bookmark_add:", type="tertiary"):
        st.text_input("Name", key=NAME_KEY, max_chars=MAX_NAME_CHARACTERS)
        st.button("Save", key="preset_save", type="primary", on_click=_save)


def _save() -> None:
    name = (state.get(NAME_KEY) or "").strip()
    if not name or name in BUILT_IN_PRESETS:
        state[_ERROR_KEY] = f"Enter a name other than {', '.join(BUILT_IN_PRESETS)}."
        return
    try:
        preset = api().put_preset(name, parameter_panel.selected_parameters())
        saved_presets().set(saved_presets().get() | {name: preset.parameters})
    except ApiError as error:
        state[_ERROR_KEY] = error.message


def _delete(name: str) -> None:
    try:
        api().delete_preset(name)
        others = {key: value for key, value in saved_presets().get().items() if key != name}
        saved_presets().set(others)
    except ApiError as error:
        state[_ERROR_KEY] = error.message
