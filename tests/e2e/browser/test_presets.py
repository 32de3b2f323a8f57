"""Presets and fields that are changed fast: the value that a person sees is the value sent."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser import send_message
from tests.support.browser import (
    Stack,
    needs_chromium,
    open_page,
    wait_until,
    wait_until_answered,
)
from tests.support.fake_model_server import stream_reply

pytestmark = needs_chromium

TEMPERATURE = ".st-key-parameter_temperature input"


@pytest.fixture(scope="module")
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    with open_page(browser, stack.url) as page:
        page.click(".st-key-parameter_panel summary")
        yield page


def choose(page: Page, preset: str) -> None:
    page.click(f".st-key-preset button:has-text('{preset}')")


def type_temperature(page: Page, value: str) -> None:
    page.fill(TEMPERATURE, value)  # not sent before the field loses the focus


def typed_then_preset(page: Page) -> None:
    type_temperature(page, "0.7")
    choose(page, "Creative")


def preset_then_typed(page: Page) -> None:
    choose(page, "Precise")
    type_temperature(page, "0.55")


def presets_in_quick_succession(page: Page) -> None:
    for preset in ("Precise", "Creative", "Balanced", "Precise", "Creative"):
        choose(page, preset)


def reset_then_typed(page: Page) -> None:
    page.click(".st-key-parameter_reset button")
    type_temperature(page, "0.55")


def typed_then_random_seed(page: Page) -> None:
    type_temperature(page, "0.123")
    page.click(".st-key-parameter_dice button")


@pytest.mark.parametrize(
    ("act", "temperature"),
    [
        (typed_then_preset, "1.1"),
        (preset_then_typed, "0.55"),
        (reset_then_typed, "0.55"),
        (presets_in_quick_succession, "1.1"),
        (typed_then_random_seed, "0.123"),
    ],
)
def test_last_choice_is_shown_and_sent(
    act: Callable[[Page], None], temperature: str, page: Page, stack: Stack
) -> None:
    stack.model.requests.clear()
    stack.model.replies.append(stream_reply(["Yes."]))
    act(page)
    send_message(page, "Hello")
    wait_until(lambda: bool(stack.model.chat_requests), page)
    wait_until_answered(page)
    assert str(stack.model.chat_requests[-1].body["temperature"]) == temperature
    page.wait_for_selector(f"{TEMPERATURE}[value='{temperature}']")
    assert f"temperature {temperature}" in page.inner_text(".st-key-parameter_sent")


def test_preset_is_saved_as_it_is_shown(page: Page) -> None:
    type_temperature(page, "0.1234")
    page.click("button:has-text('Save preset')")
    page.fill(".st-key-preset_name input", "mine")
    page.click(".st-key-preset_save button")
    page.wait_for_selector(".st-key-preset [aria-checked=true]:has-text('mine')")
    assert page.input_value(TEMPERATURE) == "0.1234"
    choose(page, "Precise")
    page.wait_for_selector(f"{TEMPERATURE}[value='0.2']")
    choose(page, "mine")
    page.wait_for_selector(f"{TEMPERATURE}[value='0.1234']")
