"""Files in Chromium: upload, ask, open the citation, delete; and what a phone shows of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import IDLE, INPUT, send_message
from tests.support.browser import (
    LOW_CONTRAST_TEXTS,
    Stack,
    needs_chromium,
    open_page,
    running_stack,
    wait_until_answered,
    wait_until_rendered,
)
from tests.support.chronicle import FACT, write_chronicle

pytestmark = needs_chromium

NUMBER = "[data-testid=stChatMessage] a[href*='#cite-']"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("data")) as stack:
        yield stack


@pytest.fixture
def chronicle(tmp_path: Path) -> Path:
    return write_chronicle(tmp_path)


def open_citation(page: Page) -> None:
    """Open the first citation by its number: the quote is marked, and in view."""
    page.wait_for_selector(IDLE)
    page.locator(NUMBER).first.click()
    page.wait_for_selector("[role=dialog] .file-text mark")
    mark = page.locator("[role=dialog] .file-text mark")
    expect(mark).to_have_text(FACT)
    expect(mark).to_be_in_viewport()
    expect(page.locator("[role=dialog]")).to_contain_text("Page 11")
    page.wait_for_selector(IDLE)


def close_dialog(page: Page) -> None:
    page.locator("[role=dialog] button[aria-label=Close]").click()
    page.wait_for_selector("[role=dialog]", state="detached")


def test_file_is_uploaded_asked_cited_and_deleted(
    stack: Stack, browser: Browser, chronicle: Path
) -> None:
    with open_page(browser, stack.url) as page:
        page.get_by_role("link", name="Files").click()
        page.locator("[data-testid=stFileUploader] input").set_input_files(chronicle)
        page.wait_for_selector("[class*=st-key-files_row_]:has-text('Ready')")
        page.get_by_role("button", name="Ask in a chat").click()
        page.wait_for_selector(INPUT)
        wait_until_rendered(page)
        send_message(page, "Who wound the town clock of Arvenholt?")
        wait_until_answered(page)
        expect(page.locator("[data-testid=stChatMessage]").last).to_contain_text("Read ")
        open_citation(page)
        close_dialog(page)
        page.reload()
        page.wait_for_selector(NUMBER)
        page.wait_for_selector(IDLE)
        open_citation(page)
        close_dialog(page)
        page.get_by_role("link", name="Files").click()
        page.locator("[class*=st-key-files_menu_] button").click()
        page.get_by_role("menuitem", name="Delete…").click()
        page.locator(".st-key-files_delete button").click()
        page.get_by_text("No files yet").wait_for()


def test_file_is_added_to_a_message_on_a_phone(
    stack: Stack, browser: Browser, chronicle: Path
) -> None:
    with open_page(browser, stack.url, width=390, height=844) as page:
        page.locator("[data-testid=stChatInput] input[type=file]").set_input_files(chronicle)
        expect(page.locator("[data-testid=stChatInput]")).to_contain_text("KB")
        send_message(page, "Who wound the town clock of Arvenholt?")
        wait_until_answered(page)
        assert page.evaluate(LOW_CONTRAST_TEXTS) == []
        open_citation(page)
        assert page.evaluate(LOW_CONTRAST_TEXTS) == []
        close_dialog(page)
        page.locator(".st-key-chat_file_panel button").click()
        page.wait_for_selector("[data-testid=stPopoverBody] [class*=st-key-chat_file_mode_]")
        assert page.evaluate(LOW_CONTRAST_TEXTS) == []
        assert page.evaluate("document.documentElement.scrollWidth") == 390
