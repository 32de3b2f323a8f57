"""Hostile text in every view of the chat: nothing is loaded, executed or rendered as HTML."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser import IDLE, send_message
from tests.support.browser import (
    HOSTILE,
    SCROLLER,
    Stack,
    needs_chromium,
    running_stack,
    wait_until,
)
from tests.support.fake_model_server import JSON, Reply, stream_reply
from tests.support.uploads import upload, wait_until_read

pytestmark = needs_chromium

LINE = (
    "<img src=http://evil.test/i onerror=document.title='owned'> ![x](http://evil.test/t.png) "
    "[run](javascript:document.title='owned') :material/home: $x$ http://evil.test www.evil.test"
)
PRESET = "[x](http://evil.test) :material/home: $x$ www.evil.test"
# Active elements that are not part of the page itself, whose scripts have its own origin. Only what
# a model writes may have links.
FOREIGN_ELEMENTS = """() => [...document.querySelectorAll(
  "body :is(img, iframe, object, embed, script, base, svg image, [onerror], [onload])," +
  "body [href^='javascript'], body [href*=evil]"
)].filter((node) => !node.matches("[data-testid=stChatMessage] [data-testid=stMarkdown] a"))
  .filter((node) => !(node.src ?? "").startsWith(location.origin + "/"))
  .filter((node) => node.parentElement !== document.body && !node.closest("[data-testid$=Logo]"))
  .map((node) => node.outerHTML.slice(0, 200))"""


class MonitoredPage:
    """A page that records everything it tries to load or run."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.attempts: list[str] = []
        own_urls = (f"{url}/", "data:", f"blob:{url}/")
        page.on("request", lambda request: self._record(request.url, except_prefixes=own_urls))
        page.on(
            "console",
            lambda message: self._record(message.text, if_contains="Content Security Policy"),
        )
        page.on("dialog", lambda dialog: self.attempts.append(dialog.message))

    def _record(
        self, text: str, *, except_prefixes: tuple[str, ...] = (), if_contains: str = ""
    ) -> None:
        if if_contains in text and not text.startswith(except_prefixes):
            self.attempts.append(text)

    def is_harmless(self, *, shows: str, within: str) -> bool:
        """Return True if the hostile text is shown and is nothing but text."""
        elements = self.page.locator(within)
        wait_until(lambda: shows in " ".join(elements.all_inner_texts()), self.page)
        assert self.page.evaluate(FOREIGN_ELEMENTS) == []
        assert self.attempts == []
        return "owned" not in self.page.title()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("data")) as stack:
        entry = {"id": LINE, "object": "model", "created": 1, "owned_by": LINE}
        entry["dmr"] = {"parameters": LINE, "quantization": LINE, "context_window": 8192}
        models = {"object": "list", "data": [entry, entry | {"id": "ai/smollm2:latest"}]}
        stack.model.models = Reply(200, JSON, [json.dumps(models).encode()])
        body = {"parameters": {"temperature": 0.77}}
        httpx.put(f"{stack.api_url}/presets/{quote(PRESET, safe='')}", json=body).raise_for_status()
        yield stack


@pytest.fixture(scope="module")
def chat_url(stack: Stack) -> str:
    """The URL of a conversation in which every field is hostile."""
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
    citation = {"type": "file_citation", "file_id": "file-none", "filename": LINE, "index": 5}
    citation |= {"start": 0, "end": 9, "quote": HOSTILE, "heading": LINE, "match": "quote"}
    passage = {"file_id": "file-none", "filename": LINE, "start": 0, "end": 9, "text": HOSTILE}
    retrieval = {"strategy": LINE, "found": True, "passages": [passage], "read": 1, "of": 9}
    retrieval |= {"suggested_task": {"task": "count", "phrase": LINE}, "nearest": passage}
    retrieval |= {"unread": [{"file_id": "f", "filename": LINE, "status": LINE}]}
    answer |= {"annotations": [citation], "retrieval": retrieval}
    call = {"id": LINE[:200], "type": "function", "function": {"name": LINE, "arguments": LINE}}
    step = {"id": LINE[:200], "tool": LINE, "arguments": {LINE: HOSTILE}, "state": "failed"}
    step |= {"error": HOSTILE, "strategy": LINE}
    result = {"role": "tool", "content": HOSTILE, "tool_call_id": LINE[:200], "step": step}
    error = {"message": HOSTILE, "type": LINE, "code": LINE, "param": LINE}
    messages = [
        {"id": "1", "role": "user", "content": HOSTILE},
        answer | {"id": "2"},
        answer | {"id": "3", "tool_calls": [call]},
        result | {"id": "3t", "parent": "3"},
        {"id": "4", "role": "user", "content": HOSTILE, "parent": "3t"},
        answer | {"id": "5", "parent": "4", "state": "failed", "error": error},
    ]
    chat = {"title": LINE, "system_prompt": HOSTILE, "model": LINE, "messages": messages}
    export = {"format": "smolchat", "version": 1, "conversations": [chat | {"current": "5"}]}
    response = httpx.post(f"{stack.api_url}/conversations/import", json=export, timeout=60)
    return f"{stack.url}/?chat={response.json()['data'][0]['id']}"


