"""The React page's menu of commands and its keys in a browser."""

from collections.abc import Iterator
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import LOW_CONTRAST_TEXTS, needs_chromium
from tests.support.requests import MODEL_ID
from tests.support.web_page import WebStack, import_chats, open_web_page, running_web_stack

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("web")) as stack:
        import_chats(stack.url, [{"title": "Rivers", "answer": "The Danube is long."}])
        yield stack


@pytest.fixture
def page(web: WebStack, browser: Browser) -> Iterator[Page]:
    with open_web_page(browser, f"{web.url}/app/settings") as page:
        page.wait_for_selector("[data-chat-link]")
        yield page


def options(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Commands").get_by_role("option")


def run_command(page: Page, text: str) -> None:
    page.keyboard.press("ControlOrMeta+k")
    expect(page.get_by_role("combobox", name="Search chats and commands")).to_be_focused()
    page.keyboard.type(text)
    expect(options(page).first).to_contain_text(text, ignore_case=True)
    page.keyboard.press("Enter")


def test_commands_are_run_by_the_keyboard(page: Page, web: WebStack) -> None:
    run_command(page, "dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    run_command(page, "status")
    page.wait_for_url("**/app/status")
    run_command(page, "danube")
    page.wait_for_url("**/c/*")
    run_command(page, MODEL_ID)
    expect(page.get_by_role("status").filter(has_text=f"from {MODEL_ID}")).to_be_visible()
    chat = page.url.rpartition("/")[2]
    assert httpx.get(f"{web.url}/conversations/{chat}").json()["model"] == MODEL_ID
    run_command(page, "temporary")
    page.wait_for_url("**/c/temporary")
    page.keyboard.press("Control+Shift+o")
    page.wait_for_url(f"{web.url}/")


def test_arrows_choose_and_escape_gives_the_focus_back(page: Page) -> None:
    field = page.get_by_label("Search chats", exact=True)
    field.focus()
    page.keyboard.press("ControlOrMeta+k")
    expect(options(page).first).to_have_attribute("aria-selected", "true")
    expect(options(page).last).to_have_text("Rivers")
    page.keyboard.press("ArrowUp")
    expect(options(page).last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(options(page).first).to_have_attribute("aria-selected", "true")
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []
    page.keyboard.type("nothing has this")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.keyboard.press("Escape")
    expect(field).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_chosen_row_of_a_menu_is_seen(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.keyboard.press("ControlOrMeta+k")
    options(page).nth(2).hover()  # the pointer chooses, too
    expect(options(page).nth(2)).to_have_attribute("aria-selected", "true")
    expect(options(page).first).to_have_attribute("aria-selected", "false")
    assert stands_out(options(page).nth(2))
    page.keyboard.press("Escape")
    page.locator("[data-chat-link]").first.hover()
    page.get_by_role("button", name="Options for").first.press("Enter")
    items = page.get_by_role("menuitem")
    items.first.press("ArrowDown")
    expect(items.nth(1)).to_be_focused()
    assert stands_out(items.nth(1))


def stands_out(row: Locator) -> bool:
    """Return True if the row has another background than its menu."""
    colors = row.evaluate(
        """(row) => [row, row.closest("[role=menu], dialog, [role=dialog]")].map(
          (each) => getComputedStyle(each).backgroundColor)"""
    )
    return len(set(colors)) == 2


def test_keys_are_listed_but_not_while_text_is_typed(page: Page) -> None:
    page.get_by_label("Search chats", exact=True).press("?")
    page.locator("main").focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_contain_text("New chat")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("Control+Shift+s")
    expect(page.get_by_role("complementary")).to_have_count(0)
    page.keyboard.press("Control+Shift+s")
    expect(page.get_by_role("complementary")).to_be_visible()
