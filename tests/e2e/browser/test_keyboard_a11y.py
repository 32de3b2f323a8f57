"""Accessibility of the chat: Tab order, visible focus, keys, and screen reader announcements."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser import INPUT, send_message
from tests.support.browser import (
    Stack,
    answer_text,
    message_texts,
    needs_chromium,
    open_page,
    wait_until,
    wait_until_answered,
)
from tests.support.fake_model_server import EVENTS, Reply, chunk, stream_reply

pytestmark = needs_chromium

# The focus indicator may be on an ancestor of the focused element. Styles are compared at once, so
# transitions must be off.
HELPERS = """
const focusStyle = (element) => {
  const styles = [];
  for (let node = element; node && styles.length < 4; node = node.parentElement) {
    const style = getComputedStyle(node);
    styles.push([style.outlineStyle, style.boxShadow, style.borderColor].join());
  }
  return styles.join(" | ");
};
const controls = () => [...document.querySelectorAll(
  "button, input, textarea, select, summary, a[href], [tabindex='0']"
)].filter((control) => !control.disabled && control.tabIndex >= 0 && control.checkVisibility({
  visibilityProperty: true, opacityProperty: true }));
"""
RECORD_STYLES = f"""() => {{
  {HELPERS}
  document.activeElement.blur();
  window.unfocused = new Map(controls().map((control) => [control, focusStyle(control)]));
  window.reached = new Set();
}}"""
NEXT_FOCUS = f"""() => {{
  {HELPERS}
  const active = document.activeElement;
  const isRepeated = window.reached.has(active);
  window.reached.add(active);
  return active === document.body ? null : {{
    isRepeated,
    html: active.outerHTML.slice(0, 200),
    isVisible: window.unfocused.get(active) !== focusStyle(active),
  }};
}}"""
# One radio button of a group is reached by Tab, the others by the arrow keys.
UNREACHED = f"""() => {{
  {HELPERS}
  const groupOf = (control) => control.closest("[role=radiogroup]");
  const groups = new Set([...window.reached].map(groupOf));
  return controls()
    .filter((control) => !window.reached.has(control))
    .filter((control) => !groups.has(groupOf(control) ?? 0))
    .map((control) => control.outerHTML.slice(0, 200));
}}"""
RECORD_ANNOUNCEMENTS = """() => {
  window.announcements = [];
  const region = document.querySelector("[role=status].smolchat-live-region");
  new MutationObserver(() => window.announcements.push(region.textContent)).observe(region,
    { childList: true, characterData: true, subtree: true });
}"""


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    stack.model.requests.clear()
    stack.model.replies.clear()
    with open_page(browser, stack.url) as page:
        yield page


def tab_through(page: Page) -> list[dict[str, Any]]:
    """Press Tab once around the page and return the focused elements in order."""
    elements: list[dict[str, Any]] = []
    for _ in range(100):
        page.keyboard.press("Tab")
        focused = page.evaluate(NEXT_FOCUS)
        if focused is None:  # between the last element and the first
            continue
        if focused["isRepeated"]:
            return elements
        name = page.locator(":focus").aria_snapshot().partition("\n")[0]
        elements.append(focused | {"name": name})
    raise AssertionError("Tab does not return to the first element")


def tab_to(page: Page, selector: str) -> None:
    for _ in range(100):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.closest(selector) !== null", selector):
            return
    raise AssertionError(f"Tab does not reach {selector}")


def test_tab_reaches_every_control_with_a_visible_focus(page: Page, stack: Stack) -> None:
    stack.model.replies.append(stream_reply(["Red."]))
    send_message(page, "A colour?")
    wait_until_answered(page)
    page.wait_for_selector("[class*=st-key-chat_open_now_] button")
    page.add_style_tag(content="* { transition: none !important; }")
    page.evaluate(RECORD_STYLES)
    elements = tab_through(page)
    assert page.evaluate(UNREACHED) == []
    assert [element["html"] for element in elements if not element["isVisible"]] == []
    names = [element["name"] for element in elements]
    # - role "name", or role: text for an expander; the scrollable main needs no name
    nameless = [name for name in names if not ('"' in name or ": " in name)]
    assert nameless == ["- main:"]
    for label in (
        "New chat",
        "Model",
        "Search chats",
        "Chat options",
        "Edit",
        "More",
        "Regenerate",
    ):
        assert f'"{label}"' in " ".join(names)


def test_enter_sends_and_shift_enter_inserts_a_newline(page: Page, stack: Stack) -> None:
    page.focus(INPUT)
    page.keyboard.type("First line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Second line")
    assert stack.model.chat_requests == []
    page.keyboard.press("Enter")
    wait_until_answered(page)
    assert message_texts(page)[0] == "First line\nSecond line"
    assert stack.model.chat_requests[0].body["messages"][-1]["content"] == "First line\nSecond line"


def test_end_of_an_answer_does_not_steal_the_focus(page: Page, stack: Stack) -> None:
    stack.model.replies.append(stream_reply(["Red."] * 20, interval_seconds=0.1))
    send_message(page, "A colour?")
    page.wait_for_selector(".st-key-chat_stop button")
    page.click(".st-key-chat_search input")
    page.keyboard.type("searching for something long", delay=100)
    wait_until_answered(page)
    assert page.locator(".st-key-chat_search input").input_value() == "searching for something long"
    assert page.locator(INPUT).input_value() == ""
    page.click(INPUT)
    page.keyboard.type("And another?")
    assert page.locator(INPUT).input_value() == "And another?"


def test_message_menu_works_by_keyboard(page: Page, stack: Stack) -> None:
    stack.model.replies.append(stream_reply(["**Red**"]))
    send_message(page, "A colour?")
    wait_until_answered(page)
    tab_to(page, "[data-testid=stMenuButton]")
    tab_to(page, "[data-testid=stMenuButton]")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=menu]:focus-within")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("[role=menuitem]:focus")
    while "Generation stats" not in page.locator("[role=menuitem]:focus").inner_text():
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=dialog] table")
    page.keyboard.press("Escape")
    page.wait_for_selector("[role=dialog]", state="detached")


def test_message_is_copied_by_keyboard(page: Page, stack: Stack) -> None:
    stack.model.replies.append(stream_reply(["**Red**"]))
    send_message(page, "A colour?")
    wait_until_answered(page)
    page.evaluate("navigator.clipboard.writeText = async (text) => (window.copied = text)")
    for _ in range(2):
        tab_to(page, ".copy-message")
    page.keyboard.press("Enter")
    page.wait_for_selector(".copy-message >> text=Copied")
    assert page.evaluate("window.copied") == "**Red**"


@pytest.mark.parametrize("key_code", [13, 229])
def test_enter_that_ends_a_composition_does_not_send(
    key_code: int, page: Page, stack: Stack
) -> None:
    # Other browsers set isComposing; Safari ends the composition before this key.
    stack.model.replies.append(stream_reply(["Yes"]))
    page.fill(INPUT, "にほん")
    page.evaluate(
        """([selector, keyCode]) => document.querySelector(selector).dispatchEvent(
          new KeyboardEvent("keydown", {
            key: "Enter", code: "Enter", keyCode, isComposing: keyCode === 13, bubbles: true,
          }))""",
        [INPUT, key_code],
    )
    page.wait_for_timeout(300)
    assert page.input_value(INPUT) == "にほん"
    page.press(INPUT, "Enter")
    wait_until_answered(page)
    assert message_texts(page) == ["にほん", "Yes"]


def test_escape_stops_an_answer_and_keeps_its_text(page: Page, stack: Stack) -> None:
    reply = Reply(headers=EVENTS, chunks=[chunk({"content": "Once"})], end="hang")
    stack.model.replies.append(reply)
    send_message(page, "A story?")
    wait_until(lambda: answer_text(page) == "Once", page)
    page.keyboard.press("Escape")
    assert stack.model.chat_requests[0].disconnected.wait(15)
    wait_until_answered(page)
    assert message_texts(page) == ["A story?", "Once"]


def test_screen_reader_announces_the_start_and_the_answer(page: Page, stack: Stack) -> None:
    page.wait_for_selector(".smolchat-live-region", state="attached")
    page.evaluate(RECORD_ANNOUNCEMENTS)
    stack.model.replies.append(stream_reply(["Red ", "**and** ", "blue."], interval_seconds=0.3))
    send_message(page, "Which colours?")
    wait_until_answered(page)
    wait_until(lambda: len(page.evaluate("window.announcements")) > 1, page)
    expected = ["Generating a response.", "Response: Red and blue."]
    assert page.evaluate("window.announcements") == expected