@pytest.fixture
def monitored(stack: Stack, chat_url: str, browser: Browser) -> Iterator[MonitoredPage]:
    with browser.new_context(viewport={"width": 1280, "height": 860}) as context:
        page = context.new_page()
        monitored = MonitoredPage(page, stack.url)
        page.goto(chat_url)
        page.wait_for_selector(".st-key-chat_retry button")
        page.wait_for_selector(IDLE)
        yield monitored


def test_hostile_conversation_is_harmless(monitored: MonitoredPage) -> None:
    page = monitored.page
    assert monitored.is_harmless(shows="<img src=", within=".st-key-chat_list button")
    assert monitored.is_harmless(shows=LINE, within=".st-key-chat_head")
    assert monitored.is_harmless(shows="<iframe", within=".st-key-chat_system_note")
    assert monitored.is_harmless(shows="![a](http", within="[class*=st-key-chat_user_]")
    assert monitored.is_harmless(shows="<iframe", within="[data-testid=stAlert]")
    assert monitored.is_harmless(shows="<img src=", within="[class*=st-key-chat_stats_]")
    assert monitored.is_harmless(shows="<img src=", within="[data-testid=stChatMessage] summary")
    assert monitored.is_harmless(shows="<iframe", within="[data-testid=stChatMessage] .stCode")
    for expander in page.locator("[data-testid=stChatMessage] summary").all():
        if not expander.evaluate("summary => summary.parentElement.open"):
            expander.click()
    page.wait_for_selector("[data-testid=stChatMessage] details[open]")
    assert monitored.is_harmless(shows="<iframe", within="details[open] [data-testid=stMarkdown]")
    assert monitored.is_harmless(shows=PRESET, within=".st-key-preset button")
    page.click(".st-key-model_choice input")
    assert monitored.is_harmless(shows="<img src=", within="[role=option]")


def test_citations_are_harmless(monitored: MonitoredPage) -> None:
    page = monitored.page
    assert monitored.is_harmless(shows="from <img src=", within="[data-testid=stCaptionContainer]")
    assert monitored.is_harmless(shows="Count the mentions of “<img", within=".stMain button")
    for button in (
        "[class*=st-key-chat_citations_] button",
        "[class*=st-key-chat_nearest_] button",
    ):
        assert monitored.is_harmless(shows="<img src=", within="[class*=st-key-chat_citations_]")
        page.locator(button).last.click()
        page.wait_for_selector("[role=dialog] .file-text")
        assert monitored.is_harmless(shows="<iframe src=", within="[role=dialog] .file-text")
        page.keyboard.press("Escape")
        page.wait_for_selector("[role=dialog]", state="detached")


