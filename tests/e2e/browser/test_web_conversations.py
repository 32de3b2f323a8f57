"""The React page's list of chats in a browser: search, folders, menus, undo, phones, two tabs."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import HOSTILE, LOW_CONTRAST_TEXTS, needs_chromium
from tests.support.fake_model_server import EVENTS, Reply, chunk
from tests.support.structured_responses import text_reply
from tests.support.web_page import (
    FOCUSED,
    WebStack,
    import_chats,
    open_web_page,
    running_web_stack,
)

pytestmark = needs_chromium

PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("web")) as stack:
        yield stack


@pytest.fixture(scope="module", autouse=True)
def web_without_trash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("web"), trash_days=0) as stack:
        yield stack


@pytest.fixture
def chats(web: WebStack) -> list[str]:
    """The ids of three chats: of today, yesterday and last year."""
    httpx.delete(f"{web.url}/conversations?confirm=all&permanent=true").raise_for_status()
    web.model.replies.clear()
    now = datetime.now(UTC)
    times = [(now - timedelta(days=days)).isoformat() for days in (0, 1, 400)]
    titles = ["Lighthouses", "Rivers", "Mountains"]
    answer = "By the sea stood a <b>tower</b>, and in the tower a lamp."
    return import_chats(
        web.url,
        [
            {"title": title, "answer": answer, "created_at": time, "updated_at": time}
            for title, time in zip(titles, times, strict=True)
        ],
    )


@pytest.fixture
def page(web: WebStack, chats: list[str], browser: Browser) -> Iterator[Page]:  # noqa: ARG001
    with open_web_page(browser, f"{web.url}/app/status") as page:
        page.wait_for_selector("[data-chat-link]")
        yield page


def titles(page: Page) -> list[str]:
    return page.locator("[data-chat-link]").all_inner_texts()


def headings(page: Page) -> list[str]:
    return page.locator("nav[aria-label=Chats] h2").all_inner_texts()


def choose(page: Page, title: str, item: str) -> None:
    """Choose an item of a chat's menu by the keyboard."""
    page.get_by_role("link", name=title, exact=True).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("menuitem", name=item).press("Enter")


def expect_focus(page: Page, name: str) -> None:
    page.wait_for_function(f"(name) => ({FOCUSED})().trim() === name", arg=name)


def test_chats_are_links_by_day(page: Page, chats: list[str]) -> None:
    assert titles(page) == ["Lighthouses", "Rivers", "Mountains"]
    last_year = datetime.now(UTC) - timedelta(days=400)
    assert headings(page) == ["Today", "Yesterday", f"{last_year:%B %Y}"]
    page.get_by_role("link", name="Rivers").click(modifiers=["ControlOrMeta"])
    page.get_by_role("link", name="Rivers").click()
    page.wait_for_url(f"**/c/{chats[1]}")
    assert page.locator("[data-chat-link][aria-current=page]").inner_text() == "Rivers"
    expect(page).to_have_title(re.compile("^Rivers "))


def test_search_marks_the_text_in_titles_and_messages(page: Page) -> None:
    page.get_by_label("Search chats").fill("TOWER")
    page.wait_for_selector("nav[aria-label=Chats] mark")
    assert titles(page)[0].startswith("Lighthouses")
    assert "<b>tower</b>" in page.locator("[data-chat-link]").first.inner_text()
    assert set(page.locator("mark").all_inner_texts()) == {"tower"}
    page.get_by_label("Search chats").fill("river")
    expect(page.locator("[data-chat-link]")).to_have_count(1)
    assert page.locator("mark").all_inner_texts() == ["River"]
    page.keyboard.press("ArrowDown")
    expect_focus(page, "Rivers")
    page.get_by_label("Search chats").fill("nothing has this")
    expect(page.locator("nav [role=status]").first).to_have_text("No chats found")
    page.keyboard.press("Escape")
    expect(page.locator("[data-chat-link]")).to_have_count(3)


def test_pin_rename_and_move_keep_the_focus_at_the_chat(page: Page) -> None:
    choose(page, "Rivers", "Pin")
    expect(page.locator("nav[aria-label=Chats] h2").first).to_have_text("Pinned")
    expect_focus(page, "Rivers")
    page.keyboard.press("F2")
    expect_focus(page, "Title of the chat")
    page.keyboard.type("Streams")
    page.keyboard.press("Escape")
    expect_focus(page, "Rivers")
    page.keyboard.press("F2")
    page.keyboard.type("Streams")
    page.keyboard.press("Enter")
    expect_focus(page, "Streams")
    choose(page, "Mountains", "Move to folder")
    expect(page.get_by_label("New folder")).to_be_focused()
    page.keyboard.type("Alps")
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="Alps").locator("[data-chat-link]")).to_have_text(
        "Mountains"
    )
    expect_focus(page, "Mountains")
    page.reload()
    expect(page.locator("[data-chat-link]")).to_have_text(["Streams", "Mountains", "Lighthouses"])


def test_folder_is_renamed_and_deleted_without_its_chats(
    page: Page, web: WebStack, chats: list[str]
) -> None:
    httpx.patch(f"{web.url}/conversations/{chats[2]}", json={"folder": "Alps"})
    page.reload()
    page.get_by_role("button", name="Alps 1").hover()
    page.get_by_role("button", name="Options for folder Alps").click()
    page.get_by_role("menuitem", name="Rename").click()
    page.keyboard.type("Hills")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Hills 1").click()
    expect(page.get_by_role("list", name="Hills").locator("[data-chat-link]")).to_have_count(1)
    page.get_by_role("button", name="Options for folder Hills").click()
    page.get_by_role("menuitem", name="Delete folder, keep chats").click()
    expect(page.get_by_text("Folders")).to_have_count(0)
    expect(page.locator("[data-chat-link]")).to_have_count(3)


