"""Messages that would hang a browser if all of them were formatted."""

from base64 import b64decode

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser import send_message
from tests.support.browser import (
    Stack,
    import_chat,
    needs_chromium,
    open_page,
    wait_until_answered,
)
from tests.support.fake_model_server import stream_reply

pytestmark = needs_chromium

NOTE = "From here on without formatting, which would make the page slow"
EMPHASIS = "_a_ " * 50_000
FORMULAS = "\n\n".join([r"\(x^2\)"] * 8000)
TABLE = "\n".join(["|a" * 20 + "|", "|-" * 20 + "|", *["|cell" * 20 + "|"] * 2000])


def answer(text: str, **fields: object) -> dict[str, object]:
    return {"role": "assistant", "content": text, "state": "finished"} | fields


def element_count(page: Page) -> int:
    return int(page.evaluate("document.querySelectorAll('[data-testid=stChatMessage] *').length"))


@pytest.mark.parametrize("text", [EMPHASIS, FORMULAS, TABLE], ids=["emphasis", "formulas", "table"])
def test_stored_message_is_formatted_up_to_a_limit(
    text: str, stack: Stack, browser: Browser
) -> None:
    chat = import_chat(stack, [{"role": "user", "content": "Hello"}, answer(text)])
    with open_page(browser, chat) as page:
        message = page.locator("[data-testid=stChatMessage]").last
        message.get_by_text(NOTE).wait_for()
        assert element_count(page) < 40_000
        copy = message.locator("button.copy-message").get_attribute("data-text")
        assert b64decode(copy or "").decode() == text
        send_message(page, "Next")  # the page still reacts
        wait_until_answered(page)


def test_messages_of_a_page_share_a_limit(stack: Stack, browser: Browser) -> None:
    text = "\n\n".join([r"\(x^2\)"] * 200)
    question = {"role": "user", "content": "Hello"}
    messages = [answer(text) if number % 2 else dict(question) for number in range(40)]
    with open_page(browser, import_chat(stack, messages)) as page:
        page.get_by_text(NOTE).first.wait_for()
        last = page.locator("[data-testid=stChatMessage]").last
        last.locator(".katex").nth(199).wait_for()
        assert last.get_by_text(NOTE).count() == 0  # the latest are formatted
        assert page.locator(".katex").count() < 1000


def test_streamed_answer_and_its_reasoning_are_formatted_up_to_a_limit(
    stack: Stack, browser: Browser
) -> None:
    parts = ["_a_ " * 500] * 40
    stack.model.replies.append(stream_reply(["<think>", *parts, "</think>", *parts]))
    with open_page(browser, stack.url) as page:
        send_message(page, "Hello")
        wait_until_answered(page)
        message = page.locator("[data-testid=stChatMessage]").last
        assert message.get_by_text(NOTE).count() == 2
        assert element_count(page) < 5000
