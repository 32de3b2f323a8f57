"""The React page's settings in a browser: preferences, export, import, and deleting everything."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.api_server import API_KEY
from tests.support.browser import LOW_CONTRAST_TEXTS, needs_chromium
from tests.support.web_page import WebStack, import_chats, open_web_page, running_web_stack

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("web")) as stack:
        yield stack


@pytest.fixture(scope="module", autouse=True)
def web_with_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("web"), api_key=API_KEY) as stack:
        yield stack


@pytest.fixture
def page(web: WebStack, browser: Browser) -> Iterator[Page]:
    httpx.delete(f"{web.url}/conversations?confirm=all&permanent=true").raise_for_status()
    import_chats(web.url, [{"title": "Rivers"}])
    with open_web_page(browser, f"{web.url}/app/settings", locale="en-US") as page:
        page.wait_for_selector("[data-chat-link]")
        yield page


def test_preferences_are_kept_and_take_effect_before_the_page_is_painted(page: Page) -> None:
    page.get_by_label("Dark").check()
    page.get_by_label("Compact").check()
    page.get_by_label("Dates and numbers").select_option("de-DE")
    expect(page.get_by_text("1.234.567")).to_be_visible()
    page.reload(wait_until="commit")
    page.wait_for_selector("body")
    assert page.evaluate("({...document.documentElement.dataset})") == {
        "theme": "dark",
        "density": "compact",
    }
    expect(page.get_by_text("1.234.567")).to_be_visible()
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []


def test_import_names_what_was_left_out(page: Page, tmp_path: Path) -> None:
    message = {"id": "q", "role": "user", "content": "Hello"}
    chats = [{"title": "Good", "messages": [message]}, {"title": "<b>Bad</b>", "messages": 3}]
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps({"format": "smolchat", "version": 1, "conversations": chats}))
    bad.write_text("no JSON")
    page.get_by_label("Files with chats").set_input_files([good, bad])
    expect(page.get_by_text("1 chat imported")).to_contain_text("<b>Bad</b> (the whole chat)")
    expect(page.get_by_role("alert")).to_contain_text("JSON")
    expect(page.locator("[data-chat-link]").filter(has_text="Good")).to_be_visible()


def test_export_with_a_key_holds_all_chats(web_with_key: WebStack, browser: Browser) -> None:
    with open_web_page(browser, f"{web_with_key.url}/app/settings") as page:
        page.get_by_role("textbox", name="Key").fill(API_KEY)
        page.keyboard.press("Enter")
        with page.expect_download() as download:
            page.get_by_role("button", name="Export all chats").click()
        assert download.value.suggested_filename == "conversations.json"
        export = json.loads(Path(download.value.path()).read_text())
        assert export["format"] == "smolchat"
        assert API_KEY not in page.url


def test_deleted_chats_are_restored_or_deleted_for_good(page: Page, web: WebStack) -> None:
    page.get_by_role("link", name="Rivers").press("Delete")
    page.get_by_role("button", name="Restore Rivers").click()
    expect(page.get_by_role("link", name="Rivers")).to_be_visible()
    page.get_by_role("link", name="Rivers").press("Delete")
    page.get_by_role("button", name="Delete Rivers for good").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Restore Rivers")).to_have_count(0)
    assert httpx.get(f"{web.url}/conversations?deleted=true").json()["data"] == []


def test_all_data_is_deleted_after_it_was_confirmed(page: Page, web: WebStack) -> None:
    httpx.put(f"{web.url}/presets/Mine", json={"parameters": {"top_k": 3}}).raise_for_status()
    upload = httpx.post(
        f"{web.url}/files", files={"file": ("a.txt", b"Hello")}, data={"purpose": "assistants"}
    )
    upload.raise_for_status()
    page.get_by_label("Dark").check()
    page.get_by_role("button", name="Delete all data").click()
    dialog = page.get_by_role("dialog")
    for name in ("All files", "All presets", "Settings, drafts"):
        dialog.get_by_label(name).check()
    expect(dialog.get_by_role("button", name="Delete for good")).to_be_disabled()
    dialog.get_by_label("Type").fill("delete")
    dialog.get_by_role("button", name="Delete for good").click()
    page.wait_for_url(f"{web.url}/")
    for path in ("conversations", "conversations?deleted=true", "presets", "files"):
        assert httpx.get(f"{web.url}/{path}").json()["data"] == []
    assert page.evaluate("document.documentElement.dataset.theme") is None