def test_files_page_is_harmless(monitored: MonitoredPage, stack: Stack) -> None:
    page, name = monitored.page, LINE.replace("/", "\N{FRACTION SLASH}")
    with httpx.Client(base_url=stack.api_url, timeout=20) as client:
        file = upload(client, HOSTILE.encode(), f"{name}.txt")
        wait_until_read(client, file["id"])
        collection = {"name": LINE, "file_ids": [file["id"]]}
        client.post("/v1/vector_stores", json=collection).raise_for_status()
    page.goto(f"{stack.url}/files")
    assert monitored.is_harmless(shows="<img src=", within="[class*=st-key-files_row_]")
    page.get_by_role("button", name="View text").click()
    assert monitored.is_harmless(shows="<iframe src=", within="[role=dialog] .file-text")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Collections").click()
    assert monitored.is_harmless(shows="<img src=", within="[class*=st-key-files_collection_vs]")
    page.get_by_role("button", name="Files…").click()
    assert monitored.is_harmless(shows="<img src=", within="[class*=st-key-files_member_]")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Search").click()
    page.get_by_label("Search files").fill("evil")
    page.keyboard.press("Enter")
    assert monitored.is_harmless(shows="<iframe src=", within="[class*=st-key-files_hit_]")


def test_message_dialogs_are_harmless(monitored: MonitoredPage) -> None:
    page = monitored.page
    for choice, element, shows in (
        ("Generation stats", "table", "<img src="),
        ("Token probabilities", ".tokens", "<img src="),
    ):
        page.locator("[data-testid=stMenuButton] button").nth(1).click()
        page.click(f"[role=menuitem]:has-text('{choice}')")
        page.wait_for_selector(f"[role=dialog] {element}")
        assert monitored.is_harmless(shows=shows, within=f"[role=dialog] {element}")
        if choice == "Token probabilities":
            assert LINE in str(page.get_attribute(".tokens span[title*=evil]", "title"))
        page.keyboard.press("Escape")
        page.wait_for_selector("[role=dialog]", state="detached")


def test_exported_files_have_harmless_names_and_html(
    monitored: MonitoredPage, tmp_path: Path
) -> None:
    page = monitored.page
    # A chat is scrolled to its end until it has stopped growing: an open menu would leave the view.
    heights: list[int] = []

    def is_settled() -> bool:
        page.wait_for_timeout(500)
        heights.append(page.evaluate(f"{SCROLLER}.scrollHeight"))
        return len(heights) > 3 and len(set(heights[-4:])) == 1

    wait_until(is_settled, page)
    page.click(".st-key-chat_menu button")
    for format_ in ("markdown", "html", "json"):
        with page.expect_download() as download:
            page.click(f".st-key-chat_export_{format_} button")
        assert not set('/\\:*?"<>|') & set(download.value.suggested_filename)
        if format_ == "html":
            download.value.save_as(tmp_path / "chat.html")
    title = page.input_value("[class*=st-key-chat_title_] input")
    assert title == LINE
    assert monitored.is_harmless(shows=LINE, within=".st-key-chat_head")
    file = (tmp_path / "chat.html").as_uri()
    file_page = page.context.new_page()
    exported = MonitoredPage(file_page, file)
    file_page.goto(file)
    attempts = [url for url in exported.attempts if url != file]
    assert LINE in file_page.inner_text("h1")
    assert file_page.locator("img, iframe, script").count() == 0
    assert (attempts, file_page.title()) == ([], LINE)


def test_answers_side_by_side_are_harmless(monitored: MonitoredPage, stack: Stack) -> None:
    page = monitored.page
    deltas = [HOSTILE[at : at + 40] for at in range(0, len(HOSTILE), 40)]
    stack.model.replies += [stream_reply(deltas), stream_reply(deltas)]
    page.click(".st-key-chat_new button")
    page.click(".st-key-chat_answers button:has-text('2')")
    page.wait_for_selector(IDLE)
    send_message(page, HOSTILE)
    page.wait_for_selector("[class*=st-key-chat_keep_] button")
    page.wait_for_selector(IDLE)
    answers = "[data-testid=stColumn] [data-testid=stChatMessage]"
    assert monitored.is_harmless(shows="<iframe", within=answers)
    assert page.locator(answers).count() == 2


def test_status_page_is_harmless(monitored: MonitoredPage, stack: Stack) -> None:
    page = monitored.page
    page.goto(f"{stack.url}/status")
    page.wait_for_selector(".st-key-status_packages")
    for expander in page.locator(".stMain summary").all():
        expander.click()
    page.wait_for_selector("[data-testid=stVegaLiteChart] :is(canvas, svg)")
    assert monitored.is_harmless(shows="<img src=", within=".stMain")
