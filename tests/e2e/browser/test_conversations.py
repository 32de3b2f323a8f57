"""Stored conversations in a browser: versions, reloads, closed tabs, a killed API, files."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser import IDLE, send_message
from benchmarks.processes import free_port
from tests.support.api_process import api_process
from tests.support.browser import (
    Stack,
    answer_text,
    message_texts,
    needs_chromium,
    open_page,
    running_page,
    wait_until,
    wait_until_answered,
    wait_until_rendered,
)
from tests.support.fake_model_server import (
    EVENTS,
    FakeModelServer,
    Reply,
    chunk,
    running_fake_model_server,
    stream_reply,
)

pytestmark = needs_chromium

UNFINISHED = Reply(headers=EVENTS, chunks=[chunk({"content": "Once upon"})], end="hang")
SIDEBAR = "[data-testid=stSidebar]"


@pytest.fixture(scope="module")
def fragile_stack() -> Iterator[Stack]:
    """A stack whose API is started and killed by each test."""
    api_url = f"http://127.0.0.1:{free_port()}"
    with (
        running_fake_model_server() as model,
        running_page(api_url) as url,
    ):
        yield Stack(model, api_url, url)


@pytest.fixture(autouse=True)
def model(stack: Stack, fragile_stack: Stack) -> FakeModelServer:
    for server in (stack.model, fragile_stack.model):
        server.requests.clear()
        server.replies.clear()
    return stack.model


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    with open_page(browser, stack.url) as page:
        yield page


def start_answer(page: Page, model: FakeModelServer) -> None:
    """Send a question whose answer starts and does not end."""
    model.replies.append(UNFINISHED)
    send_message(page, "Hello")
    wait_until(lambda: answer_text(page) == "Once upon", page)


def titles(page: Page) -> list[str]:
    return page.locator(".st-key-chat_list button:visible").all_inner_texts()


def stored_messages(stack: Stack, page: Page) -> list[tuple[str, str | None]]:
    """Return the content and state of the stored messages of the open conversation."""
    conversation = page.url.rpartition("chat=")[2]
    messages = httpx.get(f"{stack.api_url}/conversations/{conversation}").json()["messages"]
    return [(message["content"], message["state"]) for message in messages]


def versions(page: Page) -> list[str]:
    return page.locator("[class*=st-key-chat_step_] [data-testid=stText]").all_inner_texts()


def test_sidebar_has_no_stale_elements_during_the_first_answer(
    stack: Stack, browser: Browser, model: FakeModelServer
) -> None:
    for summary in httpx.get(f"{stack.api_url}/conversations?limit=200").json()["data"]:
        httpx.delete(f"{stack.api_url}/conversations/{summary['id']}")
    with open_page(browser, stack.url) as page:
        assert "No chats yet" in page.locator(SIDEBAR).inner_text()
        start_answer(page, model)
        page.wait_for_timeout(500)  # by now Streamlit would dim stale elements
        assert page.locator(SIDEBAR).inner_text().count("Import / export") == 1
        assert page.locator(f"{SIDEBAR} [data-stale=true]:visible").count() == 0
        page.click(".st-key-chat_stop button")
        wait_until_answered(page)


def test_filtered_list_has_no_stale_elements_during_an_answer(
    stack: Stack, page: Page, model: FakeModelServer
) -> None:
    for title in ("Alpha one", "Alpha two", "Beta"):
        httpx.post(f"{stack.api_url}/conversations", json={"title": title}).raise_for_status()
    start_answer(page, model)
    wait_until(lambda: "Beta" in titles(page), page)
    page.fill(f"{SIDEBAR} .st-key-chat_search input", "beta")
    page.keyboard.press("Enter")
    wait_until(lambda: titles(page) == ["Beta"], page)
    page.wait_for_timeout(500)
    assert page.locator(f"{SIDEBAR} [data-stale=true]:visible").count() == 0
    page.click(".st-key-chat_stop button")
    wait_until_answered(page)


def test_delete_of_a_chat_stops_its_answer(
    stack: Stack, page: Page, model: FakeModelServer
) -> None:
    start_answer(page, model)
    conversation = page.url.rpartition("chat=")[2]
    page.click(".st-key-chat_menu button")
    page.click(".st-key-chat_delete button")
    page.click(".st-key-chat_delete_now button")
    url = f"{stack.api_url}/conversations/{conversation}"
    wait_until(lambda: httpx.get(url).status_code == 404, page)
    assert model.chat_requests[0].disconnected.wait(10)
    page.wait_for_selector(".st-key-chat_starters")


def test_model_of_a_chat_is_selected_on_all_pages(
    stack: Stack, browser: Browser, model: FakeModelServer
) -> None:
    model.models = Reply(chunks=[b'{"data": [{"id": "ai/smollm2"}, {"id": "ai/other"}]}'])
    fields = {"title": "By other", "model": "ai/other"}
    conversation = httpx.post(f"{stack.api_url}/conversations", json=fields).json()["id"]
    with open_page(browser, f"{stack.url}/?chat={conversation}") as page:
        picker = page.locator(f"{SIDEBAR} .st-key-model_choice input")
        wait_until(lambda: picker.input_value() == "ai/other", page)
        for name in ("Structured", "Chat"):
            page.click(f"[data-testid=stTopNavLink] >> text={name}")
            page.wait_for_timeout(500)
            wait_until_rendered(page) if name == "Chat" else page.wait_for_selector(IDLE)
            wait_until(lambda: picker.input_value() == "ai/other", page)
    model.models = model.variant.models


def test_version_switcher_survives_a_reload(
    page: Page, model: FakeModelServer, browser: Browser
) -> None:
    model.replies += [stream_reply(["Red."]), stream_reply(["Cat."]), stream_reply(["Dog."])]
    send_message(page, "A colour?")
    wait_until_answered(page)
    page.click("[class*=st-key-chat_edit_] button")
    page.fill("[class*=st-key-chat_edited_] textarea", "An animal?")
    page.click(".st-key-chat_edit_send button")
    wait_until(lambda: message_texts(page) == ["An animal?", "Cat."], page)
    wait_until_answered(page)
    page.click(".st-key-chat_regenerate button")
    wait_until(lambda: versions(page) == ["2/2", "2/2"], page)
    wait_until_answered(page)
    assert message_texts(page) == ["An animal?", "Dog."]
    with open_page(browser, page.url) as again:
        wait_until(lambda: versions(again) == ["2/2", "2/2"], again)
        wait_until_answered(again)
        assert message_texts(again) == ["An animal?", "Dog."]
        again.locator("[class*=st-key-chat_step_earlier_] button").last.click()
        wait_until(lambda: message_texts(again) == ["An animal?", "Cat."], again)
        again.locator("[class*=st-key-chat_step_earlier_] button").first.click()
        wait_until(lambda: message_texts(again) == ["A colour?", "Red."], again)
        assert versions(again) == ["1/2"]
        again.reload()
        wait_until(lambda: message_texts(again) == ["A colour?", "Red."], again)
        again.click("[class*=st-key-chat_step_later_] button")
        wait_until(lambda: message_texts(again) == ["An animal?", "Dog."], again)
    assert len(model.chat_requests) == 3


def test_reload_mid_answer_keeps_the_answer_streaming(
    page: Page, model: FakeModelServer, stack: Stack
) -> None:
    words = [f"word{number} " for number in range(60)]
    model.replies.append(stream_reply(words, interval_seconds=0.1))
    send_message(page, "A long one?")
    wait_until(lambda: "word3" in answer_text(page), page)
    page.reload()
    page.wait_for_selector(".st-key-chat_stop button")
    wait_until_answered(page)
    text = "".join(words)
    assert message_texts(page) == ["A long one?", text.strip()]
    assert stored_messages(stack, page) == [("A long one?", None), (text, "finished")]
    assert len(model.chat_requests) == 1


def test_answer_goes_on_without_its_tab_and_another_page_follows_and_stops_it(
    stack: Stack, browser: Browser, model: FakeModelServer
) -> None:
    words = [f"word{number} " for number in range(600)]
    model.replies.append(stream_reply(words, interval_seconds=0.1))
    with open_page(browser, stack.url) as page:
        send_message(page, "A story?")
        wait_until(lambda: "word3" in answer_text(page), page)
        query = page.url.partition("?")[2]
    with (
        running_page(stack.api_url) as other_url,  # on another device
        browser.new_context() as context,
    ):
        other = context.new_page()
        other.goto(f"{other_url}/?{query}")
        wait_until(lambda: "word5" in answer_text(other), other)
        length = len(answer_text(other))
        wait_until(lambda: len(answer_text(other)) > length, other)
        assert not model.chat_requests[0].disconnected.is_set()
        other.click(".st-key-chat_stop button")
        facts = other.locator("[class*=st-key-chat_stats_]")
        wait_until(lambda: "stopped" in facts.inner_text(), other)
        assert stored_messages(stack, other)[1][1] == "stopped"
    assert model.chat_requests[0].disconnected.wait(5)


def test_answer_grows_while_another_chat_is_open(
    page: Page, model: FakeModelServer, stack: Stack
) -> None:
    words = [f"word{number} " for number in range(50)]
    model.replies.append(stream_reply(words, interval_seconds=0.1))
    send_message(page, "A long one?")
    wait_until(lambda: "word3" in answer_text(page), page)
    page.click(".st-key-chat_new button")
    page.wait_for_selector(".st-key-chat_welcome")
    page.wait_for_timeout(1000)
    page.click(".st-key-chat_list button:has-text('A long one?')")
    page.wait_for_selector(".st-key-chat_stop button")
    wait_until(lambda: "word12" in answer_text(page), page)
    wait_until_answered(page)
    assert stored_messages(stack, page)[1] == ("".join(words), "finished")
    assert len(model.chat_requests) == 1


def test_killed_api_is_reported_and_the_partial_answer_is_stored(
    browser: Browser, fragile_stack: Stack, tmp_path: Path
) -> None:
    port = httpx.URL(fragile_stack.api_url).port
    fragile_stack.model.replies += [stream_reply(["Red."]), UNFINISHED]
    with api_process(fragile_stack.model, tmp_path, port=port):
        context = browser.new_context()
        page = context.new_page()
        page.goto(fragile_stack.url)
        wait_until_rendered(page)
        send_message(page, "A colour?")
        wait_until_answered(page)
        send_message(page, "A story?")
        wait_until(lambda: answer_text(page) == "Once upon", page)
        wait_until(lambda: ("Once upon", "writing") in stored_messages(fragile_stack, page), page)
    page.wait_for_selector(f"{SIDEBAR} >> text=API offline")
    page.wait_for_selector(f"[data-testid=stAlert]:has-text('{port}')")
    assert message_texts(page)[:2] == ["A colour?", "Red."]
    with api_process(fragile_stack.model, tmp_path, port=port):
        page.wait_for_selector(f"{SIDEBAR} >> text=Ready")
        page.wait_for_selector("text=Interrupted: the API stopped")
        for _ in range(2):
            wait_until(lambda: len(message_texts(page)) == 4, page)
            assert message_texts(page) == ["A colour?", "Red.", "A story?", "Once upon"]
            page.wait_for_selector("text=Interrupted: the API stopped")
            page.reload()
    context.close()


def test_every_tab_and_browser_has_the_same_list(
    page: Page, browser: Browser, stack: Stack
) -> None:
    send_message(page, "Asked here?")
    wait_until_answered(page)
    wait_until(lambda: "Asked here?" in titles(page), page)
    expected = titles(page)
    tab = page.context.new_page()
    tab.goto(stack.url)
    wait_until(lambda: titles(tab) == expected, tab)
    with open_page(browser, stack.url) as other_page:
        wait_until(lambda: titles(other_page) == expected, other_page)
        send_message(other_page, "Asked there?")
        wait_until_answered(other_page)
        wait_until(lambda: titles(other_page) == ["Asked there?", *expected], other_page)
    page.click(".st-key-chat_new button")
    wait_until(lambda: titles(page) == ["Asked there?", *expected], page)


def test_exported_chat_can_be_imported_elsewhere(
    page: Page, model: FakeModelServer, browser: Browser, fragile_stack: Stack, tmp_path: Path
) -> None:
    model.replies += [stream_reply(["Red."]), stream_reply(["**Blue**."])]
    send_message(page, "A colour to export")
    wait_until_answered(page)
    page.click(".st-key-chat_regenerate button")
    wait_until(lambda: message_texts(page) == ["A colour to export", "Blue."], page)
    page.click(".st-key-chat_menu button")
    with page.expect_download() as download:
        page.click(".st-key-chat_export_json button")
    assert download.value.suggested_filename == "A colour to export.json"
    file = tmp_path / "exported.json"
    download.value.save_as(file)
    with (
        api_process(fragile_stack.model, tmp_path, port=httpx.URL(fragile_stack.api_url).port),
        open_page(browser, fragile_stack.url) as target,
    ):
        wait_until(lambda: "No chats yet" in target.inner_text(SIDEBAR), target)
        import_file(target, file)
        target.wait_for_selector("text=1 chat imported")
        target.keyboard.press("Escape")
        target.click(".st-key-chat_list button")
        wait_until(lambda: message_texts(target) == ["A colour to export", "Blue."], target)
        wait_until(lambda: versions(target) == ["2/2"], target)
        exported = json.loads(file.read_text())["conversations"][0]["messages"]
        assert stored_messages(fragile_stack, target) == [
            (m["content"], m["state"]) for m in exported
        ]


def test_invalid_import_shows_an_error_and_changes_nothing(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    send_message(page, "Still here?")
    wait_until_answered(page)
    before = httpx.get(f"{stack.api_url}/conversations/export").json()
    file = tmp_path / "invalid.json"
    for text, message in (
        ('{"some": "thing"}', "no chats in a known format"),
        ("{", "Invalid JSON"),
    ):
        file.write_text(text)
        import_file(page, file)
        page.wait_for_selector(f"[data-testid=stAlert]:has-text('{message}')")
        assert message_texts(page)[0] == "Still here?"
        assert httpx.get(f"{stack.api_url}/conversations/export").json() == before
        page.reload()
        wait_until_rendered(page)


def import_file(page: Page, file: Path) -> None:
    page.click(".st-key-chat_files button")
    page.set_input_files(".st-key-chat_import input[type=file]", file)
    page.click(".st-key-chat_import_now button")


def test_question_from_a_second_tab_is_kept_while_an_answer_streams(
    page: Page, stack: Stack
) -> None:
    stack.model.replies.append(stream_reply(["Red."]))
    send_message(page, "A colour?")
    wait_until_answered(page)
    second = page.context.new_page()
    second.goto(page.url)
    wait_until_answered(second)
    stack.model.replies += [UNFINISHED, stream_reply(["Round."])]
    send_message(page, "A story?")
    page.wait_for_selector("text=Once upon")
    send_message(second, "A shape?")
    second.wait_for_selector("text=This chat is already generating a response")
    page.click(".st-key-chat_stop button")
    wait_until_answered(page)
    second.click(".st-key-chat_unsent_send_0 button")
    second.wait_for_selector("text=Round.")
    wait_until_answered(second)
    assert message_texts(second) == [
        "A colour?",
        "Red.",
        "A story?",
        "Once upon",
        "A shape?",
        "Round.",
    ]
    second.close()
