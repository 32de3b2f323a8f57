"""Serves the React page with its API, and opens it in Chromium."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page

from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer, running_fake_model_server

# The element that has the focus: its name for screen readers, or its text.
FOCUSED = """() => {
  const element = document.activeElement;
  return element.getAttribute("aria-label") ?? element.innerText ?? element.tagName;
}"""


@dataclass(frozen=True)
class WebStack:
    """The API, which serves the page, and the model server behind it."""

    model: FakeModelServer
    url: str


@contextmanager
def running_web_stack(folder: Path, **settings: Any) -> Iterator[WebStack]:
    """Run a fake model server, and the API and its page with their data in `folder`."""
    with (
        running_fake_model_server() as model,
        running_api(settings_for(model, data_dir=folder, **settings)) as url,
    ):
        yield WebStack(model, url)


@contextmanager
def open_web_page(
    browser: Browser, url: str, *, width: int = 1280, height: int = 860, **options: Any
) -> Iterator[Page]:
    """Open the page in a new browser context; fail at the end if it reported an error."""
    size: Any = {"width": width, "height": height}
    errors: list[str] = []
    with browser.new_context(viewport=size, **options) as context:
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: _collect_violation(message.text, errors))
        page.goto(url)
        page.wait_for_selector("main h1")
        yield page
    assert errors == []


def _collect_violation(text: str, errors: list[str]) -> None:
    if "Content Security Policy" in text:
        errors.append(text)


def import_chats(url: str, chats: Sequence[dict[str, Any]]) -> list[str]:
    """Import chats of one question and its answer each; return their ids in the same order."""
    export = {
        "format": "smolchat",
        "version": 1,
        "conversations": [_exported(chat) for chat in chats],
    }
    reply = httpx.post(f"{url}/conversations/import", json=export)
    assert reply.status_code == 201
    return [summary["id"] for summary in reply.json()["data"]]


def _exported(chat: dict[str, Any]) -> dict[str, Any]:
    question = {"id": "q", "role": "user", "content": chat.get("question", "Question")}
    answer = {"id": "a", "parent": "q", "role": "assistant", "state": "finished"}
    answer["content"] = chat.get("answer", "Answer")
    fields = {name: value for name, value in chat.items() if name not in ("question", "answer")}
    return fields | {"messages": [question, answer], "current": "a"}
