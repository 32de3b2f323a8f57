"""How quick the page is in a browser: `python -m benchmarks.ui`, or `make bench-ui`.

The page, the API and a scripted model server run as programs of their own; Chromium is Debian's.
What the model server is to do is among the page's extra parameters. Exit code 1: a figure is over
its bound. The bounds were set for two cores without anything else to do.
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

from benchmarks.browser import CHROMIUM, IDLE, INPUT, ask, running_browser
from benchmarks.processes import Program, running_api, running_model_server, running_page

MESSAGES = 200
WAIT_MS = 60_000
_STOP, _AGAIN = ".st-key-chat_stop button", ".st-key-chat_again button"


@dataclass(frozen=True)
class Figure:
    """What was measured, in seconds: the median of several times, and the worst."""

    name: str
    median: float
    worst: float
    bound: float

    @property
    def is_good(self) -> bool:
        return self.median <= self.bound


@dataclass(frozen=True)
class House:
    """What runs, and the browser that looks at it."""

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

    def moment(self, name: str) -> float:
        """Wait for what happens at the model server, and give when it did."""
        until = time.monotonic() + WAIT_MS / 1000
        while time.monotonic() < until:
            moments = httpx.get(f"http://127.0.0.1:{self.model.port}/moments").json()
            if name in moments:
                return float(moments[name])
            time.sleep(0.01)
        raise SystemExit(f"the model server waits in vain: {name}")


def main_thread(house: House, tokens: int) -> float:
    """Measure how long the browser works on an answer of 100 tokens a second."""
    page = _scripted(house, {"tokens": tokens, "gap_ms": 10, "paragraph": 80})
    session = house.context.new_cdp_session(page)
    session.send("Performance.enable")
    before = _task_seconds(session.send("Performance.getMetrics"))
    ask(page, "Tell me a long story.")
    page.wait_for_selector(_AGAIN)
    after = _task_seconds(session.send("Performance.getMetrics"))
    page.close()
    return after - before


def stop(house: House, *, is_reading: bool) -> float:
    """Measure from the click on Stop until the model server sees its client leave."""
    script = {"wait_ms": WAIT_MS} if is_reading else {"tokens": 2000, "gap_ms": 20}
    page = _scripted(house, script)
    ask(page, "Tell me a long story.")
    page.wait_for_selector(_STOP)
    if not is_reading:
        page.wait_for_selector("text=word word word")
    page.wait_for_timeout(700)
    clicked = time.monotonic()
    page.click(_STOP)
    left = house.moment("left")
    page.wait_for_selector(_AGAIN)
    page.close()
    return left - clicked


def own_message(house: House, conversation: str) -> float:
    """Measure from Enter until the question is seen, in a long chat."""
    page = _scripted(house, {"tokens": 4}, query=f"?chat={conversation}")
    question = f"Is this seen soon, {time.monotonic()}?"
    page.fill(INPUT, question)
    asked = time.monotonic()
    page.press(INPUT, "Enter")
    seen = _seen(page, question)
    page.wait_for_selector(_AGAIN)
    page.close()
    return seen - asked


def second_visit(house: House) -> float:
    """Measure from the address until the page can be typed into, its files being known."""
    began = time.monotonic()
    page = house.context.new_page()
    page.goto(f"http://127.0.0.1:{house.page.port}/")
    page.wait_for_selector(INPUT)
    page.wait_for_selector(".st-key-chat_starters button")
    ready = time.monotonic()
    page.close()
    return ready - began


def first_text(house: House) -> float:
    """Measure from the model server's first token until a person sees it."""
    page = _scripted(house, {"tokens": 40, "wait_ms": 1500, "gap_ms": 50})
    ask(page, "Say something.")
    seen = _seen(page, "word")
    told = house.moment("first_token")
    page.wait_for_selector(_AGAIN)
    page.close()
    return seen - told


