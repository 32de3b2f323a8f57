"""The parameter panel and its presets: what is shown is what is sent, whichever message is faster.

A script run of AppTest is one message of a browser, with the values that the test has set: an
older one is a message whose sender had not yet received what the page set.
"""

from typing import Any

import httpx
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.support.fake_model_server import FakeModelServer
from tests.support.streamlit_app import open_page

TEMPERATURE, RECEIVED = "parameter_temperature", "parameter_received"


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    page = open_page(api_url, monkeypatch)
    page.number_input(key=TEMPERATURE).set_value(0.7).run()
    return page


def choose(page: AppTest, preset: str) -> AppTest:
    return page.button_group(key="preset").set_value(preset).run()


def set_older(page: AppTest, received: str | None, **values: Any) -> None:
    """Set what a browser sends that has received only so much."""
    page.text_input(key=RECEIVED).set_value(received)
    page.button_group(key="preset").set_value(values.pop("preset", None))
    for name, value in {"temperature": 0.7, "top_p": None, **values}.items():
        page.number_input(key=f"parameter_{name}").set_value(value)


def shown(page: AppTest) -> tuple[Any, Any, Any]:
    temperature, top_p = (
        page.number_input(key=f"parameter_{name}").value for name in ("temperature", "top_p")
    )
    return temperature, top_p, page.button_group(key="preset").value


def sent(page: AppTest, model_server: FakeModelServer, question: str = "Hello") -> tuple[Any, Any]:
    page.chat_input[0].set_value(question).run()
    assert not page.exception
    body = model_server.chat_requests[-1].body
    return body["temperature"], body["top_p"]


def test_older_message_does_not_undo_a_preset(page: AppTest, model_server: FakeModelServer) -> None:
    received = page.text_input(key=RECEIVED).value
    choose(page, "Precise")
    set_older(page, received, preset="Precise")  # such as from a part that refreshes itself
    assert shown(page.run()) == (0.2, 0.9, "Precise")
    set_older(page, received, preset="Precise")
    assert sent(page, model_server) == (0.2, 0.9)
    assert shown(page) == (0.2, 0.9, "Precise")


def test_value_typed_before_the_preset_arrived_is_kept(
    page: AppTest, model_server: FakeModelServer
) -> None:
    received = page.text_input(key=RECEIVED).value
    choose(page, "Precise")
    set_older(page, received, preset="Precise", temperature=0.55)
    assert shown(page.run()) == (0.55, 0.9, "Precise")
    set_older(page, received, preset="Precise", temperature=0.55)
    assert sent(page, model_server) == (0.55, 0.9)


def test_older_message_does_not_choose_a_preset_again(
    page: AppTest, model_server: FakeModelServer
) -> None:
    choose(page, "Precise")
    received = page.text_input(key=RECEIVED).value
    page.number_input(key=TEMPERATURE).set_value(0.5).run()
    set_older(page, received, preset="Precise", temperature=0.5, top_p=0.9)
    assert sent(page, model_server) == (0.5, 0.9)
    assert shown(page) == (0.5, 0.9, "Precise")


def test_preset_stays_selected_and_is_marked_while_fields_differ(page: AppTest) -> None:
    choose(page, "Precise")
    assert page.button_group(key="preset").label == "Preset"
    page.number_input(key=TEMPERATURE).set_value(0.5).run()
    assert (shown(page), page.button_group(key="preset").label) == (
        (0.5, 0.9, "Precise"),
        "Preset ●",
    )
    page.switch_page("app_pages/structured.py").run()
    page.switch_page("app_pages/chat.py").run()
    assert shown(page) == (0.5, 0.9, "Precise")
    page.button_group(key="preset").set_value(None).run()  # a click on the selected one
    assert shown(page) == (0.2, 0.9, "Precise")
    page.button(key="parameter_dice").click().run()
    page.button(key="parameter_reset").click().run()
    assert shown(page) == (None, None, "Balanced")


