"""The chat page in a browser: streaming, Stop, rendering without jumps, and hostile text."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Page

from backend.settings import Settings
from benchmarks.browser import IDLE, send_message
from benchmarks.processes import free_port
from tests.support.api_server import running_api
from tests.support.browser import HOSTILE, answer_text, needs_chromium, running_page, wait_until
from tests.support.fake_model_server import (
    EVENTS,
    FakeModelServer,
    Reply,
    chunk,
    running_fake_model_server,
    stream_reply,
)

pytestmark = needs_chromium


# Records the page's height, its scroll position and its number of messages for each frame.
RECORD_FRAMES = """() => {
    const scroller = document.querySelector("[data-testid=stAppScrollToBottomContainer]");
    const messages = scroller.getElementsByClassName("stChatMessage");
    window.recordedFrames = [];
    const record = () => {
        const height = scroller.isConnected ? scroller.scrollHeight : 0;
        recordedFrames.push([height, scroller.scrollTop, messages.length]);
        requestAnimationFrame(record);
    };
    record();
}"""
TOLERANCE_PIXELS = 5  # a row of buttons may change its height by a few


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModelServer]:
    with running_fake_model_server() as server:
        yield server


@pytest.fixture(scope="module")
def url(model: FakeModelServer) -> Iterator[str]:
    settings = Settings(model_id="ai/smollm2:latest", dmr_base_url=model.base_url)
    with (
        running_api(settings) as api_url,
        running_page(api_url) as url,
    ):
        yield url


@pytest.fixture
def page(url: str, browser: Browser, model: FakeModelServer) -> Iterator[Page]:
    model.requests.clear()
    model.replies.clear()
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.goto(url)
    page.wait_for_selector(IDLE)
    page.wait_for_selector("[data-testid=stChatInputTextArea]")
    yield page
    page.close()


def test_answer_is_shown_while_it_streams(page: Page, model: FakeModelServer) -> None:
    model.replies.append(
        stream_reply([f"word{number} " for number in range(60)], interval_seconds=0.05)
    )
    send_message(page, "Hello")
    wait_until(lambda: "word3" in answer_text(page), page)
    assert "word59" not in answer_text(page)
    page.wait_for_selector(".st-key-chat_regenerate button")
    assert answer_text(page).endswith("word59")
    focused = page.evaluate("document.activeElement.dataset.testid")
    assert focused == "stChatInputTextArea"


def test_stop_before_the_first_token_cancels_the_upstream_request(
    page: Page, model: FakeModelServer
) -> None:
    model.replies.append(Reply(delay_seconds=60))
    send_message(page, "Hello")
    page.wait_for_selector(".st-key-chat_stop button")
    wait_until(lambda: bool(model.chat_requests), page)
    page.click(".st-key-chat_stop button")
    assert model.chat_requests[0].disconnected.wait(10)
    page.wait_for_selector(".st-key-chat_regenerate button")
    assert "stopped" in page.locator("[class*=st-key-chat_stats_]").inner_text()


def test_stop_mid_answer_keeps_the_partial_text(page: Page, model: FakeModelServer) -> None:
    model.replies.append(Reply(headers=EVENTS, chunks=[chunk({"content": "Once"})], end="hang"))
    send_message(page, "Hello")
    wait_until(lambda: answer_text(page) == "Once", page)
    page.click(".st-key-chat_stop button")
    assert model.chat_requests[0].disconnected.wait(10)
    page.wait_for_selector(".st-key-chat_regenerate button")
    assert answer_text(page) == "Once"
    send_message(page, "Go on")
    wait_until(lambda: len(model.chat_requests) == 2, page)
    assert {"role": "assistant", "content": "Once"} in model.chat_requests[1].body["messages"]


def test_escape_stops_the_answer(page: Page, model: FakeModelServer) -> None:
    model.replies.append(Reply(headers=EVENTS, chunks=[chunk({"content": "Once"})], end="hang"))
    send_message(page, "Hello")
    wait_until(lambda: answer_text(page) == "Once", page)
    page.keyboard.press("Escape")
    assert model.chat_requests[0].disconnected.wait(10)
    page.wait_for_selector(".st-key-chat_regenerate button")


def test_escape_before_the_stop_button_is_rendered_stops_the_answer(
    page: Page, model: FakeModelServer
) -> None:
    model.replies.append(Reply(headers=EVENTS, chunks=[chunk({"content": "Once"})], end="hang"))
    send_message(page, "Hello")
    page.keyboard.press("Escape")
    assert page.locator(".st-key-chat_stop").count() == 0
    page.wait_for_selector(".st-key-chat_regenerate button")
    assert "stopped" in page.locator("[class*=st-key-chat_stats_]").inner_text()


@pytest.mark.parametrize("opener", [".st-key-chat_menu button", ".st-key-model_choice input"])
def test_escape_closes_an_open_layer_and_the_next_one_stops(
    opener: str, page: Page, model: FakeModelServer
) -> None:
    model.replies.append(Reply(headers=EVENTS, chunks=[chunk({"content": "Once"})], end="hang"))
    send_message(page, "Hello")
    wait_until(lambda: answer_text(page) == "Once", page)
    page.click(opener)
    page.wait_for_selector("[role=dialog], [role=listbox], [data-testid=stPopoverBody]")
    page.wait_for_timeout(300)
    page.keyboard.press("Escape")
    page.wait_for_timeout(1200)
    assert not model.chat_requests[0].disconnected.is_set()
    page.keyboard.press("Escape")
    assert model.chat_requests[0].disconnected.wait(10)
    page.wait_for_selector(".st-key-chat_regenerate button")


def test_escape_before_a_question_does_not_stop_its_answer(
    page: Page, model: FakeModelServer
) -> None:
    send_message(page, "Hello")
    page.wait_for_selector(".st-key-chat_regenerate button")
    page.wait_for_selector(IDLE)
    model.replies.append(stream_reply(["Once ", "again"], interval_seconds=0.5))
    page.keyboard.press("Escape")
    page.click(".st-key-chat_regenerate button")
    page.wait_for_selector("text=Once again")
    page.wait_for_selector(".st-key-chat_regenerate button")
    assert "stopped" not in page.locator("[class*=st-key-chat_stats_]").inner_text()


def test_keyboard_focus_stays_in_view_while_an_answer_starts(
    page: Page, model: FakeModelServer
) -> None:
    long = "\n\n".join(["word " * 90] * 20)
    model.replies += [stream_reply([long]), Reply(delay_seconds=60)]
    send_message(page, "Hello")
    page.wait_for_selector(".st-key-chat_regenerate button")
    page.wait_for_selector(IDLE)
    send_message(page, "And now?")
    page.wait_for_selector("text=Waiting for the first token")
    page.wait_for_timeout(1000)  # until the page is no longer pinned to its bottom
    page.locator("[class*=st-key-chat_row_] button").first.focus()
    page.keyboard.press("Shift+Tab")
    page.wait_for_timeout(500)
    top = page.evaluate("document.activeElement.getBoundingClientRect().top")
    assert 0 <= top < 860
    page.click(".st-key-chat_stop button")
    page.wait_for_selector(".st-key-chat_regenerate button")


def test_question_does_not_rerender_earlier_messages(page: Page, model: FakeModelServer) -> None:
    long = "\n\n".join(["word " * 90] * 20)
    model.replies += [stream_reply([long]), stream_reply(["Once ", "again"], interval_seconds=0.2)]
    send_message(page, "Hello")
    page.wait_for_selector(".st-key-chat_regenerate button")
    page.wait_for_selector(IDLE)
    page.evaluate(RECORD_FRAMES)
    send_message(page, "And now?")
    page.wait_for_selector("text=Once again")
    wait_until(lambda: page.locator("[class*=st-key-chat_stats_]").count() == 2, page)
    page.wait_for_selector(IDLE)
    heights, tops, messages = zip(*page.evaluate("recordedFrames"), strict=True)
    assert tops[0] > 500
    assert all(before <= after + TOLERANCE_PIXELS for before, after in pairwise(heights))
    assert all(before <= after + TOLERANCE_PIXELS for before, after in pairwise(tops))
    assert sorted(messages) == list(messages)
    assert messages[-1] == 4


def test_streaming_answer_is_kept_while_a_setting_changes(
    page: Page, model: FakeModelServer
) -> None:
    words = [chunk({"content": "word " * 90 + "\n\n"}) for _ in range(60)]
    events = [chunk({"reasoning_content": "hm " * 100}), *words]
    model.replies.append(Reply(headers=EVENTS, chunks=events, interval_seconds=0.15))
    send_message(page, "Hello")
    wait_until(lambda: len(answer_text(page)) > 2000, page)
    page.evaluate(RECORD_FRAMES)
    for count in ("2", "1", "2", "1"):
        page.get_by_role("radio", name=count, exact=True).click()
        page.wait_for_timeout(500)
    heights, _, messages = zip(*page.evaluate("recordedFrames"), strict=True)
    assert all(before <= after + TOLERANCE_PIXELS for before, after in pairwise(heights))
    assert set(messages) == {2}
    page.click(".st-key-chat_stop button")
    page.wait_for_selector(".st-key-chat_regenerate button")


def test_question_scrolls_the_page_down_after_scrolling_up(
    page: Page, model: FakeModelServer
) -> None:
    long = "\n\n".join(["word " * 90] * 20)
    model.replies += [stream_reply([long]), stream_reply(["Once ", "again"], interval_seconds=0.2)]
    send_message(page, "Hello")
    page.wait_for_selector(".st-key-chat_regenerate button")
    scroller = "document.querySelector('[data-testid=stAppScrollToBottomContainer]')"
    page.mouse.move(640, 300)

    def has_scrolled_up() -> bool:
        page.mouse.wheel(0, -10_000)  # repeatedly: the page still follows the answer down
        page.wait_for_timeout(100)
        return bool(page.evaluate(f"{scroller}.scrollTop") == 0)

    wait_until(has_scrolled_up, page)
    send_message(page, "And now?")
    question = page.locator("[data-testid=stChatMessage]", has_text="And now?").last
    wait_until(lambda: bool((box := question.bounding_box()) and box["y"] < 860), page)
    page.wait_for_selector("text=Once again")
    below = f"{scroller}.scrollHeight - {scroller}.clientHeight - {scroller}.scrollTop"
    wait_until(lambda: page.evaluate(below) < 5, page)


def test_no_stale_elements_stay_under_an_answer(page: Page, model: FakeModelServer) -> None:
    long = "\n\n".join(["word " * 90] * 6)
    model.replies += [stream_reply([long]), Reply(delay_seconds=60)]
    page.click(".st-key-chat_starters button")
    page.click(".st-key-chat_regenerate button")
    wait_until(lambda: len(model.chat_requests) == 2, page)
    page.wait_for_selector("text=Waiting for the first token")
    page.wait_for_timeout(500)
    assert "word word" not in page.locator(".stMain").inner_text()
    assert (
        page.locator(".st-key-chat_regenerate:visible, .st-key-chat_starters:visible").count() == 0
    )
    page.click(".st-key-chat_stop button")
    model.replies.append(Reply(headers=EVENTS, chunks=[chunk({"content": "Once"})], end="hang"))
    page.wait_for_selector(".st-key-chat_regenerate button")
    send_message(page, "Again")
    wait_until(lambda: answer_text(page) == "Once", page)
    wait_until(lambda: page.locator(".st-key-chat_regenerate:visible").count() == 0, page)


def test_answer_continues_while_parameters_change(page: Page, model: FakeModelServer) -> None:
    page.click(".st-key-parameter_panel summary")
    model.replies.append(
        stream_reply([f"word{number} " for number in range(60)], interval_seconds=0.05)
    )
    send_message(page, "Hello")
    wait_until(lambda: "word3" in answer_text(page), page)
    page.fill(".st-key-parameter_temperature input", "0.5")
    page.keyboard.press("Enter")
    page.wait_for_selector(".st-key-chat_regenerate button")
    assert answer_text(page).endswith("word59")
    page.wait_for_selector(".st-key-parameter_sent")
    assert "temperature 0.5" in page.locator(".st-key-parameter_sent").inner_text()


def test_hostile_text_loads_nothing_and_runs_nothing(page: Page, model: FakeModelServer) -> None:
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    model.replies.append(stream_reply([HOSTILE[at : at + 9] for at in range(0, len(HOSTILE), 9)]))
    send_message(page, "Hello")
    page.wait_for_selector(".st-key-chat_regenerate button")
    answer = page.locator("[data-testid=stChatMessage]").last
    assert answer.locator("img, iframe, script, [href^=javascript]").count() == 0
    assert answer.locator("[data-testid*=ermaid]").count() == 0
    assert "costs $5 and $10" in answer.inner_text()
    assert "<iframe" in answer.inner_text()
    assert not [url for url in urls if "evil" in url]
    assert page.title() == "SmolChat"


def test_wide_content_does_not_scroll_horizontally_on_a_phone(
    page: Page, model: FakeModelServer
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    wide = "x" * 200 + "\n\n```\n" + "y" * 200 + "\n```\n\n| " + "z" * 200 + " |\n|---|\n| z |\n"
    model.replies.append(stream_reply([wide]))
    send_message(page, "w" * 200)
    page.wait_for_selector(".st-key-chat_regenerate button")
    main = "document.querySelector('.stMain')"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(f"{main}.scrollWidth - {main}.clientWidth") <= 0
    assert page.locator("[data-testid=stChatMessage] table").count() == 1


def test_title_of_a_new_chat_does_not_move_the_page(page: Page, model: FakeModelServer) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    model.replies.append(stream_reply(["Once ", "again"], interval_seconds=0.3))
    send_message(
        page, "A question whose words fill more than one line at the top of a narrow page, surely."
    )
    page.wait_for_selector("text=Once")
    before = page.locator("[data-testid=stChatMessage]").first.bounding_box()
    page.wait_for_selector(".st-key-chat_regenerate button")
    wait_until(lambda: "fill" in page.locator(".st-key-chat_head").inner_text(), page)
    after = page.locator("[data-testid=stChatMessage]").first.bounding_box()
    assert before
    assert after
    assert before["y"] == after["y"]


def test_page_loads_without_network_and_console_errors(url: str, browser: Browser) -> None:
    page = browser.new_page()
    urls: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.on("console", lambda message: messages.append(f"{message.type}: {message.text}"))
    page.goto(url)
    page.wait_for_selector(".st-key-chat_starters button")
    page.wait_for_selector(IDLE)
    fonts = page.evaluate(
        "document.fonts.ready.then(all => [...all].filter(f => f.status == 'loaded')"
        ".map(f => f.family))"
    )
    assert not [requested for requested in urls if not requested.startswith((url, "data:"))]
    assert not [message for message in messages if message.startswith("error")]
    assert {"Figtree", "Bricolage"} <= {font.strip('"') for font in fonts}
    page.close()


def test_api_down_shows_how_to_start_it(browser: Browser) -> None:
    port = free_port()
    with running_page(f"http://localhost:{port}") as url:
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("[data-testid=stAlert]")
        warning = page.locator("[data-testid=stAlert]").inner_text()
        assert f"uvicorn backend.main:app --port {port}" in warning
        page.wait_for_selector(".st-key-service_retry button")
        page.close()
