"""Measures how fast the page is in a browser: `python -m benchmarks.ui`, or `make bench-ui`.

The page, the API and a fake model server run as separate processes, in Debian's Chromium. The
page's additional parameters carry the model server's script. Exit code 1: a figure is over its
bound. The bounds are for two idle cores.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from playwright.sync_api import BrowserContext, Page

from benchmarks.browser import CHROMIUM, IDLE, INPUT, running_browser, send_message
from benchmarks.processes import Program, running_api, running_model_server, running_page

MESSAGES = 200
WAIT_MS = 60_000
_STOP, _REGENERATE = ".st-key-chat_stop button", ".st-key-chat_regenerate button"


@dataclass(frozen=True)
class Timing:
    """A figure in seconds: the median and the maximum of several runs, and the bound."""

    name: str
    median: float
    worst: float
    bound: float

    @property
    def is_within_bound(self) -> bool:
        return self.median <= self.bound


@dataclass(frozen=True)
class UiStack:
    """The running programs, and the browser."""

    model: Program
    api: Program
    page: Program
    context: BrowserContext

    def open(self, query: str = "") -> Page:
        page = self.context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"http://127.0.0.1:{self.page.port}/{query}")
        page.wait_for_selector(INPUT)
        page.wait_for_selector(IDLE)
        return page

    def wait_for_moment(self, name: str) -> float:
        """Wait for an event at the model server; return its time."""
        until = time.monotonic() + WAIT_MS / 1000
        while time.monotonic() < until:
            moments = httpx.get(f"http://127.0.0.1:{self.model.port}/moments").json()
            if name in moments:
                return float(moments[name])
            time.sleep(0.01)
        raise SystemExit(f"The event {name} did not happen at the model server.")


def main_thread(stack: UiStack, tokens: int) -> float:
    """Measure the browser's main thread time for a response at 100 tokens per second."""
    page = _open_with_script(stack, {"tokens": tokens, "gap_ms": 10, "paragraph": 80})
    session = stack.context.new_cdp_session(page)
    session.send("Performance.enable")
    before = task_seconds(session.send("Performance.getMetrics"))
    send_message(page, "Tell me a long story.")
    page.wait_for_selector(_REGENERATE)
    after = task_seconds(session.send("Performance.getMetrics"))
    page.close()
    return after - before


def stop(stack: UiStack, *, during_prompt: bool) -> float:
    """Measure from the click on Stop until the model server notices the disconnect."""
    script = {"wait_ms": WAIT_MS} if during_prompt else {"tokens": 2000, "gap_ms": 20}
    page = _open_with_script(stack, script)
    send_message(page, "Tell me a long story.")
    page.wait_for_selector(_STOP)
    if not during_prompt:
        page.wait_for_selector("text=word word word")
    page.wait_for_timeout(700)
    clicked_at = time.monotonic()
    page.click(_STOP)
    left_at = stack.wait_for_moment("left")
    page.wait_for_selector(_REGENERATE)
    page.close()
    return left_at - clicked_at


def own_message(stack: UiStack, conversation: str) -> float:
    """Measure from Enter until the message is visible, in a long chat."""
    page = _open_with_script(stack, {"tokens": 4}, query=f"?chat={conversation}")
    question = f"Is this visible soon, {time.monotonic()}?"
    page.fill(INPUT, question)
    sent_at = time.monotonic()
    page.press(INPUT, "Enter")
    seen_at = _wait_for_text(page, question)
    page.wait_for_selector(_REGENERATE)
    page.close()
    return seen_at - sent_at


def second_visit(stack: UiStack) -> float:
    """Measure the time until the page accepts input, with its files in the browser's cache."""
    started_at = time.monotonic()
    page = stack.context.new_page()
    page.goto(f"http://127.0.0.1:{stack.page.port}/")
    page.wait_for_selector(INPUT)
    page.wait_for_selector(".st-key-chat_starters button")
    ready_at = time.monotonic()
    page.close()
    return ready_at - started_at


def first_text(stack: UiStack) -> float:
    """Measure from the model server's first token until it is visible."""
    page = _open_with_script(stack, {"tokens": 40, "wait_ms": 1500, "gap_ms": 50})
    send_message(page, "Say something.")
    seen_at = _wait_for_text(page, "word")
    token_at = stack.wait_for_moment("first_token")
    page.wait_for_selector(_REGENERATE)
    page.close()
    return seen_at - token_at


