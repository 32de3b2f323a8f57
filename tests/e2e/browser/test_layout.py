"""Layout and scrolling of the chat: on a phone, in a long chat, and while an answer streams."""

from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.browser import send_message
from tests.support.browser import (
    SCROLLER,
    Stack,
    answer_text,
    import_chat,
    long_chat,
    needs_chromium,
    open_page,
    wait_until,
    wait_until_answered,
)
from tests.support.fake_model_server import EVENTS, Reply, chunk

pytestmark = needs_chromium

# Elements that overflow the page, a dialog or a popover horizontally.
OVERFLOWING = """() => [
  document.documentElement, ...document.querySelectorAll(
    ".stMain, [role=dialog], [data-testid=stPopoverBody]")
].filter((element) => element.scrollWidth > element.clientWidth + 1
  || element.getBoundingClientRect().right > innerWidth + 1
).map((element) =>
  `${element.scrollWidth} > ${element.clientWidth} ${element.outerHTML.slice(0, 120)}`)"""
WINDOWS = [(1280, 860), (1280, 600), (1280, 400), (844, 390), (390, 660), (390, 560), (320, 568)]
# Records whether there was a stop button when the first word of the answer appeared.
RECORD_STOP_BUTTON = """() => {
  const observer = new MutationObserver(() => {
    if (!document.querySelector(".stMain").textContent.includes("Firstword")) return;
    window.couldStop = document.querySelector(".st-key-chat_stop button") !== null;
    observer.disconnect();
  });
  observer.observe(document, { subtree: true, childList: true, characterData: true });
}"""


def test_nothing_overflows_on_a_phone(stack: Stack, browser: Browser) -> None:
    code = f"```python\n{'y' * 200} = {'z' * 200}\n```"
    table = "| " + " | ".join(["column" * 5] * 8) + " |\n" + "|---" * 8 + "|\n" + "| cell " * 8
    token = {"token": "t" * 120, "logprob": -0.5, "top_logprobs": []}
    receipt = {"model": "m" * 200, "total_ms": 1.5, "finish_reason": "r" * 100, "seed": 7}
    wide: dict[str, Any] = {"content": f"{'x' * 200}\n\n{code}\n\n{table}", "state": "finished"}
    wide |= {"role": "assistant", "logprobs": [token], "receipt": receipt, "model": "m" * 200}
    failed = {"role": "assistant", "state": "failed", "error": {"message": "e" * 300}}
    messages = [
        {"role": "user", "content": "w" * 200},
        {"role": "assistant", "content": "Other", "state": "finished", "parent": "0"},
        wide | {"parent": "0"},
        {"role": "user", "content": "And?"},
        failed,
    ]
    with open_page(browser, import_chat(stack, messages), width=390) as page:
        page.wait_for_selector(".st-key-chat_retry button")
        assert page.locator("[class*=st-key-chat_step_earlier_]").count() == 1
        expect(page.locator("[data-testid=stChatMessage] :is(table, pre)")).to_have_count(2)
        assert page.evaluate(OVERFLOWING) == []
        for choice in ("Generation stats", "Token probabilities"):
            page.locator("[data-testid=stMenuButton] button").nth(1).click()
            page.click(f"[role=menuitem]:has-text('{choice}')")
            page.wait_for_selector("[role=dialog] :is(table, .tokens)")
            assert page.evaluate(OVERFLOWING) == []
            page.keyboard.press("Escape")
            page.wait_for_selector("[role=dialog]", state="detached")
        page.click(".st-key-chat_menu button")
        page.wait_for_selector(".st-key-chat_rename button")
        assert page.evaluate(OVERFLOWING) == []


def test_stop_button_is_rendered_before_the_first_word_in_a_long_chat(
    stack: Stack, browser: Browser
) -> None:
    reply = Reply(headers=EVENTS, chunks=[chunk({"content": "Firstword"})], end="hang")
    stack.model.requests.clear()
    stack.model.replies.append(reply)
    with open_page(browser, import_chat(stack, long_chat(40))) as page:
        page.wait_for_selector("text=Stored 39")
        page.evaluate(RECORD_STOP_BUTTON)
        send_message(page, "And now?")
        wait_until(lambda: page.evaluate("window.couldStop !== undefined"), page)
        assert page.evaluate("window.couldStop")
        page.click(".st-key-chat_new button")
        page.wait_for_selector(".st-key-chat_starters button")
        page.evaluate(f"delete window.couldStop; ({RECORD_STOP_BUTTON})()")
        page.click(".st-key-chat_list button")  # the word is already there
        wait_until(lambda: page.evaluate("window.couldStop !== undefined"), page)
        page.keyboard.press("Escape")
        assert stack.model.chat_requests[0].disconnected.wait(15)
        wait_until_answered(page)
        assert page.evaluate("window.couldStop")
        assert answer_text(page) == "Firstword"


def test_empty_chat_fits_the_window(stack: Stack, browser: Browser) -> None:
    with open_page(browser, stack.url) as page:
        page.wait_for_selector(".st-key-chat_starters button")
        for width, height in WINDOWS:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(400)  # until the sidebar has closed
            title = page.locator(".st-key-chat_welcome h1").bounding_box()
            starter = page.locator(".st-key-chat_starters button").last.bounding_box()
            bottom = page.locator("[data-testid=stBottom]").bounding_box()
            assert title
            assert starter
            assert bottom
            assert title["y"] > 40  # below the header
            assert starter["y"] + starter["height"] <= bottom["y"]
            assert bottom["y"] + bottom["height"] <= height
            assert page.evaluate(f"{SCROLLER}.scrollTop") == 0


@pytest.mark.parametrize(("width", "stays_open"), [(390, False), (1280, True)])
def test_sidebar_closes_after_a_choice_on_a_phone(
    width: int, stays_open: bool, stack: Stack, browser: Browser
) -> None:
    import_chat(stack, long_chat(2))
    with open_page(browser, stack.url, width=width) as page:
        for choice in ("[class*=st-key-chat_open_] button", ".st-key-chat_new button"):
            if not stays_open:
                page.click("[data-testid=stExpandSidebarButton]")
            page.locator(choice).first.click()
            selector = ".st-key-chat_starters" if "new" in choice else "text=Stored 1"
            page.wait_for_selector(selector)
            page.wait_for_timeout(500)  # for the sidebar to slide away
            sidebar = page.locator("[data-testid=stSidebar]").bounding_box()
            assert sidebar
            assert (sidebar["x"] + sidebar["width"] > 0) == stays_open
            page.click("[data-testid=stChatInputTextArea]", timeout=3000)


@pytest.mark.parametrize("chat", ["unknown", "a/../b", "%00"])
def test_unknown_address_offers_a_new_chat(chat: str, stack: Stack, browser: Browser) -> None:
    with open_page(browser, f"{stack.url}/?chat={quote(chat)}") as page:
        page.wait_for_selector("[data-testid=stAlert]")
        assert "not found" in page.locator("[data-testid=stAlert]").inner_text()
        assert page.url.rstrip("/") == stack.url
        page.locator(".stMain").get_by_role("button", name="New chat").click()
        page.wait_for_selector(".st-key-chat_starters")
        assert page.locator("[data-testid=stAlert]").count() == 0
