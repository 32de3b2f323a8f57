"""Runs Streamlit as a user does, and reads its pages in Chromium."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from backend.settings import Settings
from benchmarks.browser import CHROMIUM, IDLE, INPUT, running_browser
from benchmarks.processes import free_port
from tests.support.api_server import running_api
from tests.support.fake_model_server import FakeModelServer, running_fake_model_server
from tests.support.paths import ROOT

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian: apt install chromium)."
)


def provide_browser() -> Iterator[Browser]:
    """Yield a browser: the body of a fixture, whose scope its folder chooses."""
    expect.set_options(timeout=30_000)  # of a machine that does other work beside
    with running_browser() as browser:
        yield browser


@dataclass(frozen=True)
class Stack:
    """The page, its API, and the model server behind it."""

    model: FakeModelServer
    api_url: str
    url: str


@contextmanager
def running_stack(folder: Path, **variables: str) -> Iterator[Stack]:
    """Run a fake model server, the API with its data in `folder`, and the page."""
    with running_fake_model_server() as model:
        settings = Settings(
            model_id="ai/smollm2:latest", dmr_base_url=model.base_url, data_dir=folder
        )
        with running_api(settings) as api_url, running_page(api_url, **variables) as url:
            yield Stack(model, api_url, url)


@contextmanager
def running_page(api_url: str, **variables: str) -> Iterator[str]:
    """Run the page in the project's root; yield its URL."""
    with running_streamlit("frontend/app.py", {"API_BASE_URL": api_url} | variables) as url:
        yield url


@contextmanager
def running_streamlit(script: str, variables: Mapping[str, str]) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", script]
    command += ["--server.port", str(port)]
    environment = {**os.environ, **variables}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        while not _answers(url):
            assert process.poll() is None
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_stcore/health").is_success
    except httpx.TransportError:
        time.sleep(0.1)
        return False


# JavaScript: the element that scrolls, and how far it is from its end.
SCROLLER = "document.querySelector('[data-testid=stAppScrollToBottomContainer]')"
PIXELS_BELOW = f"{SCROLLER}.scrollHeight - {SCROLLER}.clientHeight - {SCROLLER}.scrollTop"


def answer_text(page: Page) -> str:
    """Return the visible text of the last answer."""
    parts = page.locator("[data-testid=stChatMessage]").last.locator("[data-testid=stMarkdown]")
    return "\n".join(parts.all_inner_texts())


def wait_until(condition: Callable[[], bool], page: Page) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


@contextmanager
def open_page(
    browser: Browser, url: str, *, width: int = 1280, height: int = 860
) -> Iterator[Page]:
    """Open the page in a new browser context and wait until it is rendered."""
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        page = context.new_page()
        page.goto(url)
        wait_until_rendered(page)
        yield page


def wait_until_rendered(page: Page) -> None:
    page.wait_for_selector(INPUT)
    page.wait_for_selector(IDLE)


def wait_until_answered(page: Page) -> None:
    """Wait until the answer is complete and saved."""
    page.wait_for_selector(".st-key-chat_regenerate button")
    page.wait_for_selector(IDLE)


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


def message_texts(page: Page) -> list[str]:
    """Return the visible text of each message, from the top."""
    texts: list[str] = page.locator("[data-testid=stChatMessage]").evaluate_all(
        "messages => messages.map(message => (message.querySelector('[data-testid=stMarkdown]')"
        " ?? message.querySelector('[data-testid=stText]'))?.innerText ?? '')"
    )
    return texts


# Returns the texts whose contrast with their background is below 4.5, by WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
LOW_CONTRAST_TEXTS = """() => {
  const parse = (color) => {
    const numbers = color.match(/[\\d.]+/g).map(Number);
    const scale = color.startsWith("color(srgb") ? 255 : 1;
    return [...numbers.slice(0, 3).map((part) => part * scale), numbers[3] ?? 1];
  };
  const over = (top, below) =>
    [0, 1, 2].map((part) => top[part] * top[3] + below[part] * (1 - top[3])).concat(1);
  const luminance = (color) => {
    const [red, green, blue] = color.slice(0, 3).map((part) => part / 255).map((part) =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (element, inkStyle = getComputedStyle(element)) => {
    let opacity = 1;
    const layers = [];
    for (let around = element; around; around = around.parentElement) {
      const style = getComputedStyle(around);
      opacity *= parseFloat(style.opacity);
      layers.unshift(parse(style.backgroundColor));
    }
    const ground = layers.reduce((below, top) => over(top, below), [255, 255, 255, 1]);
    const ink = parse(inkStyle.webkitTextFillColor);
    ink[3] *= opacity;
    const [light, dark] = [luminance(over(ink, ground)), luminance(ground)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  // Menus and dialogs are outside of the app's element. Text of one pixel is for screen readers.
  const isVisible = (element) => element.checkVisibility({ visibilityProperty: true }) &&
    !element.closest("noscript") && element.getBoundingClientRect().width > 1;
  const faint = [];
  const add = (ratio, text) => {
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${text}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode()); ) {
    const element = text.parentElement;
    const isIcon = getComputedStyle(element).fontFamily.includes("Material");
    if (!text.textContent.trim() || isIcon || !isVisible(element)) continue;
    add(contrast(element), text.textContent);
  }
  for (const field of document.querySelectorAll(":is(input, textarea):not([type=file])")) {
    if (!isVisible(field)) continue;
    const isEmpty = field.value === "";
    if (isEmpty && !field.placeholder) continue;
    const style = getComputedStyle(field, isEmpty ? "::placeholder" : null);
    add(contrast(field, style), field.value || field.placeholder);
  }
  return faint;
}"""


HOSTILE = """Look: ![a](http://evil.test/inline.png) ![b][ref] [![c](http://evil.test/nested.png)](http://evil.test/)

[ref]: http://evil.test/reference.png

<img src="http://evil.test/html.png" onerror="document.title='owned'">
<iframe src="http://evil.test/frame"></iframe><script>document.title='owned'</script>

| `a | ![x](http://evil.test/table.png) | b` |
|---|---|---|
| `a | ![x](http://evil.test/cell.png) | b` |

```mermaid
flowchart LR
  A@{ img: "http://evil.test/mermaid.png", label: "x" } --> B
```

[run](javascript:document.title='owned') :material/home: :smile: costs $5 and $10

~~~ `
![x](http://evil.test/in-fence.png)
~~~
![x](http://evil.test/after-fence.png)
"""