def test_older_message_with_a_click_does_not_undo_the_page_either(page: AppTest) -> None:
    received = page.text_input(key=RECEIVED).value
    choose(page, "Precise")
    set_older(page, received, preset="Precise")
    page.button(key="parameter_dice").click().run()
    assert shown(page) == (0.2, 0.9, "Precise")


def test_preset_applies_to_a_question_in_the_same_message(
    page: AppTest, model_server: FakeModelServer
) -> None:
    page.button_group(key="preset").set_value("Precise")
    assert sent(page, model_server) == (0.2, 0.9)


def test_reset_applies_to_a_question_in_the_same_message(
    page: AppTest, model_server: FakeModelServer
) -> None:
    page.number_input(key="parameter_min_p").set_value(0.3).run()
    page.chat_input[0].set_value("Hello")
    page.button(key="parameter_reset").click().run()
    assert "min_p" not in model_server.chat_requests[-1].body
    assert shown(page) == (None, None, "Balanced")


def test_preset_chosen_in_an_older_message_is_applied(
    page: AppTest, model_server: FakeModelServer
) -> None:
    received = page.text_input(key=RECEIVED).value
    choose(page, "Creative")
    set_older(page, received, preset="Precise")
    assert sent(page, model_server) == (0.2, 0.9)


def test_preset_holds_values_that_no_field_can_show(
    page: AppTest, api_url: str, model_server: FakeModelServer
) -> None:
    parameters = {"temperature": 0.123456, "stop": "END", "seed": 2**63 - 1, "other": {"a": [1]}}
    httpx.put(f"{api_url}/presets/mine", json={"parameters": parameters})
    choose(open_again(page), "mine")
    assert page.button_group(key="preset").value == "mine"
    assert page.text_input(key="parameter_seed").value == str(2**63 - 1)
    page.chat_input[0].set_value("Hello").run()
    body = model_server.chat_requests[-1].body
    assert (body["temperature"], body["stop"], body["other"]) == (0.123456, ["END"], {"a": [1]})


def open_again(page: AppTest) -> AppTest:
    """Let the page load the presets again."""
    st.cache_resource.clear()
    return page.run()


def test_preset_that_another_tab_deleted_is_reported(page: AppTest, api_url: str) -> None:
    httpx.put(f"{api_url}/presets/[x](y)", json={"parameters": {"temperature": 1.5}})
    open_again(page)
    httpx.delete(f"{api_url}/presets/[x](y)")
    choose(page, "[x](y)")
    assert page.error[0].value == r"The preset \[x\](y) has been deleted."
    assert shown(page) == (0.7, None, None)


def test_preset_that_another_tab_changed_is_applied_as_it_is_now(
    page: AppTest, api_url: str
) -> None:
    httpx.put(f"{api_url}/presets/mine", json={"parameters": {"temperature": 1.5}})
    open_again(page)
    httpx.put(f"{api_url}/presets/mine", json={"parameters": {"temperature": 0.4}})
    assert shown(choose(page, "mine")) == (0.4, None, "mine")


@pytest.mark.parametrize("seed", ["0", "-1", str(2**53 + 1), str(2**63 - 1)])
def test_seed_is_sent_with_all_its_digits(page: AppTest, seed: str, api_url: str) -> None:
    page.text_input(key="parameter_seed").set_value(f" {seed} ").run()
    assert not page.error
    page.text_input(key="preset_name").set_value("mine")
    page.button(key="preset_save").click().run()
    [preset] = httpx.get(f"{api_url}/presets").json()["data"]
    assert preset["parameters"]["seed"] == int(seed)


@pytest.mark.parametrize("seed", ["-2", "1.5", "x", str(2**63), "9" * 30, "\uff11"])
def test_invalid_seed_is_reported_and_not_sent(
    page: AppTest, seed: str, model_server: FakeModelServer
) -> None:
    page.text_input(key="parameter_seed").set_value(seed).run()
    assert "The seed is not sent" in page.error[0].value
    page.chat_input[0].set_value("Hello").run()
    assert str(model_server.chat_requests[-1].body["seed"]) != seed
