"""The chat without a mouse, and without eyes: Tab, keys, and what a screen reader is told."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser import INPUT, ask
from tests.support.browser import (
    Stack,
    answer_text,
    answered,
    needs_chromium,
    opened,
    said,
    wait_until,
)
from tests.support.fake_model_server import EVENTS, Reply, chunk, stream_of

pytestmark = needs_chromium

# What shows where the focus is may be drawn around what is focused. Nothing fades in: the looks
# are compared at once.
LOOKS = """
const looks = (element) => {
  const found = [];
  for (let around = element; around && found.length < 4; around = around.parentElement) {
    const style = getComputedStyle(around);
    found.push([style.outlineStyle, style.boxShadow, style.borderColor].join());
  }
  return found.join(" | ");
};
const controls = () => [...document.querySelectorAll(
  "button, input, textarea, select, summary, a[href], [tabindex='0']"
)].filter((one) => !one.disabled && one.tabIndex >= 0 && one.checkVisibility({
  visibilityProperty: true, opacityProperty: true }));
"""
REMEMBER = f"""() => {{
  {LOOKS}
  document.activeElement.blur();
  window.unfocused = new Map(controls().map((one) => [one, looks(one)]));
  window.reached = new Set();
}}"""
FOCUSED = f"""() => {{
  {LOOKS}
  const here = document.activeElement;
  const isKnown = window.reached.has(here);
  window.reached.add(here);
  return here === document.body ? null : {{
    isKnown,
    what: here.outerHTML.slice(0, 200),
    isSeen: window.unfocused.get(here) !== looks(here),
  }};
}}"""
# One of a group of choices is reached by Tab, the others by the arrow keys.
MISSED = f"""() => {{
  {LOOKS}
  const groups = new Set([...window.reached].map((one) => one.closest("[role=radiogroup]")));
  return controls()
    .filter((one) => !window.reached.has(one) && !groups.has(one.closest("[role=radiogroup]") ?? 0))
    .map((one) => one.outerHTML.slice(0, 200));
}}"""
SPOKEN = """() => {
  window.spoken = [];
  const said = document.querySelector("[role=status].smolchat-said");
  new MutationObserver(() => window.spoken.push(said.textContent)).observe(said,
    { childList: true, characterData: true, subtree: true });
}"""


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    stack.model.requests.clear()
    stack.model.replies.clear()
    with opened(browser, stack.url) as page:
        yield page


def tab_through(page: Page) -> list[dict[str, Any]]:
    """Press Tab once around the page, from wherever that begins; give what was focused, in turn."""
    found: list[dict[str, Any]] = []
    for _ in range(100):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:  # between the last and the first
            continue
        if focused["isKnown"]:
            return found
        name = page.locator(":focus").aria_snapshot().partition("\n")[0]
        found.append(focused | {"name": name})
    raise AssertionError("Tab does not come back to where it began")


def tab_to(page: Page, selector: str) -> None:
    for _ in range(100):
        page.keyboard.press("Tab")
        if page.evaluate("where => document.activeElement.closest(where) !== null", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def test_tab_leads_to_everything_and_shows_where_it_is(page: Page, stack: Stack) -> None:
    stack.model.replies.append(stream_of(["Red."]))
    ask(page, "A colour?")
    answered(page)
    page.wait_for_selector("[class*=st-key-chat_open_now_] button")
    page.add_style_tag(content="* { transition: none !important; }")
    page.evaluate(REMEMBER)
    walked = tab_through(page)
    assert page.evaluate(MISSED) == []
    assert [one["what"] for one in walked if not one["isSeen"]] == []
    # - role "name", or the text within, which is the name of what unfolds; the thread needs none
    nameless = [one for one in walked if not ('"' in one["name"] or ": " in one["name"])]
    assert [one["name"] for one in nameless] == ["- main:"]
    names = " ".join(one["name"] for one in walked)
    for name in ("New chat", "Model", "Search chats", "This chat", "Edit", "More", "Regenerate"):
        assert f'"{name}"' in names


def test_enter_sends_and_shift_enter_breaks_the_line(page: Page, stack: Stack) -> None:
    page.focus(INPUT)
    page.keyboard.type("First line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Second line")
    assert stack.model.chats == []
    page.keyboard.press("Enter")
    answered(page)
    assert said(page)[0] == "First line\nSecond line"
    assert stack.model.chats[0].body["messages"][-1]["content"] == "First line\nSecond line"


def test_the_end_of_an_answer_takes_the_keyboard_from_nobody(page: Page, stack: Stack) -> None:
    stack.model.replies.append(stream_of(["Red."] * 20, gap_seconds=0.1))
    ask(page, "A colour?")
    page.wait_for_selector(".st-key-chat_stop button")
    page.click(".st-key-chat_search input")
    page.keyboard.type("searching for something long", delay=100)
    answered(page)
    assert page.locator(".st-key-chat_search input").input_value() == "searching for something long"
    assert page.locator(INPUT).input_value() == ""
    page.click(INPUT)
    page.keyboard.type("And another?")
    assert page.locator(INPUT).input_value() == "And another?"


def test_a_menu_is_opened_and_used_by_keys(page: Page, stack: Stack) -> None:
    stack.model.replies.append(stream_of(["**Red**"]))
    ask(page, "A colour?")
    answered(page)
    tab_to(page, "[data-testid=stMenuButton]")
    tab_to(page, "[data-testid=stMenuButton]")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=menu]:focus-within")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("[role=menuitem]:focus")
    while "Copy" not in page.locator("[role=menuitem]:focus").inner_text():
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=dialog] code")
    assert "**Red**" in page.inner_text("[role=dialog]")
    page.keyboard.press("Escape")
    page.wait_for_selector("[role=dialog]", state="detached")


def test_escape_stops_an_answer_and_keeps_what_is_there(page: Page, stack: Stack) -> None:
    once = Reply(headers=EVENTS, pieces=[chunk({"content": "Once"})], end="hang")
    stack.model.replies.append(once)
    ask(page, "A story?")
    wait_until(lambda: answer_text(page) == "Once", page)
    page.keyboard.press("Escape")
    assert stack.model.chats[0].left.wait(15)
    answered(page)
    assert said(page) == ["A story?", "Once"]


def test_a_screen_reader_is_told_of_the_beginning_and_then_the_answer(
    page: Page, stack: Stack
) -> None:
    page.wait_for_selector(".smolchat-said", state="attached")
    page.evaluate(SPOKEN)
    stack.model.replies.append(stream_of(["Red ", "**and** ", "blue."], gap_seconds=0.3))
    ask(page, "Which colours?")
    answered(page)
    wait_until(lambda: len(page.evaluate("window.spoken")) > 1, page)
    told = ["The model is answering.", "The answer: Red and blue."]
    assert page.evaluate("window.spoken") == told
