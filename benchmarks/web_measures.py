"""What is measured of a page in Chromium, whichever page it is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page

from benchmarks.ui import MESSAGES, UiStack, task_seconds

WAIT_MS = 120_000
_KEYS = 200
_KEY_GAP_MS = 25
# The answers of a long chat: their tokens, and the time between two of them.
_LONG_TOKENS, _LONG_GAP_MS = 500, 0.5

# Adds up the layout shifts that no input caused: https://web.dev/articles/cls
_RECORD_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });"""
# Collects how long each key took until the next frame. Shorter ones than 16 ms are not reported.
_RECORD_KEYS = """() => {
  window.keys = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (entry.name === "keydown") window.keys.push(entry.duration);
  }).observe({ type: "event", durationThreshold: 16 });
}"""
# The time from Enter, or from a click, until a message that begins with the text is on the screen.
_RECORD_SEEN = """([event, selector, text]) => {
  const options = { capture: true, once: true };
  window.seen = new Promise((resolve, reject) => addEventListener(event, () => {
    const startedAt = performance.now();
    const look = () => {
      const isSeen = [...document.querySelectorAll(selector)].some((message) =>
        message.textContent.includes(text) && message.getClientRects().length);
      if (isSeen) resolve((performance.now() - startedAt) / 1000);
      else if (performance.now() > startedAt + 60_000) reject(new Error(`${text} is not shown.`));
      else requestAnimationFrame(look);
    };
    look();
  }, options));
}"""
# Scrolls up by most of a screen in each frame until a text is there; asks for more at the top.
_SCROLL_TO_TEXT = """([scroller, selector, text]) => new Promise((resolve, reject) => {
  const startedAt = performance.now();
  let askedAt = -Infinity;
  const element = document.querySelector(scroller);
  const step = () => {
    const messages = [...document.querySelectorAll(selector)];
    if (messages.some((message) => message.textContent.includes(text)))
      return resolve((performance.now() - startedAt) / 1000);
    if (performance.now() > startedAt + 60_000) return reject(new Error(`${text} is not shown.`));
    const more = [...document.querySelectorAll("button")]
      .find((button) => button.textContent.includes("Show earlier"));
    if (more && performance.now() > askedAt + 2000) {
      askedAt = performance.now();
      more.click();
    }
    element.scrollBy({ top: -element.clientHeight * 0.8, behavior: "instant" });
    requestAnimationFrame(step);
  };
  step();
})"""


@dataclass(frozen=True)
class Site:
    """A page, and how its parts are found."""

    name: str
    url: str
    chat_path: str
    field: str
    ready: str
    """What is there when the page can be used."""
    message: str
    """A message's text."""
    stop: str
    idle: str
    """What is there when no answer is written, once a message was sent."""
    scroller: str
    chat_link: str
    types_while_answering: bool


@dataclass(frozen=True)
class Bench:
    """One of the pages, with the programs behind it and the browser."""

    site: Site
    stack: UiStack
    browser: Browser
    long_chat: str

    @property
    def context(self) -> BrowserContext:
        return self.stack.context

    def chat(self, **script: Any) -> str:
        """Store a chat whose answers follow the script; return its id."""
        body = {"title": "Measured", "parameters": {"script": script}}
        reply = httpx.post(f"{self.api_url}/conversations", json=body).raise_for_status()
        return str(reply.json()["id"])

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.stack.api.port}"

    def load(self, page: Page, chat: str | None) -> None:
        page.goto(self.site.url + (self.site.chat_path.format(chat) if chat else "/"))

    @contextmanager
    def page(self, chat: str | None = None) -> Iterator[Page]:
        """Open the page, or one of its chats, and wait until it can be used."""
        page = self.context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.add_init_script(_RECORD_SHIFTS)
        self.load(page, chat)
        page.wait_for_selector(self.site.ready)
        yield page
        page.close()

    def send(self, page: Page, text: str) -> float:
        """Send a message; return the seconds from Enter until it is on the screen."""
        page.fill(self.site.field, text)
        page.evaluate(_RECORD_SEEN, ["keydown", self.site.message, text])
        page.press(self.site.field, "Enter")
        return float(page.evaluate("window.seen"))

    def wait_for_text(self, page: Page, text: str) -> None:
        page.wait_for_function(
            """([selector, text]) => [...document.querySelectorAll(selector)]
                .some((message) => message.textContent.includes(text))""",
            arg=[self.site.message, text],
        )


def main_thread(bench: Bench, tokens: int) -> tuple[float, float]:
    """Return the main thread's seconds for an answer at 100 tokens per second, and its shift."""
    with bench.page(bench.chat(tokens=tokens, gap_ms=10, paragraph=80)) as page:
        session = bench.context.new_cdp_session(page)
        session.send("Performance.enable")
        page.evaluate("window.shift = 0")
        before = task_seconds(session.send("Performance.getMetrics"))
        bench.send(page, "Tell me a long story.")
        page.wait_for_selector(bench.site.idle)
        after = task_seconds(session.send("Performance.getMetrics"))
        return after - before, float(page.evaluate("window.shift"))


def second_visit(bench: Bench) -> float:
    """Return the seconds until text can be typed, with the page's files in the cache."""
    page = bench.context.new_page()
    started_at = time.monotonic()
    page.goto(bench.site.url, wait_until="commit")
    page.wait_for_selector(bench.site.ready)
    page.fill(bench.site.field, "ready")
    seconds = time.monotonic() - started_at
    page.fill(bench.site.field, "")
    page.close()
    return seconds


