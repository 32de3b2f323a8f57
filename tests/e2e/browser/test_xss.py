"""Hostile text in every view of the chat: nothing is loaded, nothing runs, nothing is drawn."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser import IDLE, ask
from tests.support.browser import HOSTILE, Stack, needs_chromium, running_stack, wait_until
from tests.support.fake_model_server import JSON, Reply, stream_of

pytestmark = needs_chromium

LINE = (
    "<img src=http://evil.test/i onerror=document.title='owned'> ![x](http://evil.test/t.png) "
    "[run](javascript:document.title='owned') :material/home: $x$"
)
# What is no part of the page itself, whose scripts come from where it comes from.
FOREIGN = """() => [...document.querySelectorAll(
  "body :is(img, iframe, object, embed, script, base, svg image, [onerror], [onload])," +
  "body [href^='javascript']"
)].filter((one) => !(one.src ?? "").startsWith(location.origin + "/"))
  .filter((one) => one.parentElement !== document.body && !one.closest("[data-testid$=Logo]"))
  .map((one) => one.outerHTML.slice(0, 200))"""


class Watched:
    """A page, and all that it tried to load or to run."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.tried: list[str] = []
        allowed = (f"{url}/", "data:", f"blob:{url}/")
        page.on("request", lambda request: self._note(request.url, not_from=allowed))
        page.on("console", lambda said: self._note(said.text, on="Content Security Policy"))
        page.on("dialog", lambda dialog: self.tried.append(dialog.message))

    def _note(self, text: str, *, not_from: tuple[str, ...] = (), on: str = "") -> None:
        if on in text and not (not_from and text.startswith(not_from)):
            self.tried.append(text)

    def is_harmless(self, *, shows: str, within: str) -> bool:
        """Tell whether the hostile words are there, and are no more than words."""
        shown = self.page.locator(within)
        wait_until(lambda: shows in " ".join(shown.all_inner_texts()), self.page)
        assert self.page.evaluate(FOREIGN) == []
        assert self.tried == []
        return "owned" not in self.page.title()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("kept")) as stack:
        entry = {"id": LINE, "object": "model", "created": 1, "owned_by": LINE}
        entry["dmr"] = {"parameters": LINE, "quantization": LINE, "context_window": 8192}
        listed = {"object": "list", "data": [entry, entry | {"id": "ai/smollm2:latest"}]}
        stack.model.models = Reply(200, JSON, [json.dumps(listed).encode()])
        yield stack


@pytest.fixture(scope="module")
def address(stack: Stack) -> str:
    """The address of a conversation in which everything is hostile."""
    token = {"token": LINE, "logprob": -0.1, "top_logprobs": [{"token": LINE, "logprob": -2.0}]}
    receipt = {
        "model": LINE,
        "finish_reason": LINE,
        "total_ms": 1,
        "first_token_ms": 200,
        "seed": 7,
    }
    receipt |= {"completion_tokens_per_second": 20}
    answer: dict[str, Any] = {"role": "assistant", "content": HOSTILE, "reasoning": HOSTILE}
    answer |= {"model": LINE, "parameters": {"stop": [LINE], LINE: LINE}, "receipt": receipt}
    answer |= {"state": "finished", "logprobs": [token], "parent": "1"}
    error = {"message": HOSTILE, "type": LINE, "code": LINE, "param": LINE}
    messages = [
        {"id": "1", "role": "user", "content": HOSTILE},
        answer | {"id": "2"},
        answer | {"id": "3"},
        {"id": "4", "role": "user", "content": HOSTILE, "parent": "3"},
        answer | {"id": "5", "parent": "4", "state": "failed", "error": error},
    ]
    chat = {"title": LINE, "system_prompt": HOSTILE, "model": LINE, "messages": messages}
    told = {"format": "smolchat", "version": 1, "conversations": [chat | {"current": "5"}]}
    response = httpx.post(f"{stack.api_url}/conversations/import", json=told)
    return f"{stack.url}/?chat={response.json()['data'][0]['id']}"


@pytest.fixture
def watched(stack: Stack, address: str, browser: Browser) -> Iterator[Watched]:
    with browser.new_context(viewport={"width": 1280, "height": 860}) as context:
        page = context.new_page()
        watched = Watched(page, stack.url)
        page.goto(address)
        page.wait_for_selector(".st-key-chat_retry button")
        page.wait_for_selector(IDLE)
        yield watched


