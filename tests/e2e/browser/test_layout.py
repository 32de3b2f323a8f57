"""Layout and scrolling of the chat: on a phone, in a long chat, and while an answer streams."""

from typing import Any

import httpx
from playwright.sync_api import Browser

from benchmarks.browser import send_message
from tests.support.browser import (
    PIXELS_BELOW,
    SCROLLER,
    Stack,
    answer_text,
    needs_chromium,
    open_page,
    wait_until,
    wait_until_answered,
)
from tests.support.fake_model_server import EVENTS, Reply, chunk, stream_reply

pytestmark = needs_chromium

# Elements that overflow the page, a dialog or a popover horizontally.
OVERFLOWING = """() => [
  document.documentElement, ...document.querySelectorAll(
    ".stMain, [role=dialog], [data-testid=stPopoverBody]")
].filter((element) => element.scrollWidth > element.clientWidth + 1
  || element.getBoundingClientRect().right > innerWidth + 1
).map((element) =>
  `${element.scrollWidth} > ${element.clientWidth} ${element.outerHTML.slice(0, 120)}`)"""
# Records whether there was a stop button when the first word of the answer appeared.
RECORD_STOP_BUTTON = """() => {
  const observer = new MutationObserver(() => {
    if (!document.querySelector(".stMain").textContent.includes("Firstword")) return;
    window.couldStop = document.querySelector(".st-key-chat_stop button") !== null;
    observer.disconnect();
  });
  observer.observe(document, { subtree: true, childList: true, characterData: true });
}"""
# Records the lowest opacity of any stored message over all frames.
RECORD_OPACITY = """() => {
  window.lowestOpacity = 1;
  const messages = "[class*=st-key-chat_user_], [class*=st-key-chat_answer_]";
  const texts = [...document.querySelectorAll(messages)].map((message) =>
    message.querySelector("[data-testid=stMarkdown]")
      ?? message.querySelector("[data-testid=stText]"));
  window.textCount = texts.length;
  const record = () => {
    for (const text of texts.filter((text) => text.isConnected)) {
      let opacity = 1;
      for (let element = text; element; element = element.parentElement)
        opacity *= parseFloat(getComputedStyle(element).opacity);
      window.lowestOpacity = Math.min(window.lowestOpacity, opacity);
    }
    requestAnimationFrame(record);
  };
  record();
}"""


def import_chat(stack: Stack, messages: list[dict[str, Any]]) -> str:
    """Import a conversation and return its URL; messages without a parent follow one another."""
    for number, message in enumerate(messages):
        message["id"] = str(number)
        message.setdefault("parent", str(number - 1) if number else None)
    chat = {"title": "t" * 200, "messages": messages, "current": messages[-1]["id"]}
    export = {"format": "smolchat", "version": 1, "conversations": [chat]}
    [summary] = httpx.post(f"{stack.api_url}/conversations/import", json=export).json()["data"]
    return f"{stack.url}/?chat={summary['id']}"


def long_chat(count: int) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [
        {"role": roles[number % 2], "content": f"Stored {number} " + "word " * 80}
        | ({"state": "finished"} if number % 2 else {})
        for number in range(count)
    ]


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
        assert page.locator("[data-testid=stChatMessage] :is(table, pre)").count() == 2
        assert page.evaluate(OVERFLOWING) == []
        for choice in ("Generation stats", "Token probabilities", "Copy"):
            page.locator("[data-testid=stMenuButton] button").nth(1).click()
            page.click(f"[role=menuitem]:has-text('{choice}')")
            page.wait_for_selector("[role=dialog] :is(table, .tokens, pre)")
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


def test_page_follows_an_answer_unless_the_reader_scrolled_up(
    stack: Stack, browser: Browser
) -> None:
    stack.model.replies.append(
        stream_reply([f"Line{number}\n\n" for number in range(70)], interval_seconds=0.08)
    )
    with open_page(browser, import_chat(stack, long_chat(8))) as page:
        page.wait_for_selector("text=Stored 7")
        page.evaluate(RECORD_OPACITY)
        assert page.evaluate("window.textCount") == 8
        send_message(page, "And now?")
        for line in ("Line15", "Line25"):
            wait_until(lambda line=line: line in answer_text(page), page)  # type: ignore[misc]
            wait_until(lambda: page.evaluate(PIXELS_BELOW) < 5, page)
        page.mouse.move(640, 300)
        page.mouse.wheel(0, -500)
        wait_until(lambda: page.evaluate(PIXELS_BELOW) > 300, page)
        page.wait_for_timeout(300)  # until scrolling has ended
        position = page.evaluate(f"{SCROLLER}.scrollTop")
        text = answer_text(page)
        wait_until(lambda: len(answer_text(page)) > len(text) + 60, page)
        assert page.locator(".st-key-chat_stop").count() == 1
        assert page.evaluate(f"{SCROLLER}.scrollTop") == position
        wait_until_answered(page)
        assert page.evaluate("window.lowestOpacity") == 1