def first_load(bench: Bench) -> dict[str, float]:
    """Return kB of code and of fonts, by gzip, and the number of requests of a first visit."""
    headers = {"Accept-Encoding": "gzip"}
    with bench.browser.new_context(extra_http_headers=headers) as context:
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        kinds: dict[str, str] = {}
        sizes: dict[str, float] = {}
        session.on(
            "Network.responseReceived",
            lambda event: kinds.update({event["requestId"]: event["type"]}),
        )
        session.on(
            "Network.loadingFinished",
            lambda event: sizes.update({event["requestId"]: event["encodedDataLength"] / 1000}),
        )
        page.goto(bench.site.url)
        page.wait_for_selector(bench.site.ready)
        page.wait_for_timeout(1000)
    fonts = sum(size for name, size in sizes.items() if kinds.get(name) == "Font")
    code = sum(
        size
        for name, size in sizes.items()
        if kinds.get(name) in ("Document", "Script", "Stylesheet")
    )
    return {"code": code, "fonts": fonts, "requests": float(len(kinds))}


def own_message(bench: Bench) -> float:
    """Return the seconds from Enter until the message is on the screen, in a long chat."""
    with bench.page(bench.long_chat) as page:
        bench.wait_for_text(page, f"assistant {MESSAGES - 1}.")
        seconds = bench.send(page, f"Is this visible soon, {time.monotonic()}?")
        page.wait_for_selector(bench.site.idle)
        return seconds


def first_text(bench: Bench) -> float:
    """Return the seconds from the model server's first token until it is on the screen."""
    with bench.page(bench.chat(tokens=40, wait_ms=1500, gap_ms=50)) as page:
        bench.send(page, "Say something.")
        bench.wait_for_text(page, "word")
        seen_at = time.monotonic()
        token_at = bench.stack.wait_for_moment("first_token")
        page.wait_for_selector(bench.site.idle)
        return seen_at - token_at


def stop(bench: Bench) -> float:
    """Return the seconds from the click on Stop until the model server sees the disconnect."""
    with bench.page(bench.chat(tokens=2000, gap_ms=20)) as page:
        bench.send(page, "Tell me a long story.")
        bench.wait_for_text(page, "word word word")
        page.wait_for_timeout(700)
        clicked_at = time.monotonic()
        page.click(bench.site.stop)
        left_at = bench.stack.wait_for_moment("left")
        page.wait_for_selector(bench.site.idle)
        return left_at - clicked_at


def open_long_chat(bench: Bench) -> dict[str, float]:
    """Return the seconds from the click on a long chat until its end, then its start, is shown."""
    selector, last = bench.site.message, f"assistant {MESSAGES - 1}."
    with bench.page() as page:
        page.wait_for_selector(bench.site.chat_link)
        page.evaluate(_RECORD_SEEN, ["click", selector, last])
        page.click(bench.site.chat_link)
        opened = float(page.evaluate("window.seen"))
        scrolled = page.evaluate(_SCROLL_TO_TEXT, [bench.site.scroller, selector, "user 0."])
    return {"opened": opened, "scrolled": float(scrolled)}


def opening_shift(bench: Bench) -> float:
    """Return the layout shift of opening a long chat by its address."""
    with bench.page(bench.long_chat) as page:
        bench.wait_for_text(page, f"assistant {MESSAGES - 1}.")
        page.wait_for_timeout(1500)
        return float(page.evaluate("window.shift"))


def typing(bench: Bench, keys: int = _KEYS) -> float | None:
    """Return the 99th percentile of a key's seconds until the next frame, at 100 tokens/s.

    None: nothing can be typed while an answer is written.
    """
    if not bench.site.types_while_answering:
        return None
    tokens = keys * (_KEY_GAP_MS + 75) // 10
    with bench.page(bench.chat(tokens=tokens, gap_ms=10, paragraph=80)) as page:
        bench.send(page, "Tell me a long story.")
        bench.wait_for_text(page, "word word word")
        page.evaluate(_RECORD_KEYS)
        page.focus(bench.site.field)
        page.keyboard.type("abcdefghi " * (keys // 10), delay=_KEY_GAP_MS)
        page.wait_for_timeout(200)
        durations = sorted(page.evaluate("window.keys"))
        page.fill(bench.site.field, "")  # a typed message may have its button in Stop's place
        page.click(bench.site.stop)
        page.wait_for_selector(bench.site.idle)
    rank = keys - max(1, keys // 100)  # how many keys were at most as slow
    fast = keys - len(durations)
    return float(durations[rank - fast]) / 1000 if rank >= fast else 0.016


def heap_growth(bench: Bench, answers: int) -> float | None:
    """Return by how many MB the heap grows from the second to the last of many answers."""
    if not bench.site.types_while_answering:
        return None  # each answer reruns the page's script: 60 of them take too long
    chat = bench.chat(tokens=_LONG_TOKENS, gap_ms=_LONG_GAP_MS, paragraph=80)
    with bench.page(chat) as page:
        session = bench.context.new_cdp_session(page)
        used: list[float] = []
        for number in range(answers + 1):
            bench.send(page, f"Story {number}, please.")
            page.wait_for_selector(bench.site.idle)
            if number in (0, answers):
                session.send("HeapProfiler.enable")
                session.send("HeapProfiler.collectGarbage")
                used.append(session.send("Runtime.getHeapUsage")["usedSize"] / 1e6)
    return used[-1] - used[0]