def test_a_hostile_conversation_is_shown_as_it_is(watched: Watched) -> None:
    page = watched.page
    assert watched.is_harmless(shows="<img src=", within=".st-key-chat_list button")
    assert watched.is_harmless(shows=LINE, within=".st-key-chat_head")
    assert watched.is_harmless(shows="<iframe", within=".st-key-chat_system_note")
    assert watched.is_harmless(shows="![a](http", within="[class*=st-key-chat_user_]")
    assert watched.is_harmless(shows="<iframe", within="[data-testid=stAlert]")
    assert watched.is_harmless(shows="<img src=", within="[class*=st-key-chat_facts_]")
    for folded in page.locator("[data-testid=stChatMessage] summary").all():
        folded.click()
    page.wait_for_selector("[data-testid=stChatMessage] details[open]")
    assert watched.is_harmless(shows="<iframe", within="details[open] [data-testid=stMarkdown]")
    page.click(".st-key-model_choice input")
    assert watched.is_harmless(shows="<img src=", within="[role=option]")


def test_what_a_menu_opens_is_harmless(watched: Watched) -> None:
    page = watched.page
    for choice, drawn, shows in (
        ("Copy", "code", "<iframe"),
        ("Numbers", "table", "<img src="),
        ("Probabilities", ".tokens", "<img src="),
    ):
        page.locator("[data-testid=stMenuButton] button").nth(1).click()
        page.click(f"[role=menuitem]:has-text('{choice}')")
        page.wait_for_selector(f"[role=dialog] {drawn}")
        assert watched.is_harmless(shows=shows, within=f"[role=dialog] {drawn}")
        if choice == "Probabilities":
            assert LINE in str(page.get_attribute(".tokens span[title*=evil]", "title"))
        page.keyboard.press("Escape")
        page.wait_for_selector("[role=dialog]", state="detached")


def test_files_have_harmless_names_and_the_web_page_is_harmless(
    watched: Watched, tmp_path: Path
) -> None:
    page = watched.page
    page.click(".st-key-chat_menu button")
    for form in ("markdown", "html", "json"):
        with page.expect_download() as download:
            page.click(f".st-key-chat_export_{form} button")
        assert not set('/\\:*?"<>|') & set(download.value.suggested_filename)
        if form == "html":
            download.value.save_as(tmp_path / "chat.html")
    title = page.input_value("[class*=st-key-chat_title_] input")
    assert title == LINE
    assert watched.is_harmless(shows=LINE, within=".st-key-chat_head")
    file = (tmp_path / "chat.html").as_uri()
    told = page.context.new_page()
    saved = Watched(told, file)
    told.goto(file)
    loaded = [there for there in saved.tried if there != file]
    assert LINE in told.inner_text("h1")
    assert told.locator("img, iframe, script").count() == 0
    assert (loaded, told.title()) == ([], LINE)


def test_answers_side_by_side_are_harmless(watched: Watched, stack: Stack) -> None:
    page = watched.page
    pieces = [HOSTILE[at : at + 40] for at in range(0, len(HOSTILE), 40)]
    stack.model.replies += [stream_of(pieces), stream_of(pieces)]
    page.click(".st-key-chat_new button")
    page.click(".st-key-chat_answers button:has-text('2')")
    page.wait_for_selector(IDLE)
    ask(page, HOSTILE)
    page.wait_for_selector("[class*=st-key-chat_keep_] button")
    page.wait_for_selector(IDLE)
    answers = "[data-testid=stColumn] [data-testid=stChatMessage]"
    assert watched.is_harmless(shows="<iframe", within=answers)
    assert page.locator(answers).count() == 2


def test_the_page_of_status_is_harmless(watched: Watched, stack: Stack) -> None:
    page = watched.page
    page.goto(f"{stack.url}/status")
    page.wait_for_selector(".st-key-status_packages")
    for folded in page.locator(".stMain summary").all():
        folded.click()
    page.wait_for_selector("[data-testid=stVegaLiteChart] :is(canvas, svg)")
    assert watched.is_harmless(shows="<img src=", within=".stMain")