def test_deleted_chat_is_restored_by_undo(page: Page, web: WebStack, chats: list[str]) -> None:
    page.goto(f"{web.url}/c/{chats[1]}")
    page.get_by_role("link", name="Rivers").focus()
    page.keyboard.press("Delete")
    page.wait_for_url(f"{web.url}/")
    assert titles(page) == ["Lighthouses", "Mountains"]
    assert httpx.get(f"{web.url}/conversations/{chats[1]}").status_code == 404
    page.locator("main").click(position={"x": 20, "y": 400})
    page.keyboard.press("Control+z")
    page.wait_for_url(f"**/c/{chats[1]}")
    expect(page.locator("[data-chat-link]")).to_have_text(["Lighthouses", "Rivers", "Mountains"])


def test_chat_is_deleted_for_good_only_after_a_question(
    web_without_trash: WebStack, browser: Browser
) -> None:
    import_chats(web_without_trash.url, [{"title": "Last"}])
    with open_web_page(browser, f"{web_without_trash.url}/app/status") as page:
        choose(page, "Last", "Delete")
        dialog = page.get_by_role("dialog", name="Delete chat?")
        expect(dialog).to_contain_text("cannot be undone")
        dialog.get_by_role("button", name="Cancel").click()
        expect_focus(page, "Last")
        choose(page, "Last", "Delete")
        dialog.get_by_role("button", name="Delete").click()
        expect(page.locator("[data-chat-link]")).to_have_count(0)
        expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_title_by_the_model_and_copy(page: Page, web: WebStack) -> None:
    web.model.replies.append(text_reply('{"title": "A Tower by the Sea"}'))
    choose(page, "Lighthouses", "Generate title")
    expect(page.locator("[data-chat-link]").first).to_have_text("A Tower by the Sea")
    choose(page, "A Tower by the Sea", "Duplicate")
    page.wait_for_url("**/c/*")
    expect(page.locator("[data-chat-link]")).to_have_count(4)


@pytest.mark.parametrize(
    ("file_format", "suffix"), [("JSON", "json"), ("Markdown", "md"), ("HTML", "html")]
)
def test_chat_is_exported(page: Page, file_format: str, suffix: str) -> None:
    with page.expect_download() as download:
        choose(page, "Rivers", file_format)
    assert download.value.suggested_filename == f"Rivers.{suffix}"
    assert "tower" in Path(download.value.path()).read_text()


def test_long_list_is_loaded_as_it_is_scrolled(
    web: WebStack, chats: list[str], browser: Browser
) -> None:
    assert chats
    import_chats(web.url, [{"title": f"Chat {number}"} for number in range(150)])
    with open_web_page(browser, f"{web.url}/app/status") as page:
        page.wait_for_selector("[data-chat-link]")
        for _ in range(20):
            page.locator("nav[aria-label=Chats]").evaluate("list => list.scrollTo(0, 1e6)")
            if page.get_by_role("link", name="Mountains").count():
                break
            page.wait_for_timeout(100)
        expect(page.get_by_role("link", name="Mountains")).to_be_visible()
        assert page.locator("[data-chat-link]").count() < 80


def test_answering_chat_is_marked_in_another_tab(
    page: Page, web: WebStack, chats: list[str]
) -> None:
    web.model.replies.append(Reply(headers=EVENTS, chunks=[chunk({"content": "Once"})], end="hang"))
    options = {"conversation": chats[0], "detach": True}
    body = {"messages": [{"role": "user", "content": "Go on"}], "smolchat": options}
    with (
        httpx.Client(base_url=web.url) as client,
        client.stream("POST", "/chat", json=body | {"stream": True}) as response,
    ):
        next(response.iter_raw())
        page.goto(f"{web.url}/app/settings")
        expect(page.get_by_role("img", name="Answering")).to_be_visible()
    httpx.post(f"{web.url}/conversations/{chats[0]}/stop").raise_for_status()
    expect(page.get_by_role("img", name="New answer")).to_be_visible()
    page.locator("[data-chat-link]").first.click()
    expect(page.get_by_role("img", name="New answer")).to_have_count(0)


def test_drawer_of_a_phone_closes_when_something_was_chosen(
    web: WebStack, chats: list[str], browser: Browser
) -> None:
    with open_web_page(browser, f"{web.url}/app/status", **PHONE) as page:
        page.get_by_role("button", name="Open sidebar").tap()
        drawer = page.get_by_role("dialog", name="Chats and pages")
        drawer.get_by_role("button", name="Options for Rivers").tap()
        page.get_by_role("menuitem", name="Delete").tap()
        drawer.get_by_role("button", name="Undo").tap()
        drawer.get_by_role("link", name="Rivers").tap()
        page.wait_for_url(f"**/c/{chats[1]}")
        expect(drawer).to_have_count(0)
        assert page.locator("header").get_by_role("link", name="New chat").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_of_strangers_is_only_text(
    web: WebStack, chats: list[str], browser: Browser, scheme: str
) -> None:
    assert chats
    import_chats(web.url, [{"title": HOSTILE[:200], "question": HOSTILE, "answer": HOSTILE}])
    requests: list[str] = []
    with open_web_page(browser, f"{web.url}/app/status", color_scheme=scheme) as page:
        page.on("request", lambda request: requests.append(request.url))
        page.get_by_label("Search chats").fill("evil.test")
        page.wait_for_selector("mark")
        page.wait_for_timeout(300)  # until transitions have ended
        assert page.evaluate(LOW_CONTRAST_TEXTS) == []
        assert page.title().startswith("Status ")
    assert all(url.startswith(web.url) for url in requests)
