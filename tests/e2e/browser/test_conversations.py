"""Kept conversations in a real browser: versions, reloads, closed tabs, a killed API, files."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser import IDLE, ask
from benchmarks.processes import free_port
from tests.support.api_process import api_process
from tests.support.browser import (
    Stack,
    answer_text,
    answered,
    drawn,
    needs_chromium,
    opened,
    running_page,
    said,
    wait_until,
)
from tests.support.fake_model_server import (
    EVENTS,
    FakeModelServer,
    Reply,
    chunk,
    running_fake_model_server,
    stream_of,
)

pytestmark = needs_chromium

BEGUN = Reply(headers=EVENTS, pieces=[chunk({"content": "Once upon"})], end="hang")
SIDEBAR = "[data-testid=stSidebar]"


@pytest.fixture(scope="module")
def frail() -> Iterator[Stack]:
    """A stack whose API each test starts and ends by itself, and which forsakes answers soon."""
    api_url = f"http://127.0.0.1:{free_port()}"
    with (
        running_fake_model_server() as model,
        running_page(api_url, SMOLCHAT_FORSAKEN_SECONDS="2") as url,
    ):
        yield Stack(model, api_url, url)


@pytest.fixture(autouse=True)
def model(stack: Stack, frail: Stack) -> FakeModelServer:
    for server in (stack.model, frail.model):
        server.requests.clear()
        server.replies.clear()
    return stack.model


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    with opened(browser, stack.url) as page:
        yield page


def begin(page: Page, model: FakeModelServer) -> None:
    """Ask for an answer that begins and does not end."""
    model.replies.append(BEGUN)
    ask(page, "Hello")
    wait_until(lambda: answer_text(page) == "Once upon", page)


def titles(page: Page) -> list[str]:
    return page.locator(".st-key-chat_list button:visible").all_inner_texts()


def stored(stack: Stack, page: Page) -> list[tuple[str, str | None]]:
    """Give what the API keeps of the open conversation."""
    conversation = page.url.rpartition("chat=")[2]
    messages = httpx.get(f"{stack.api_url}/conversations/{conversation}").json()["messages"]
    return [(message["content"], message["state"]) for message in messages]


def steps(page: Page) -> list[str]:
    return page.locator("[class*=st-key-chat_step_] [data-testid=stText]").all_inner_texts()


def test_the_sidebar_shows_nothing_twice_while_the_first_answer_is_written(
    stack: Stack, browser: Browser, model: FakeModelServer
) -> None:
    for head in httpx.get(f"{stack.api_url}/conversations?limit=200").json()["data"]:
        httpx.delete(f"{stack.api_url}/conversations/{head['id']}")
    with opened(browser, stack.url) as page:
        assert "Chats are kept here." in page.locator(SIDEBAR).inner_text()
        begin(page, model)
        page.wait_for_timeout(500)  # Streamlit would dim what is left over now
        assert page.locator(SIDEBAR).inner_text().count("Import, export") == 1
        assert page.locator(f"{SIDEBAR} [data-stale=true]:visible").count() == 0
        page.click(".st-key-chat_stop button")
        answered(page)


def test_a_shorter_list_leaves_nothing_while_an_answer_is_written(
    stack: Stack, page: Page, model: FakeModelServer
) -> None:
    for title in ("Alpha one", "Alpha two", "Beta"):
        httpx.post(f"{stack.api_url}/conversations", json={"title": title}).raise_for_status()
    begin(page, model)
    wait_until(lambda: "Beta" in titles(page), page)
    page.fill(f"{SIDEBAR} .st-key-chat_search input", "beta")
    page.keyboard.press("Enter")
    wait_until(lambda: titles(page) == ["Beta"], page)
    page.wait_for_timeout(500)
    assert page.locator(f"{SIDEBAR} [data-stale=true]:visible").count() == 0
    page.click(".st-key-chat_stop button")
    answered(page)


def test_a_chat_is_deleted_while_its_answer_is_written(
    stack: Stack, page: Page, model: FakeModelServer
) -> None:
    begin(page, model)
    conversation = page.url.rpartition("chat=")[2]
    page.click(".st-key-chat_menu button")
    page.click(".st-key-chat_delete button")
    page.click(".st-key-chat_delete_now button")
    address = f"{stack.api_url}/conversations/{conversation}"
    wait_until(lambda: httpx.get(address).status_code == 404, page)
    assert model.chats[0].left.wait(10)
    page.wait_for_selector(".st-key-chat_starters")


def test_a_chats_model_is_the_one_choice_of_all_pages(
    stack: Stack, browser: Browser, model: FakeModelServer
) -> None:
    model.models = Reply(pieces=[b'{"data": [{"id": "ai/smollm2"}, {"id": "ai/other"}]}'])
    told = {"title": "By other", "model": "ai/other"}
    conversation = httpx.post(f"{stack.api_url}/conversations", json=told).json()["id"]
    with opened(browser, f"{stack.url}/?chat={conversation}") as page:
        choice = page.locator(f"{SIDEBAR} .st-key-model_choice input")
        wait_until(lambda: choice.input_value() == "ai/other", page)
        for name in ("Structured", "Chat"):
            page.click(f"[data-testid=stTopNavLink] >> text={name}")
            page.wait_for_timeout(500)
            drawn(page) if name == "Chat" else page.wait_for_selector(IDLE)
            wait_until(lambda: choice.input_value() == "ai/other", page)
    model.models = model.flavour.models


def test_versions_are_stepped_through_and_outlive_a_reload(
    page: Page, model: FakeModelServer, browser: Browser
) -> None:
    model.replies += [stream_of(["Red."]), stream_of(["Cat."]), stream_of(["Dog."])]
    ask(page, "A colour?")
    answered(page)
    page.click("[class*=st-key-chat_edit_] button")
    page.fill("[class*=st-key-chat_edited_] textarea", "An animal?")
    page.click(".st-key-chat_edit_ask button")
    wait_until(lambda: said(page) == ["An animal?", "Cat."], page)
    answered(page)
    page.click(".st-key-chat_again button")
    wait_until(lambda: steps(page) == ["2/2", "2/2"], page)
    answered(page)
    assert said(page) == ["An animal?", "Dog."]
    with opened(browser, page.url) as again:
        wait_until(lambda: steps(again) == ["2/2", "2/2"], again)
        answered(again)
        assert said(again) == ["An animal?", "Dog."]
        again.locator("[class*=st-key-chat_step_earlier_] button").last.click()
        wait_until(lambda: said(again) == ["An animal?", "Cat."], again)
        again.locator("[class*=st-key-chat_step_earlier_] button").first.click()
        wait_until(lambda: said(again) == ["A colour?", "Red."], again)
        assert steps(again) == ["1/2"]
        again.reload()
        wait_until(lambda: said(again) == ["A colour?", "Red."], again)
        again.click("[class*=st-key-chat_step_later_] button")
        wait_until(lambda: said(again) == ["An animal?", "Dog."], again)
    assert len(model.chats) == 3


def test_a_reload_in_the_middle_of_an_answer_loses_none_of_it(
    page: Page, model: FakeModelServer, stack: Stack
) -> None:
    words = [f"word{number} " for number in range(60)]
    model.replies.append(stream_of(words, gap_seconds=0.1))
    ask(page, "A long one?")
    wait_until(lambda: "word3" in answer_text(page), page)
    page.reload()
    page.wait_for_selector(".st-key-chat_stop button")
    answered(page)
    whole = "".join(words)
    assert said(page) == ["A long one?", whole.strip()]
    assert stored(stack, page) == [("A long one?", None), (whole, "finished")]
    assert len(model.chats) == 1


def test_a_closed_tab_leaves_what_was_written(
    browser: Browser, frail: Stack, tmp_path: Path
) -> None:
    frail.model.replies.append(BEGUN)
    with api_process(frail.model, tmp_path, port=httpx.URL(frail.api_url).port):
        with opened(browser, frail.url) as page:
            ask(page, "A story?")
            wait_until(lambda: answer_text(page) == "Once upon", page)
        assert frail.model.chats[0].left.wait(20)
        with opened(browser, frail.url) as other:
            other.click(".st-key-chat_list button:has-text('A story?')")
            wait_until(lambda: said(other) == ["A story?", "Once upon"], other)
            facts = other.locator("[class*=st-key-chat_facts_]")
            wait_until(lambda: "stopped" in facts.inner_text(), other)
            assert stored(frail, other)[1] == ("Once upon", "stopped")


def test_a_killed_api_is_told_and_what_was_said_is_there_when_it_is_back(
    browser: Browser, frail: Stack, tmp_path: Path
) -> None:
    port = httpx.URL(frail.api_url).port
    frail.model.replies += [stream_of(["Red."]), BEGUN]
    with api_process(frail.model, tmp_path, port=port):
        context = browser.new_context()
        page = context.new_page()
        page.goto(frail.url)
        drawn(page)
        ask(page, "A colour?")
        answered(page)
        ask(page, "A story?")
        wait_until(lambda: answer_text(page) == "Once upon", page)
        wait_until(lambda: ("Once upon", "writing") in stored(frail, page), page)
    page.wait_for_selector(f"{SIDEBAR} >> text=API is down")
    page.wait_for_selector(f"[data-testid=stAlert]:has-text('{port}')")
    assert said(page)[:2] == ["A colour?", "Red."]
    with api_process(frail.model, tmp_path, port=port):
        page.wait_for_selector(f"{SIDEBAR} >> text=Ready")
        page.wait_for_selector("text=Interrupted: the API ended")
        for _ in range(2):
            wait_until(lambda: len(said(page)) == 4, page)
            assert said(page) == ["A colour?", "Red.", "A story?", "Once upon"]
            page.wait_for_selector("text=Interrupted: the API ended")
            page.reload()
    context.close()


def test_every_tab_and_browser_sees_the_same_list(
    page: Page, browser: Browser, stack: Stack
) -> None:
    ask(page, "Asked here?")
    answered(page)
    wait_until(lambda: "Asked here?" in titles(page), page)
    here = titles(page)
    tab = page.context.new_page()
    tab.goto(stack.url)
    wait_until(lambda: titles(tab) == here, tab)
    with opened(browser, stack.url) as other:
        wait_until(lambda: titles(other) == here, other)
        ask(other, "Asked there?")
        answered(other)
        wait_until(lambda: titles(other) == ["Asked there?", *here], other)
    page.click(".st-key-chat_new button")
    wait_until(lambda: titles(page) == ["Asked there?", *here], page)


def test_a_file_carries_a_chat_into_another_house(
    page: Page, model: FakeModelServer, browser: Browser, frail: Stack, tmp_path: Path
) -> None:
    model.replies += [stream_of(["Red."]), stream_of(["**Blue**."])]
    ask(page, "A colour to carry")
    answered(page)
    page.click(".st-key-chat_again button")
    wait_until(lambda: said(page) == ["A colour to carry", "Blue."], page)
    page.click(".st-key-chat_menu button")
    with page.expect_download() as download:
        page.click(".st-key-chat_export_json button")
    assert download.value.suggested_filename == "A colour to carry.json"
    file = tmp_path / "exported.json"
    download.value.save_as(file)
    with (
        api_process(frail.model, tmp_path, port=httpx.URL(frail.api_url).port),
        opened(browser, frail.url) as other,
    ):
        wait_until(lambda: "Chats are kept here." in other.inner_text(SIDEBAR), other)
        bring_in(other, file)
        other.wait_for_selector("text=1 chats were imported.")
        other.keyboard.press("Escape")
        other.click(".st-key-chat_list button")
        wait_until(lambda: said(other) == ["A colour to carry", "Blue."], other)
        wait_until(lambda: steps(other) == ["2/2"], other)
        told = json.loads(file.read_text())["conversations"][0]["messages"]
        assert stored(frail, other) == [(m["content"], m["state"]) for m in told]


def test_a_file_that_is_no_export_is_told_and_changes_nothing(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    ask(page, "Still here?")
    answered(page)
    before = httpx.get(f"{stack.api_url}/conversations/export").json()
    file = tmp_path / "other.json"
    for text, told in (('{"some": "thing"}', "is no conversation of SmolChat"), ("{", "Not JSON")):
        file.write_text(text)
        bring_in(page, file)
        page.wait_for_selector(f"[data-testid=stAlert]:has-text('{told}')")
        assert said(page)[0] == "Still here?"
        assert httpx.get(f"{stack.api_url}/conversations/export").json() == before
        page.reload()
        drawn(page)


def bring_in(page: Page, file: Path) -> None:
    page.click(".st-key-chat_files button")
    page.set_input_files(".st-key-chat_import input[type=file]", file)
    page.click(".st-key-chat_import_now button")


def test_a_question_from_a_second_tab_is_not_lost_while_an_answer_is_written(
    page: Page, stack: Stack
) -> None:
    stack.model.replies.append(stream_of(["Red."]))
    ask(page, "A colour?")
    answered(page)
    second = page.context.new_page()
    second.goto(page.url)
    answered(second)
    stack.model.replies += [BEGUN, stream_of(["Round."])]
    ask(page, "A story?")
    page.wait_for_selector("text=Once upon")
    ask(second, "A shape?")
    second.wait_for_selector("text=An answer is being written in this chat")
    page.click(".st-key-chat_stop button")
    answered(page)
    second.click(".st-key-chat_unsent_ask_0 button")
    second.wait_for_selector("text=Round.")
    answered(second)
    assert said(second) == ["A colour?", "Red.", "A story?", "Once upon", "A shape?", "Round."]
    second.close()
