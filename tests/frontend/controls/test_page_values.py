"""Values of messages that a browser sent before it received what the page has set."""

from typing import Any

import pytest

from controls import page_values
from controls.page_values import RECEIVED_KEY, current_value, restore_values, set_values


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    state: dict[str, Any] = {RECEIVED_KEY: "0", "preset": None, "temperature": None}
    monkeypatch.setattr(page_values, "state", state)
    set_values({"preset": None, "temperature": None})
    return state


def receive(state: dict[str, Any], change: int, **values: Any) -> dict[str, Any]:
    """Apply a message of a browser that has received so many changes."""
    state.update(values, **{RECEIVED_KEY: str(change)})
    current = {key: current_value(key) for key in values}
    restore_values()
    return current


def test_unchanged_field_of_an_older_message_has_the_value_set_since(state: dict[str, Any]) -> None:
    set_values({"temperature": 0.2})
    assert receive(state, 1, temperature=None) == {"temperature": 0.2}
    assert state["temperature"] == 0.2


def test_typed_value_of_an_older_message_counts(state: dict[str, Any]) -> None:
    set_values({"temperature": 0.2})
    assert receive(state, 1, temperature=0.7) == {"temperature": 0.7}


@pytest.mark.parametrize(
    "chosen", [("a", "b", "a"), ("a", "b", "c", "a"), ("a", "b", "a", "b", "a"), ("a", "a", "b")]
)
def test_value_that_a_person_chooses_again_counts(
    chosen: tuple[str, ...], state: dict[str, Any]
) -> None:
    for number, value in enumerate(chosen):
        assert receive(state, 1, preset=value, temperature=None)["preset"] == value
        set_values({"temperature": number / 10})  # the browser receives none of these
    assert current_value("preset") == chosen[-1]
    assert current_value("temperature") == (len(chosen) - 1) / 10


def test_value_on_its_way_to_the_browser_is_not_a_typed_one(state: dict[str, Any]) -> None:
    set_values({"temperature": 0.2})
    set_values({"temperature": 0.9})
    assert receive(state, 1, temperature=0.2) == {"temperature": 0.9}
    assert receive(state, 1, temperature=0.9) == {"temperature": 0.9}
