"""Tools in Chromium: a step that is approved with edited arguments, and steps on a phone."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import IDLE, send_message
from tests.support.browser import (
    LOW_CONTRAST_TEXTS,
    Stack,
    import_chat,
    needs_chromium,
    open_page,
    running_stack,
    wait_until_answered,
)
from tests.support.fake_model_server import stream_reply
from tests.support.tool_replies import call_reply

pytestmark = needs_chromium

SUM = ("calculator", {"expression": "12 * 7"})
STEP = "[data-testid=stChatMessage] details"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("data")) as stack:
        yield stack


def switch_on(page: Page, tool: str) -> None:
    page.click(".st-key-tool_panel summary")
    page.locator(f".st-key-parameter_tool_{tool} label").first.click()
    expect(page.locator(".st-key-tool_summary")).to_contain_text(tool)
    page.wait_for_selector(IDLE)


def test_step_is_approved_with_edited_arguments(stack: Stack, browser: Browser) -> None:
    httpx.patch(f"{stack.api_url}/tools/calculator", json={"approval": "ask"}).raise_for_status()
    with open_page(browser, stack.url) as page:
        switch_on(page, "calculator")
        stack.model.replies.append(call_reply(SUM, text="Let me see."))
        send_message(page, "12 * 7?")
        page.get_by_role("button", name="Allow once").wait_for()
        page.reload()
        page.get_by_role("button", name="Allow once").wait_for()
        page.wait_for_selector(IDLE)
        editor = page.get_by_label("Arguments (JSON)")
        editor.fill('{"expression": 12}')
        editor.blur()
        expect(page.get_by_role("button", name="Allow once")).to_be_disabled()
        editor.fill('{"expression": "12 * 8"}')
        editor.blur()
        expect(page.get_by_role("button", name="Allow once")).to_be_enabled()
        stack.model.replies.append(stream_reply(["It is ", "96."], interval_seconds=0.3))
        page.get_by_role("button", name="Allow once").click()
        wait_until_answered(page)
        expect(page.locator("[data-testid=stChatMessage]")).to_have_count(2)
        expect(page.locator("[data-testid=stChatMessage]").last).to_contain_text("It is 96.")
        assert page.locator(STEP).get_attribute("open") is None
        page.locator(f"{STEP} summary").click()
        expect(page.locator(f"{STEP} .stCode").last).to_contain_text("12 * 8 = 96")


def test_step_with_long_texts_fits_a_phone(stack: Stack, browser: Browser) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "a" * 64, "arguments": "{}"}}
    step = {"id": "c", "tool": "a" * 64, "arguments": {"b" * 300: "c" * 3000}, "state": "failed"}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "state": "finished", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "step": step | {"error": "d" * 3000}},
        {"role": "assistant", "state": "finished", "content": "No."},
    ]
    with open_page(browser, import_chat(stack, messages), width=390, height=844) as page:
        expect(page.locator(f"{STEP} .stCode").last).to_contain_text("ddd")
        widths = page.evaluate(
            "[document.documentElement.scrollWidth, ...[...document.querySelectorAll("
            "'[data-testid=stChatMessage], [data-testid=stChatMessage] details')]"
            ".map(element => element.getBoundingClientRect().right)]"
        )
        assert max(widths) <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_steps_and_tools_have_enough_contrast(stack: Stack, browser: Browser, scheme: str) -> None:
    states = ("finished", "failed", "denied", "interrupted", "awaiting_approval")
    calls = [
        {"id": state, "type": "function", "function": {"name": "calculator", "arguments": "{}"}}
        for state in states
    ]
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "state": "finished", "content": "Yes.", "tool_calls": calls},
    ]
    for state in states:
        step: dict[str, Any] = {
            "id": state,
            "tool": "calculator",
            "arguments": {"expression": "1 + 1"},
        }
        step |= {"state": state, "strategy": "native", "milliseconds": 1.5}
        step |= {"error": "It failed."} if state == "failed" else {"result": "2"}
        messages.append({"role": "tool", "tool_call_id": state, "step": step})
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(import_chat(stack, messages))
    page.get_by_role("button", name="Allow once").wait_for()
    page.wait_for_selector(IDLE)
    page.evaluate(f"document.querySelectorAll('{STEP}').forEach(step => step.open = true)")
    page.wait_for_timeout(500)  # until transitions have ended
    assert page.locator(f"{STEP}[open]").count() == len(states)
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []
    page.click("[data-testid=stTopNavLink]:has-text('Tools')")
    page.wait_for_selector("text=calculator")
    page.wait_for_selector(IDLE)
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []
    page.close()
