"""The React page by keyboard alone: the focus is where the next action is expected."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import needs_chromium
from tests.support.fake_model_server import stream_reply
from tests.support.structured_responses import grammar_probe_reply, json_reply
from tests.support.tool_replies import call_reply
from tests.support.web_page import WebStack, open_web_page, running_web_stack

pytestmark = needs_chromium

MAX_TABS = 40
SENTIMENT = {"label": "positive", "score": 0.9, "reason": "warm soup"}
# Return True if the focus is at a control with a name that begins with a text.
HAS_FOCUS = """name => {
  const element = document.activeElement;
  const label = element.ariaLabel ?? element.labels?.[0]?.innerText ?? element.innerText;
  return element.matches("a, button, input, textarea, summary, [role=menuitem]")
    && label.trim().startsWith(name);
}"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("data")) as stack:
        yield stack


@pytest.fixture
def page(stack: WebStack, browser: Browser) -> Iterator[Page]:
    stack.model.replies.clear()
    with open_web_page(browser, stack.url) as page:
        expect(page.get_by_label("Message", exact=True)).to_be_focused()
        yield page


def tab_to(page: Page, name: str, *, key: str = "Tab") -> None:
    """Press a key until an element with the name has the focus."""
    for _ in range(MAX_TABS):
        page.keyboard.press(key)
        if page.evaluate(HAS_FOCUS, name):
            return
    raise AssertionError(f"{name} is not reached by {key}.")


def press(page: Page, name: str, *, key: str = "Tab") -> None:
    tab_to(page, name, key=key)
    page.keyboard.press("Enter")


def go_to(page: Page, command: str) -> None:
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type(command)
    expect(page.get_by_role("option").first).to_contain_text(command, ignore_case=True)
    page.keyboard.press("Enter")


def write(page: Page, text: str) -> None:
    """Send a message from the field, which keeps the focus."""
    field = page.get_by_label("Message", exact=True)
    expect(field).to_be_focused()
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/c/*")
    expect(field).to_be_focused()


def test_chat_and_comparison(stack: WebStack, page: Page) -> None:
    stack.model.replies += [stream_reply([text]) for text in ("Hi", "One", "Other")]
    write(page, "Hello")
    expect(page.get_by_role("button", name="Regenerate")).to_have_count(1)
    press(page, "Parameters", key="Shift+Tab")
    expect(page.get_by_role("button", name="Close parameters")).to_be_focused()
    expect(page.get_by_role("radio", name="1")).to_be_checked()
    tab_to(page, "1")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="2")).to_be_checked()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Parameters")).to_be_focused()
    tab_to(page, "Message")
    write(page, "Compare")
    expect(page.get_by_role("button", name="Use this one")).to_have_count(1)
    press(page, "Use this one", key="Shift+Tab")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()


def test_json_is_extracted(stack: WebStack, page: Page) -> None:
    go_to(page, "structured")
    page.wait_for_url("**/app/structured")
    tab_to(page, "Prompt")
    page.keyboard.press("Control+a")
    page.keyboard.type("The soup was warm.")
    stack.model.replies += [grammar_probe_reply(), json_reply(SENTIMENT)]
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("figure", name="Output", exact=True)).to_contain_text("warm soup")
    expect(page.get_by_label("Prompt", exact=True)).to_be_focused()


def test_file_is_asked(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "clock.txt"
    file.write_text("Ida Marsh wound the town clock every morning.")
    go_to(page, "files")
    page.wait_for_url("**/app/files")
    with page.expect_file_chooser() as chooser:
        press(page, "Upload")
    chooser.value.set_files(file)
    expect(page.get_by_role("main").get_by_text("Ready", exact=True)).to_be_visible()
    press(page, "Actions of clock")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    tab_to(page, "Ask in a chat", key="ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/c/*")
    write(page, "Who wound the town clock?")
    expect(page.get_by_role("button", name="Citation 1.").first).to_be_visible()
    press(page, "Citation 1.", key="Shift+Tab")
    expect(page.get_by_role("dialog").locator("mark")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Citation 1.").first).to_be_focused()


def test_tool_is_used(stack: WebStack, page: Page) -> None:
    press(page, "Use a tool", key="Shift+Tab")
    stack.model.replies += [
        call_reply(("current_date_and_time", {"time_zone": "Asia/Tokyo"})),
        stream_reply(["Done."]),
    ]
    write(page, "")
    expect(page.get_by_role("log")).to_contain_text("Done.")
    tab_to(page, "current_date_and_time", key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("UTC+09:00")
