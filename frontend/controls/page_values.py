"""Fields that the page itself changes, such as by a preset.

Each message of a browser has the values of all fields. One that was sent before the browser got
what the page has set would change it back, and what a person sees would not be what is sent: the
page refreshes parts of itself, and people type fast. So a hidden field counts the changes that a
browser has received. In an older message only those values count that its browser can only have
from a person: neither those that it showed, nor those that were on their way to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

RECEIVED_KEY = "parameter_received"
_STATE_KEY = "parameter_page_values"
_MAX_CHANGES = 20  # that a browser may not have received yet

state = st.session_state


@dataclass
class _PageValues:
    """The values that the page has set, by key.

    For browsers that have received only so many changes, `shown` has what their last message had in
    each field, and `coming` what the page has set since: nobody need have typed these.
    """

    change: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    shown: dict[int, dict[str, Any]] = field(default_factory=dict)
    coming: dict[int, dict[str, list[Any]]] = field(default_factory=dict)

    def add_coming(self, values: Mapping[str, Any]) -> None:
        for fields in self.coming.values():
            for key, value in values.items():
                fields.setdefault(key, []).append(value)


def set_values(values: Mapping[str, Any]) -> None:
    """Set fields by their keys. Only in callbacks, or before the fields are rendered.

    Streamlit may end a callback at any use of its session state: until then, nothing has changed,
    and after that `restore_values` sets what is missing.
    """
    page = _page_values()
    shown = {key: current_value(key) for key in {**page.values, **values}}
    page.shown[page.change], page.coming[page.change] = shown, {}
    page.add_coming(values)
    page.values = shown | dict(values)
    page.change += 1
    for changes in (page.shown, page.coming):
        changes.pop(page.change - _MAX_CHANGES, None)
    # Only what differs: Streamlit sends to the browser whatever is set.
    state.update({key: value for key, value in page.values.items() if value != state.get(key)})
    state.update(values)
    state[RECEIVED_KEY] = str(page.change)


def current_value(key: str) -> Any:
    """Return the value of a field, or None: what was typed last, or what the page set later."""
    page, value, received = _page_values(), state.get(key), _received_change()
    if received not in page.shown:
        return value
    shown = page.shown[received]
    is_typed = key not in shown or value != shown[key]
    if is_typed and value not in page.coming[received].get(key, []):
        shown[key] = page.values[key] = value
    return page.values[key]


def restore_values() -> None:
    """Undo what an older message has changed back. Call it before the fields are rendered."""
    page, received = _page_values(), _received_change()
    if received < page.change:
        values = {key: current_value(key) for key in page.values}
        shown, coming = page.shown.get(received, {}), page.coming.get(received, {})
        # Also if the browser has this value: another one may be on its way.
        is_sent = {key: key in coming or shown.get(key) != value for key, value in values.items()}
        set_values({key: value for key, value in values.items() if is_sent[key]})


def render_hidden_field() -> None:
    """Render the field by which the browser tells what it has received. app.css hides it."""
    with st.container(key="parameter_hidden"):
        st.text_input("Received", key=RECEIVED_KEY, persist_state="session")


def _received_change() -> int:
    """Return how many changes the browser had received when it sent its last message."""
    change, received = _page_values().change, state.get(RECEIVED_KEY)
    if received is None:  # no browser has the field yet
        return change
    return min(int(received), change) if received.isdecimal() else 0


def _page_values() -> _PageValues:
    page: _PageValues = state.setdefault(_STATE_KEY, _PageValues())
    return page