def measure(house: House, *, times: int, tokens: int) -> list[Figure]:
    long_chat = _long_chat(house.api)
    plans: list[tuple[str, float, Callable[[], float]]] = [
        (f"{tokens} tokens at 100/s: browser main thread", 6.0, lambda: main_thread(house, tokens)),
        ("Stop in the answer -> upstream cancelled", 0.3, lambda: stop(house, is_reading=False)),
        ("Stop in the prompt -> upstream cancelled", 0.3, lambda: stop(house, is_reading=True)),
        (f"send -> own message, {MESSAGES} messages", 0.5, lambda: own_message(house, long_chat)),
        ("page ready, second visit", 3.0, lambda: second_visit(house)),
        ("first token -> first visible text", 0.3, lambda: first_text(house)),
    ]
    second_visit(house)  # the first one
    figures = []
    for name, bound, measured in plans:
        found = [measured() for _ in range(1 if measured is plans[0][2] else times)]
        figures.append(Figure(name, statistics.median(found), max(found), bound))
    return figures


@contextmanager
def running_house() -> Iterator[House]:
    if CHROMIUM is None:
        raise SystemExit("There is no Chromium here. Install Debian's package `chromium`.")
    with (
        running_model_server() as model,
        running_api(model, {"SMOLCHAT_FIRST_EVENT_SECONDS": "2"}) as api,
        running_page(api) as page,
        running_browser() as browser,
    ):
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        yield House(model, api, page, context)


def _scripted(house: House, script: dict[str, Any], *, query: str = "") -> Page:
    """Open the page with extra parameters that tell the model server what to do."""
    page = house.open(query)
    page.click(".st-key-parameter_panel_more summary")
    extra = page.locator(".st-key-parameter_extra textarea")
    extra.fill(json.dumps({"script": script}))
    extra.press("Control+Enter")
    page.wait_for_selector(".st-key-parameter_sent >> text=script")
    page.wait_for_selector(IDLE)
    return page


def _seen(page: Page, text: str) -> float:
    """Wait until a message begins so, and give when; Playwright's own looks are far apart."""
    page.wait_for_function(
        """text => [...document.querySelectorAll(
            "[data-testid=stChatMessage] :is([data-testid=stText], [data-testid=stMarkdown])")]
            .some(said => said.textContent.startsWith(text) && said.getClientRects().length)""",
        arg=text,
    )
    return time.monotonic()


def _task_seconds(told: dict[str, Any]) -> float:
    [seconds] = [m["value"] for m in told["metrics"] if m["name"] == "TaskDuration"]
    return float(seconds)


def _long_chat(api: Program) -> str:
    """Store a chat of many messages, and give its id."""
    now = datetime.now(UTC).isoformat()
    messages: list[dict[str, Any]] = []
    for number in range(MESSAGES):
        role = ("user", "assistant")[number % 2]
        said: dict[str, Any] = {
            "id": str(number),
            "role": role,
            "content": f"{role} {number}. " + "word " * 60,
        }
        said |= {"created_at": now, "updated_at": now}
        messages.append(said | {"parent": str(number - 1) if number else None})
    conversation: dict[str, Any] = {
        "id": "c",
        "title": "Long",
        "created_at": now,
        "updated_at": now,
    }
    conversation |= {"current": str(MESSAGES - 1), "messages": messages}
    file = {"format": "smolchat", "version": 1, "conversations": [conversation]}
    url = f"http://127.0.0.1:{api.port}/conversations/import"
    answer = httpx.post(url, json=file, timeout=60).raise_for_status().json()
    return str(answer["data"][0]["id"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ui", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument("--tokens", type=int, default=2000, help="of the long answer (2000)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    with running_house() as house:
        figures = measure(house, times=options.times, tokens=options.tokens)
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=1))
    else:
        for figure in figures:
            mark = "" if figure.is_good else "  OVER"
            print(
                f"{figure.name:44} {figure.median:6.2f} s (worst {figure.worst:.2f}), "
                f"bound {figure.bound:.1f}{mark}"
            )
    return 0 if all(figure.is_good for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