def measure(stack: UiStack, *, times: int, tokens: int) -> list[Timing]:
    long_chat = import_long_chat(stack.api)
    cases: list[tuple[str, float, Callable[[], float]]] = [
        (f"{tokens} tokens at 100/s: browser main thread", 6.0, lambda: main_thread(stack, tokens)),
        ("Stop in the answer -> upstream cancelled", 0.3, lambda: stop(stack, during_prompt=False)),
        ("Stop in the prompt -> upstream cancelled", 0.3, lambda: stop(stack, during_prompt=True)),
        (f"send -> own message, {MESSAGES} messages", 0.5, lambda: own_message(stack, long_chat)),
        ("page ready, second visit", 3.0, lambda: second_visit(stack)),
        ("first token -> first visible text", 0.3, lambda: first_text(stack)),
    ]
    second_visit(stack)  # fill the browser's cache
    figures = []
    for name, bound, run in cases:
        seconds = [run() for _ in range(1 if run is cases[0][2] else times)]
        figures.append(Timing(name, statistics.median(seconds), max(seconds), bound))
    return figures


@contextmanager
def running_stack() -> Iterator[UiStack]:
    if CHROMIUM is None:
        raise SystemExit("Chromium is not installed. Install Debian's package `chromium`.")
    with (
        running_model_server() as model,
        running_api(model, {"SMOLCHAT_FIRST_EVENT_SECONDS": "2"}) as api,
        running_page(api) as page,
        running_browser() as browser,
    ):
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        yield UiStack(model, api, page, context)


def _open_with_script(stack: UiStack, script: dict[str, Any], *, query: str = "") -> Page:
    """Open the page with additional parameters that carry the model server's script."""
    page = stack.open(query)
    page.click(".st-key-parameter_panel_more summary")
    extra = page.locator(".st-key-parameter_extra textarea")
    extra.fill(json.dumps({"script": script}))
    extra.press("Control+Enter")
    page.wait_for_selector(".st-key-parameter_sent >> text=script")
    page.wait_for_selector(IDLE)
    return page


def _wait_for_text(page: Page, text: str) -> float:
    """Wait for a message that starts with the text; Playwright's own polling is too coarse."""
    page.wait_for_function(
        """text => [...document.querySelectorAll(
            "[data-testid=stChatMessage] :is([data-testid=stText], [data-testid=stMarkdown])")]
            .some(node => node.textContent.startsWith(text) && node.getClientRects().length)""",
        arg=text,
    )
    return time.monotonic()


def task_seconds(metrics: dict[str, Any]) -> float:
    [seconds] = [
        metric["value"] for metric in metrics["metrics"] if metric["name"] == "TaskDuration"
    ]
    return float(seconds)


def import_long_chat(api: Program) -> str:
    """Import a chat of many messages; return its id."""
    now = datetime.now(UTC).isoformat()
    messages: list[dict[str, Any]] = []
    for number in range(MESSAGES):
        role = ("user", "assistant")[number % 2]
        message: dict[str, Any] = {
            "id": str(number),
            "role": role,
            "content": f"{role} {number}. " + "word " * 60,
        }
        message |= {"created_at": now, "updated_at": now}
        messages.append(message | {"parent": str(number - 1) if number else None})
    conversation: dict[str, Any] = {
        "id": "c",
        "title": "Long",
        "created_at": now,
        "updated_at": now,
    }
    conversation |= {"current": str(MESSAGES - 1), "messages": messages}
    file = {"format": "smolchat", "version": 1, "conversations": [conversation]}
    url = f"http://127.0.0.1:{api.port}/conversations/import"
    response = httpx.post(url, json=file, timeout=60).raise_for_status().json()
    return str(response["data"][0]["id"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ui", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="runs per figure (5)")
    parser.add_argument(
        "--tokens", type=int, default=2000, help="length of the long response (2000)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    with running_stack() as stack:
        figures = measure(stack, times=options.times, tokens=options.tokens)
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=1))
    else:
        for figure in figures:
            mark = "" if figure.is_within_bound else "  OVER"
            print(
                f"{figure.name:44} {figure.median:6.2f} s (worst {figure.worst:.2f}), "
                f"bound {figure.bound:.1f}{mark}"
            )
    return 0 if all(figure.is_within_bound for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
