"""Text of strangers in every view of the React page, and an API that is killed and comes back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from benchmarks.processes import free_port
from tests.support.api_process import api_process
from tests.support.browser import HOSTILE, needs_chromium
from tests.support.fake_model_server import EVENTS, Reply, chunk
from tests.support.web_page import WebStack, open_web_page, running_web_stack

pytestmark = needs_chromium

NAME = "<img src=x onerror=document.title='owned'>.txt"
FIELD = "textarea[aria-label=Message]"
ANSWER = "[role=log] section[data-answer]"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("web")) as stack:
        yield stack


@pytest.fixture(scope="module", autouse=True)
def chat(web: WebStack) -> str:
    """The id of a chat whose texts are all hostile; so are a file, a collection and a preset."""
    call = {"id": "1", "type": "function", "function": {"name": "calculate", "arguments": HOSTILE}}
    step = {"state": "finished", "is_error": False, "seconds": 0.1}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": HOSTILE},
        {"role": "assistant", "content": "", "reasoning": HOSTILE, "tool_calls": [call]},
        {"role": "tool", "content": HOSTILE, "tool_call_id": "1", "step": step},
        {"role": "assistant", "content": HOSTILE, "state": "failed"},
    ]
    for number, message in enumerate(messages):
        message |= {"id": str(number), "parent": str(number - 1) if number else None}
    texts = {"title": HOSTILE[:200], "folder": NAME, "system_prompt": HOSTILE, "current": "3"}
    export = {
        "format": "smolchat",
        "version": 1,
        "conversations": [texts | {"messages": messages}],
    }
    with httpx.Client(base_url=web.url) as client:
        file = {"file": (NAME, HOSTILE.encode())}
        for reply in (
            client.post("/files", files=file, data={"purpose": "assistants"}),
            client.post("/v1/vector_stores", json={"name": NAME}),
            client.put(
                "/presets/Mine", json={"parameters": {"smolchat": {"system_prompt": HOSTILE}}}
            ),
            imported := client.post("/conversations/import", json=export),
        ):
            reply.raise_for_status()
    return str(imported.json()["data"][0]["id"])


@pytest.mark.parametrize(
    ("view", "hostile"),
    [
        ("c/{chat}", "costs $5 and $10"),
        ("app/files", NAME),
        ("app/structured", ""),
        ("app/tools", ""),
        ("app/status", ""),
        ("app/settings", ""),
    ],
)
def test_hostile_text_loads_and_runs_nothing(
    web: WebStack, chat: str, browser: Browser, view: str, hostile: str
) -> None:
    requests: list[str] = []
    url = f"{web.url}/{view.format(chat=chat)}"
    with open_web_page(browser, url, color_scheme="dark") as page:
        page.on("request", lambda request: requests.append(request.url))
        page.reload()
        expect(page.locator("main")).to_contain_text(hostile)
        expect(page.get_by_role("button", name=NAME).first).to_be_visible()  # the folder
        for button in page.locator("main button[aria-expanded=false]:visible").all():
            button.click()
            page.keyboard.press("Escape")
        page.wait_for_timeout(500)
        assert page.locator("[onerror], iframe, #root script, a[href^='javascript']").count() == 0
        assert page.title().endswith("SmolChat")
    assert requests
    assert all(url.startswith((web.url, f"blob:{web.url}", "data:")) for url in requests)


def test_hostile_answer_is_streamed_as_text(web: WebStack, browser: Browser) -> None:
    requests: list[str] = []
    pieces = [HOSTILE[start : start + 7] for start in range(0, len(HOSTILE), 7)]
    chunks = [chunk({"content": piece}) for piece in pieces] + [b"data: [DONE]\n\n"]
    web.model.replies.append(Reply(headers=EVENTS, chunks=chunks, interval_seconds=0.005))
    with open_web_page(browser, f"{web.url}/c/temporary") as page:
        page.on("request", lambda request: requests.append(request.url))
        page.fill(FIELD, HOSTILE)
        page.press(FIELD, "Enter")
        expect(page.get_by_role("log")).to_contain_text("costs $5 and $10")
        expect(page.get_by_role("button", name="Stop")).to_have_count(0)
        assert page.locator("[onerror], iframe, #root script, a[href^='javascript']").count() == 0
        assert page.title().endswith("SmolChat")
    assert all(url.startswith(web.url) for url in requests)


def test_killed_api_keeps_the_answer_and_is_used_again(
    web: WebStack, browser: Browser, tmp_path: Path
) -> None:
    port = free_port()
    first = chunk({"content": "Once upon a time"})
    web.model.replies.append(Reply(headers=EVENTS, chunks=[first], end="hang"))
    with api_process(web.model, tmp_path, port=port) as api:
        opened = open_web_page(browser, str(api.base_url))
        page = opened.__enter__()
        page.fill(FIELD, "Tell me a story.")
        page.press(FIELD, "Enter")
        expect(page.locator("[role=log]")).to_contain_text("Once upon a time")
        page.wait_for_url("**/c/*")
        page.reload()
        expect(page.locator("[role=log]")).to_contain_text("Once upon a time")
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        page.wait_for_timeout(1500)  # it is stored once a second
    expect(page.locator("[role=log]")).to_contain_text("Once upon a time")
    with api_process(web.model, tmp_path, port=port):
        page.reload()
        expect(page.locator(ANSWER)).to_contain_text("Once upon a time")
        expect(page.locator(ANSWER)).to_contain_text("The API stopped")
        page.fill(FIELD, "And then?")
        page.press(FIELD, "Enter")
        expect(page.locator(ANSWER)).to_have_count(2)
        expect(page.get_by_role("button", name="Stop")).to_have_count(0)
        opened.__exit__(None, None, None)
