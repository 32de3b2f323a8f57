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
from controls.parameter_panel import PRESET_KEY as KEY
from controls.parameter_panel import SELECTED_PRESET_KEY
from controls.parameter_panel import parameters_sent as sent
from sanitize.plain_text import message_text, plain_text

NAME_KEY = "preset_name"
MAX_NAME_CHARACTERS = 60
WAIT_SECONDS = 1.0  # for a saved preset; presets.js holds back what is typed meanwhile
_ERROR_KEY = "preset_error"
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
    """Render the presets. The last one chosen is selected; its label tells if fields differ."""
    apply_clicks()
    if KEY not in state:  # another page was open
        state[KEY] = current_value(SELECTED_PRESET_KEY)
    presets = {**saved_presets().get(), **BUILT_IN_PRESETS}
    current = parameter_panel.chat_parameters()
    selected = _selected_preset(presets, current)
    is_changed = bool(current) if selected is None else sent(presets[selected]) != current
    names = sorted(presets, key=lambda name: name not in BUILT_IN_PRESETS)
    st.pills(
        "Preset ●" if is_changed else "Preset",
        names,
        format_func=plain_text,
        key=KEY,
        on_change=apply_clicks,
        persist_state="session",
    )
    if is_changed:
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


def _selected_preset(presets: Mapping[str, Any], current: Mapping[str, Any]) -> str | None:
    """Return the preset chosen last, or one that matches the parameters, and select it.

    A preset stays selected while fields are changed: if the page deselected it, a preset that is
    clicked meanwhile could be deselected, too.
    """
    selected: str | None = current_value(SELECTED_PRESET_KEY)
    if selected in presets:
        return selected
    matching = next((name for name in presets if sent(presets[name]) == current), None)
    if matching != selected or matching != current_value(KEY):
        set_values({KEY: matching, SELECTED_PRESET_KEY: matching})
    return matching


def apply_clicks() -> None:
    """Fill the fields with a preset that has been chosen since the last run, or reset them.

    Call it before parameters are read in a callback: which callback runs first is not known.
    """
    if state.get(parameter_panel.RESET_KEY):
        parameter_panel.reset_parameters()
        return
    chosen, selected = current_value(KEY), current_value(SELECTED_PRESET_KEY)
    if chosen == selected or KEY not in state:  # not rendered yet
        return
    name = chosen or selected  # a click on the selected one applies it again
    if (values := BUILT_IN_PRESETS.get(name)) is None:
        # Another tab may have changed it.
        presets = saved_presets().get(max_age_seconds=0, wait_seconds=WAIT_SECONDS)
        values = presets.get(name)
    if values is None:
        state[_ERROR_KEY] = f"The preset {name} has been deleted."
        set_values({KEY: None, SELECTED_PRESET_KEY: None})
        return
    # A chosen one is selected already: to select it again could undo the next click.
    selection = {SELECTED_PRESET_KEY: name} | ({} if chosen else {KEY: name})
    set_values(parameter_panel.field_values(values) | selection)


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
        preset = api().put_preset(name, parameter_panel.chat_parameters())
        saved_presets().set(saved_presets().get() | {name: preset.parameters})
        set_values({KEY: name, SELECTED_PRESET_KEY: name})
    except ApiError as error:
        state[_ERROR_KEY] = error.message


def _delete(name: str) -> None:
    try:
        api().delete_preset(name)
        others = {key: value for key, value in saved_presets().get().items() if key != name}
        saved_presets().set(others)
    except ApiError as error:
        state[_ERROR_KEY] = error.message
