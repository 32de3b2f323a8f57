"""What is in view: on a phone, in a long chat, and while an answer grows."""

from typing import Any

import httpx
from playwright.sync_api import Browser

from benchmarks.browser import ask
from tests.support.browser import Stack, answer_text, answered, needs_chromium, opened, wait_until
from tests.support.fake_model_server import EVENTS, Reply, chunk, stream_of

pytestmark = needs_chromium

# What hangs over the edge of the page, of a dialog or of a menu.
SIDEWAYS = """() => [
  document.documentElement, ...document.querySelectorAll(
    ".stMain, [role=dialog], [data-testid=stPopoverBody]")
].filter((one) => one.scrollWidth > one.clientWidth + 1
  || one.getBoundingClientRect().right > innerWidth + 1
).map((one) => `${one.scrollWidth} > ${one.clientWidth} ${one.outerHTML.slice(0, 120)}`)"""
# Whether the answer could be stopped when its first word came into the page.
FIRST_WORD = """() => {
  const observer = new MutationObserver(() => {
    if (!document.querySelector(".stMain").textContent.includes("Firstword")) return;
    window.couldStop = document.querySelector(".st-key-chat_stop button") !== null;
    observer.disconnect();
  });
  observer.observe(document, { subtree: true, childList: true, characterData: true });
}"""
# The faintest that any stored text was, looked at as often as the page is painted.
FAINTEST = """() => {
  window.faintest = 1;
  const messages = "[class*=st-key-chat_user_], [class*=st-key-chat_answer_]";
  const texts = [...document.querySelectorAll(messages)].flatMap((one) =>
    [one.querySelector("[data-testid=stMarkdown]") ?? one.querySelector("[data-testid=stText]")]);
  window.watched = texts.length;
  const look = () => {
    for (const text of texts.filter((one) => one.isConnected)) {
      let opacity = 1;
      for (let around = text; around; around = around.parentElement)
        opacity *= parseFloat(getComputedStyle(around).opacity);
      window.faintest = Math.min(window.faintest, opacity);
    }
    requestAnimationFrame(look);
  };
  look();
}"""
SCROLLER = "document.querySelector('[data-testid=stAppScrollToBottomContainer]')"
REST = f"{SCROLLER}.scrollHeight - {SCROLLER}.clientHeight - {SCROLLER}.scrollTop"


def brought_in(stack: Stack, messages: list[dict[str, Any]]) -> str:
    """Keep a conversation, each message under the one before where it names no parent."""
    for number, message in enumerate(messages):
        message["id"] = str(number)
        message.setdefault("parent", str(number - 1) if number else None)
    chat = {"title": "t" * 200, "messages": messages, "current": messages[-1]["id"]}
    told = {"format": "smolchat", "version": 1, "conversations": [chat]}
    [head] = httpx.post(f"{stack.api_url}/conversations/import", json=told).json()["data"]
    return f"{stack.url}/?chat={head['id']}"


def long_chat(count: int) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [
        {"role": roles[number % 2], "content": f"Stored {number} " + "word " * 80}
        | ({"state": "finished"} if number % 2 else {})
        for number in range(count)
    ]


def test_nothing_goes_sideways_on_a_phone(stack: Stack, browser: Browser) -> None:
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
    with opened(browser, brought_in(stack, messages), width=390) as page:
        page.wait_for_selector(".st-key-chat_retry button")
        assert page.locator("[class*=st-key-chat_step_earlier_]").count() == 1
        assert page.locator("[data-testid=stChatMessage] :is(table, pre)").count() == 2
        assert page.evaluate(SIDEWAYS) == []
        for choice in ("Numbers", "Probabilities", "Copy"):
            page.locator("[data-testid=stMenuButton] button").nth(1).click()
            page.click(f"[role=menuitem]:has-text('{choice}')")
            page.wait_for_selector("[role=dialog] :is(table, .tokens, pre)")
            assert page.evaluate(SIDEWAYS) == []
            page.keyboard.press("Escape")
            page.wait_for_selector("[role=dialog]", state="detached")
        page.click(".st-key-chat_menu button")
        page.wait_for_selector(".st-key-chat_rename button")
        assert page.evaluate(SIDEWAYS) == []


def test_whoever_sees_the_first_word_in_a_long_chat_can_stop_it(
    stack: Stack, browser: Browser
) -> None:
    first = Reply(headers=EVENTS, pieces=[chunk({"content": "Firstword"})], end="hang")
    stack.model.requests.clear()
    stack.model.replies.append(first)
    with opened(browser, brought_in(stack, long_chat(40))) as page:
        page.wait_for_selector("text=Stored 39")
        page.evaluate(FIRST_WORD)
        ask(page, "And now?")
        wait_until(lambda: page.evaluate("window.couldStop !== undefined"), page)
        assert page.evaluate("window.couldStop")
        page.click(".st-key-chat_new button")
        page.wait_for_selector(".st-key-chat_starters button")
        page.evaluate(f"delete window.couldStop; ({FIRST_WORD})()")
        page.click(".st-key-chat_list button")  # back to where the word is there at once
        wait_until(lambda: page.evaluate("window.couldStop !== undefined"), page)
        page.keyboard.press("Escape")
        assert stack.model.chats[0].left.wait(15)
        answered(page)
        assert page.evaluate("window.couldStop")
        assert answer_text(page) == "Firstword"


def test_the_view_follows_an_answer_unless_the_reader_is_elsewhere(
    stack: Stack, browser: Browser
) -> None:
    stack.model.replies.append(
        stream_of([f"Line{number}\n\n" for number in range(70)], gap_seconds=0.08)
    )
    with opened(browser, brought_in(stack, long_chat(8))) as page:
        page.wait_for_selector("text=Stored 7")
        page.evaluate(FAINTEST)
        assert page.evaluate("window.watched") == 8
        ask(page, "And now?")
        for line in ("Line15", "Line25"):
            wait_until(lambda line=line: line in answer_text(page), page)  # type: ignore[misc]
            wait_until(lambda: page.evaluate(REST) < 5, page)
        page.mouse.move(640, 300)
        page.mouse.wheel(0, -500)
        wait_until(lambda: page.evaluate(REST) > 300, page)
        page.wait_for_timeout(300)  # until it has come to rest
        place = page.evaluate(f"{SCROLLER}.scrollTop")
        written = answer_text(page)
        wait_until(lambda: len(answer_text(page)) > len(written) + 60, page)
        assert page.locator(".st-key-chat_stop").count() == 1
        assert page.evaluate(f"{SCROLLER}.scrollTop") == place
        answered(page)
        assert page.evaluate("window.faintest") == 1
