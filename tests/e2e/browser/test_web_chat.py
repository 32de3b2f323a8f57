"""A chat on the React page: streaming, stop, queue, drafts, branches, two tabs, reload, errors."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import needs_chromium
from tests.support.fake_model_server import replay, stream_reply
from tests.support.structured_responses import text_reply
from tests.support.web_page import WebStack, open_web_page, running_web_stack

pytestmark = needs_chromium

# A stream that takes about ten seconds, unless it is stopped.
SLOW = stream_reply([f"word{number} " for number in range(200)], interval_seconds=0.05)
LAST_SLOW_WORD = "word199"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("web")) as stack:
        yield stack


@pytest.fixture
def page(web: WebStack, browser: Browser) -> Iterator[Page]:
    web.model.replies.clear()
    with open_web_page(browser, web.url) as page:
        yield page


def field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message", exact=True)


def send(page: Page, text: str) -> None:
    field(page).fill(text)
    page.keyboard.press("Enter")


def message(page: Page, text: str) -> Locator:
    """Return what is in the thread: screen readers are told of answers elsewhere, too."""
    return page.get_by_role("log").get_by_text(text)


def wait_until_answered(page: Page, count: int = 1) -> None:
    expect(page.get_by_role("button", name="Regenerate")).to_have_count(count)


def test_new_chat_is_stored_and_has_the_focus_in_its_field(web: WebStack, page: Page) -> None:
    web.model.replies.append(stream_reply(["Hi ", "**there**"]))
    send(page, "Hello")
    wait_until_answered(page)
    expect(page.locator("strong")).to_have_text("there")
    expect(field(page)).to_be_focused()
    conversation = httpx.get(f"{web.url}/conversations/{page.url.rpartition('/')[2]}").json()
    assert [stored["content"] for stored in conversation["messages"]] == ["Hello", "Hi **there**"]


def test_messages_stay_in_the_page_when_they_are_stored(web: WebStack, page: Page) -> None:
    """What a person is clicking on, or has opened, is not made anew as an answer ends."""
    slow = stream_reply(["One ", "two ", "three"], interval_seconds=0.2)
    web.model.replies += [text_reply("Begun"), slow]
    send(page, "Begin")
    wait_until_answered(page)
    send(page, "Count")
    elements = [message(page, text).element_handle() for text in ("Begun", "Count", "One")]
    wait_until_answered(page, 2)
    expect(message(page, "One two three")).to_be_visible()
    assert [element.evaluate("element => element.isConnected") for element in elements] == [
        True
    ] * 3


def test_stopped_answer_can_be_continued(web: WebStack, page: Page) -> None:
    web.model.replies += [SLOW, stream_reply(["and the rest"])]
    send(page, "Go on")
    page.get_by_text("word1 ").wait_for()
    page.keyboard.press("Escape")
    wait_until_answered(page)
    assert web.model.chat_requests[-1].disconnected.wait(5)
    page.get_by_role("button", name="Continue").click()
    expect(message(page, "and the rest")).to_be_visible()
    expect(page.get_by_text("2/2")).to_be_visible()
    assert web.model.chat_requests[-1].body["messages"][-1]["role"] == "assistant"


def test_next_message_is_queued_and_a_draft_survives_a_reload(web: WebStack, page: Page) -> None:
    short = stream_reply([f"{number} " for number in range(30)], interval_seconds=0.05)
    web.model.replies += [short, text_reply("Second answer")]
    send(page, "First")
    page.get_by_role("button", name="Stop").wait_for()
    send(page, "Second")
    expect(page.get_by_text("Next:")).to_be_visible()
    field(page).fill("A draft")
    expect(message(page, "Second answer")).to_be_visible(timeout=15_000)
    page.reload()
    expect(field(page)).to_have_value("A draft")
    page.get_by_role("link", name="New chat").first.click()
    expect(field(page)).to_have_value("")


def test_versions_are_kept_and_chosen_by_keys(web: WebStack, page: Page) -> None:
    web.model.replies += [text_reply("One"), text_reply("Two"), text_reply("Three")]
    send(page, "Question")
    wait_until_answered(page)
    page.get_by_role("button", name="Regenerate").click()
    expect(message(page, "Two")).to_be_visible()
    page.get_by_role("button", name="Next version").focus()
    page.keyboard.press("ArrowLeft")
    expect(message(page, "One")).to_be_visible()
    page.get_by_label("Your message").get_by_role("button", name="Edit").click()
    page.get_by_label("Edit your message").fill("Another question")
    page.get_by_role("button", name="Send", exact=True).first.click()
    expect(message(page, "Three")).to_be_visible()
    expect(page.get_by_label("Your message").get_by_text("2/2")).to_be_visible()


def test_answer_of_the_model_is_edited_in_place(web: WebStack, page: Page) -> None:
    web.model.replies.append(text_reply("Wrong"))
    send(page, "Question")
    wait_until_answered(page)
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Edit").click()
    page.get_by_label("Edit the answer").fill("Right")
    page.get_by_role("button", name="Save").click()
    expect(message(page, "Right")).to_be_visible()


def test_answer_outlives_a_reload_and_is_seen_and_stopped_in_another_tab(
    web: WebStack, page: Page
) -> None:
    web.model.replies.append(SLOW)
    send(page, "A long one")
    page.get_by_text("word5 ").wait_for()
    page.reload()
    expect(message(page, "word20 ")).to_be_visible()
    other = page.context.new_page()
    other.goto(page.url)
    expect(message(other, "word20 ")).to_be_visible()
    other.get_by_role("button", name="Stop").click()
    for tab in (page, other):
        wait_until_answered(tab)
        expect(tab.get_by_text(LAST_SLOW_WORD)).to_have_count(0)


def test_failed_answer_says_why_where_it_happened_and_is_asked_again(
    web: WebStack, page: Page
) -> None:
    web.model.replies += [replay("err-unknown-backend", status=500), text_reply("Better")]
    send(page, "Question")
    expect(page.get_by_role("alert")).to_contain_text("model server")
    page.get_by_role("button", name="Try again").click()
    expect(message(page, "Better")).to_be_visible()
    expect(page.get_by_label("Your message")).to_have_count(1)


def test_what_was_written_is_kept_while_the_api_is_down(web: WebStack, page: Page) -> None:
    page.route("**/conversations", lambda route: route.abort())
    send(page, "Do not lose me")
    expect(page.get_by_role("alert").first).to_contain_text("Can't reach the SmolChat API")
    expect(field(page)).to_have_value("Do not lose me")
    page.unroute_all()
    web.model.replies.append(text_reply("Here"))
    page.keyboard.press("Enter")
    expect(message(page, "Here")).to_be_visible()


def test_two_answers_stand_side_by_side_and_one_is_continued(web: WebStack, page: Page) -> None:
    web.model.replies += [text_reply("First one"), text_reply("Other one")]
    page.get_by_role("button", name="Parameters").click()
    page.locator("label", has_text="2").filter(has=page.get_by_role("radio")).click()
    page.get_by_role("button", name="Close parameters").click()
    send(page, "Compare")
    wait_until_answered(page, 2)
    page.get_by_role("button", name="Use this one").click()
    expect(page.get_by_text("continued")).to_have_count(1)
    seeds = [request.body["seed"] for request in web.model.chat_requests[-2:]]
    assert seeds[0] != seeds[1]


def test_temporary_chat_is_not_stored(web: WebStack, browser: Browser) -> None:
    web.model.replies.clear()
    web.model.replies += [text_reply("Noted"), text_reply("Still here")]
    before = httpx.get(f"{web.url}/conversations").json()["data"]
    with open_web_page(browser, f"{web.url}/c/temporary") as page:
        send(page, "Secret")
        wait_until_answered(page)
        send(page, "Another")
        wait_until_answered(page, 2)
        assert "Secret" not in page.evaluate("JSON.stringify(localStorage)")
    assert httpx.get(f"{web.url}/conversations").json()["data"] == before
    roles = [sent["role"] for sent in web.model.chat_requests[-1].body["messages"]]
    assert roles[-3:] == ["user", "assistant", "user"]


def test_thousand_messages_open_at_their_end_and_scroll_to_the_first(
    web: WebStack, browser: Browser
) -> None:
    messages = [
        {"role": ("user", "assistant")[number % 2], "content": f"Message {number} of many. " * 5}
        for number in range(1000)
    ]
    reply = httpx.post(f"{web.url}/conversations/import", json=messages, timeout=60)
    chat = reply.json()["data"][0]["id"]
    with open_web_page(browser, f"{web.url}/c/{chat}") as page:
        expect(page.get_by_text("Message 999 of many.").first).to_be_in_viewport()
        assert page.get_by_label("Your message").count() < 40
        messages_area = page.get_by_role("log")
        for _ in range(20):
            messages_area.evaluate("element => { element.scrollTop = 0; }")
            page.wait_for_timeout(50)
        expect(page.get_by_text("Message 0 of many.").first).to_be_in_viewport()
        page.get_by_role("button", name="Jump to latest").click()
        expect(page.get_by_text("Message 999 of many.").first).to_be_in_viewport()
