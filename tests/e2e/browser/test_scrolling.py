"""Scrolling of the chat: following an answer, and keeping in place what the reader reads."""

from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser import send_message
from tests.support.browser import (
    PIXELS_BELOW,
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
from tests.support.fake_model_server import DONE, EVENTS, Reply, chunk, stream_reply

pytestmark = needs_chromium

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
# Records for each frame where a text is on the screen, from its first frame on.
RECORD_TOP = """(text) => {
  window.recordedTops = [];
  const record = () => {
    const found = [...document.querySelectorAll("[data-testid=stChatMessage] p")]
      .find((paragraph) => paragraph.textContent.includes(text));
    if (found) recordedTops.push(found.getBoundingClientRect().top);
    requestAnimationFrame(record);
  };
  record();
}"""
TOP_OF_MESSAGE = """text => [...document.querySelectorAll("[data-testid=stChatMessage]")]
  .find((message) => message.innerText.includes(text)).getBoundingClientRect().top"""
MOST_PIXELS_MOVED = 2


def lines(count: int, *, interval_seconds: float) -> Reply:
    return stream_reply([f"Line{n}\n\n" for n in range(count)], interval_seconds=interval_seconds)


def scroll(page: Page, pixels: int) -> None:
    page.mouse.move(640, 300)
    page.mouse.wheel(0, pixels)


def scroll_to_end(page: Page) -> None:
    """Scroll down until the end is in view: an answer that grows may move it away meanwhile."""

    def is_at_end() -> bool:
        scroll(page, 10_000)
        return bool(page.evaluate(PIXELS_BELOW) < 5)

    wait_until(is_at_end, page)


def test_page_follows_an_answer_unless_the_reader_scrolled_up(
    stack: Stack, browser: Browser
) -> None:
    stack.model.replies.append(lines(90, interval_seconds=0.08))
    with open_page(browser, import_chat(stack, long_chat(8))) as page:
        page.wait_for_selector("text=Stored 7")
        page.evaluate(RECORD_OPACITY)
        assert page.evaluate("window.textCount") == 8
        send_message(page, "And now?")
        for line in ("Line15", "Line25"):
            wait_until(lambda line=line: line in answer_text(page), page)  # type: ignore[misc]
            wait_until(lambda: page.evaluate(PIXELS_BELOW) < 5, page)
        scroll(page, -500)
        wait_until(lambda: page.evaluate(PIXELS_BELOW) > 300, page)
        page.wait_for_timeout(300)  # until scrolling has ended
        position = page.evaluate(f"{SCROLLER}.scrollTop")
        wait_until(lambda: "Line50" in answer_text(page), page)
        assert page.evaluate(f"{SCROLLER}.scrollTop") == position
        scroll_to_end(page)
        for line in ("Line65", "Line75"):
            wait_until(lambda line=line: line in answer_text(page), page)  # type: ignore[misc]
            wait_until(lambda: page.evaluate(PIXELS_BELOW) < 5, page)
        wait_until_answered(page)
        assert page.evaluate("window.lowestOpacity") > 0.99


def test_page_does_not_follow_a_reader_who_scrolled_up_by_keyboard(
    stack: Stack, browser: Browser
) -> None:
    stack.model.replies.append(lines(40, interval_seconds=0.08))
    with open_page(browser, import_chat(stack, long_chat(8))) as page:
        send_message(page, "And now?")
        wait_until(lambda: "Line5" in answer_text(page), page)
        page.evaluate(f"{SCROLLER}.focus()")
        page.locator("[data-testid=stChatMessage]").last.click()
        page.keyboard.press("PageUp")
        wait_until(lambda: page.evaluate(PIXELS_BELOW) > 300, page)
        page.wait_for_timeout(300)
        position = page.evaluate(f"{SCROLLER}.scrollTop")
        wait_until(lambda: "Line30" in answer_text(page), page)
        assert page.evaluate(f"{SCROLLER}.scrollTop") == position
        wait_until_answered(page)
        assert page.evaluate(f"{SCROLLER}.scrollTop") == position


def test_page_follows_an_answer_that_starts_late(stack: Stack, browser: Browser) -> None:
    words = [chunk({"content": "word " * 90 + "\n\n"}) for _ in range(8)]
    stack.model.replies.append(
        Reply(headers=EVENTS, chunks=words, delay_seconds=4, interval_seconds=0.3, end="hang")
    )
    with open_page(browser, import_chat(stack, long_chat(8))) as page:
        send_message(page, "And now?")
        page.wait_for_timeout(3500)
        # What the reader opens above makes the page longer, without scrolling it.
        page.evaluate("document.querySelector('[class*=st-key-chat_user_]').style.height = '900px'")
        wait_until(lambda: len(answer_text(page)) > 2500, page)
        wait_until(lambda: page.evaluate(PIXELS_BELOW) < 5, page)
        page.click(".st-key-chat_stop button")
        wait_until_answered(page)


@pytest.mark.parametrize(
    ("width", "line_count", "is_stopped"),
    [(1280, 1, False), (1280, 40, False), (390, 40, False), (1280, 40, True)],
)
def test_nothing_moves_when_an_answer_ends(
    width: int, line_count: int, is_stopped: bool, stack: Stack, browser: Browser
) -> None:
    texts = [*(f"Line{number}\n\n" for number in range(line_count)), "Last"]
    ending = [] if is_stopped else [chunk({}, "stop"), DONE]
    chunks = [*(chunk({"content": text}) for text in texts), *ending]
    reply = Reply(headers=EVENTS, chunks=chunks, interval_seconds=0.05)
    stack.model.replies.append(replace(reply, end="hang") if is_stopped else reply)
    with open_page(browser, stack.url, width=width) as page:
        send_message(page, "Hello")
        page.evaluate(RECORD_TOP, "Last")
        wait_until(lambda: "Last" in answer_text(page), page)
        if is_stopped:
            page.click(".st-key-chat_stop button")
        wait_until_answered(page)
        page.wait_for_timeout(500)
        tops = page.evaluate("recordedTops")
        assert max(tops) - min(tops) <= MOST_PIXELS_MOVED
        assert page.evaluate(PIXELS_BELOW) < 5


@pytest.mark.parametrize("top", [0, 40])
def test_earlier_messages_appear_above_what_the_reader_sees(
    top: int, stack: Stack, browser: Browser
) -> None:
    with open_page(browser, import_chat(stack, long_chat(70))) as page:
        page.wait_for_selector("text=Stored 69 ")
        scroll(page, -100_000)
        wait_until(lambda: page.evaluate(f"{SCROLLER}.scrollTop") == 0, page)
        scroll(page, top)
        wait_until(lambda: page.evaluate(f"{SCROLLER}.scrollTop") == top, page)
        before = page.evaluate(TOP_OF_MESSAGE, "Stored 30 ")
        page.click(".st-key-chat_show_earlier button")
        page.wait_for_selector("text=Stored 0 ")
        page.wait_for_timeout(1000)
        assert abs(page.evaluate(TOP_OF_MESSAGE, "Stored 30 ") - before) <= MOST_PIXELS_MOVED
