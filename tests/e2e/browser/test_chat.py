"""What only a browser shows: streaming, Stop, layout, and what hostile text can do."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Page

from backend.settings import Settings
from benchmarks.browser import IDLE, ask
from benchmarks.processes import free_port
from tests.support.api_server import running_api
from tests.support.browser import HOSTILE, answer_text, needs_chromium, running_page, wait_until
from tests.support.fake_model_server import (
    EVENTS,
    FakeModelServer,
    Reply,
    chunk,
    running_fake_model_server,
    stream_of,
)

pytestmark = needs_chromium


# The height of the page, where it stands and how many messages it has, as often as it is painted.
WATCH_FRAMES = """() => {
    const page = document.querySelector("[data-testid=stAppScrollToBottomContainer]");
    const messages = page.getElementsByClassName("stChatMessage");
    window.seen = [];
    const look = () => {
        seen.push([page.isConnected ? page.scrollHeight : 0, page.scrollTop, messages.length]);
        requestAnimationFrame(look);
    };
    look();
}"""
FEW_PIXELS = 5  # by which a line of buttons may change


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModelServer]:
    with running_fake_model_server() as server:
        yield server


@pytest.fixture(scope="module")
def url(model: FakeModelServer) -> Iterator[str]:
    settings = Settings(model_id="ai/smollm2:latest", dmr_base_url=model.base_url)
    with (
        running_api(settings) as api_url,
        running_page(api_url, SMOLCHAT_FORSAKEN_SECONDS="2") as url,
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


def test_an_answer_is_seen_while_it_is_written(page: Page, model: FakeModelServer) -> None:
    model.replies.append(stream_of([f"word{number} " for number in range(60)], gap_seconds=0.05))
    ask(page, "Hello")
    wait_until(lambda: "word3" in answer_text(page), page)
    assert "word59" not in answer_text(page)
    page.wait_for_selector(".st-key-chat_again button")
    assert answer_text(page).endswith("word59")
    focused = page.evaluate("document.activeElement.dataset.testid")
    assert focused == "stChatInputTextArea"


def test_stop_works_before_the_first_word(page: Page, model: FakeModelServer) -> None:
    model.replies.append(Reply(first_seconds=60))
    ask(page, "Hello")
    page.wait_for_selector(".st-key-chat_stop button")
    wait_until(lambda: bool(model.chats), page)
    page.click(".st-key-chat_stop button")
    assert model.chats[0].left.wait(10)
    page.wait_for_selector(".st-key-chat_again button")
    assert "stopped" in page.locator("[class*=st-key-chat_facts_]").inner_text()


def test_stop_in_the_middle_keeps_what_was_written(page: Page, model: FakeModelServer) -> None:
    model.replies.append(Reply(headers=EVENTS, pieces=[chunk({"content": "Once"})], end="hang"))
    ask(page, "Hello")
    wait_until(lambda: answer_text(page) == "Once", page)
    page.click(".st-key-chat_stop button")
    assert model.chats[0].left.wait(10)
    page.wait_for_selector(".st-key-chat_again button")
    assert answer_text(page) == "Once"
    ask(page, "Go on")
    wait_until(lambda: len(model.chats) == 2, page)
    assert {"role": "assistant", "content": "Once"} in model.chats[1].body["messages"]


def test_escape_stops(page: Page, model: FakeModelServer) -> None:
    model.replies.append(Reply(headers=EVENTS, pieces=[chunk({"content": "Once"})], end="hang"))
    ask(page, "Hello")
    wait_until(lambda: answer_text(page) == "Once", page)
    page.keyboard.press("Escape")
    assert model.chats[0].left.wait(10)
    page.wait_for_selector(".st-key-chat_again button")


def test_an_escape_that_comes_before_the_stop_button_stops_too(
    page: Page, model: FakeModelServer
) -> None:
    model.replies.append(Reply(headers=EVENTS, pieces=[chunk({"content": "Once"})], end="hang"))
    ask(page, "Hello")
    page.keyboard.press("Escape")
    assert page.locator(".st-key-chat_stop").count() == 0
    page.wait_for_selector(".st-key-chat_again button")
    assert "stopped" in page.locator("[class*=st-key-chat_facts_]").inner_text()


@pytest.mark.parametrize("opening", [".st-key-chat_menu button", ".st-key-model_choice input"])
def test_an_escape_closes_what_is_open_and_the_next_one_stops(
    opening: str, page: Page, model: FakeModelServer
) -> None:
    model.replies.append(Reply(headers=EVENTS, pieces=[chunk({"content": "Once"})], end="hang"))
    ask(page, "Hello")
    wait_until(lambda: answer_text(page) == "Once", page)
    page.click(opening)
    page.wait_for_selector("[role=dialog], [role=listbox], [data-testid=stPopoverBody]")
    page.wait_for_timeout(300)
    page.keyboard.press("Escape")
    page.wait_for_timeout(1200)
    assert not model.chats[0].left.is_set()
    page.keyboard.press("Escape")
    assert model.chats[0].left.wait(10)
    page.wait_for_selector(".st-key-chat_again button")


def test_an_escape_before_a_question_does_not_stop_it(page: Page, model: FakeModelServer) -> None:
    ask(page, "Hello")
    page.wait_for_selector(".st-key-chat_again button")
    page.wait_for_selector(IDLE)
    model.replies.append(stream_of(["Once ", "again"], gap_seconds=0.5))
    page.keyboard.press("Escape")
    page.click(".st-key-chat_again button")
    page.wait_for_selector("text=Once again")
    page.wait_for_selector(".st-key-chat_again button")
    assert "stopped" not in page.locator("[class*=st-key-chat_facts_]").inner_text()


def test_the_keyboard_may_go_up_while_an_answer_begins(page: Page, model: FakeModelServer) -> None:
    long = "\n\n".join(["word " * 90] * 20)
    model.replies += [stream_of([long]), Reply(first_seconds=60)]
    ask(page, "Hello")
    page.wait_for_selector(".st-key-chat_again button")
    page.wait_for_selector(IDLE)
    ask(page, "And now?")
    page.wait_for_selector("text=Waiting for the first word")
    page.wait_for_timeout(1000)  # the question is shown first
    page.locator("[class*=st-key-chat_row_] button").first.focus()
    page.keyboard.press("Shift+Tab")
    page.wait_for_timeout(500)
    top = page.evaluate("document.activeElement.getBoundingClientRect().top")
    assert 0 <= top < 860
    page.click(".st-key-chat_stop button")
    page.wait_for_selector(".st-key-chat_again button")


def test_a_chat_is_not_drawn_anew_when_something_is_asked(
    page: Page, model: FakeModelServer
) -> None:
    long = "\n\n".join(["word " * 90] * 20)
    model.replies += [stream_of([long]), stream_of(["Once ", "again"], gap_seconds=0.2)]
    ask(page, "Hello")
    page.wait_for_selector(".st-key-chat_again button")
    page.wait_for_selector(IDLE)
    page.evaluate(WATCH_FRAMES)
    ask(page, "And now?")
    page.wait_for_selector("text=Once again")
    wait_until(lambda: page.locator("[class*=st-key-chat_facts_]").count() == 2, page)
    page.wait_for_selector(IDLE)
    heights, tops, messages = zip(*page.evaluate("seen"), strict=True)
    assert tops[0] > 500
    assert all(then <= now + FEW_PIXELS for then, now in pairwise(heights))
    assert all(then <= now + FEW_PIXELS for then, now in pairwise(tops))
    assert sorted(messages) == list(messages)
    assert messages[-1] == 4


def test_an_answer_stays_as_it_is_when_something_is_chosen_meanwhile(
    page: Page, model: FakeModelServer
) -> None:
    words = [chunk({"content": "word " * 90 + "\n\n"}) for _ in range(60)]
    pieces = [chunk({"reasoning_content": "hm " * 100}), *words]
    model.replies.append(Reply(headers=EVENTS, pieces=pieces, gap_seconds=0.15))
    ask(page, "Hello")
    wait_until(lambda: len(answer_text(page)) > 2000, page)
    page.evaluate(WATCH_FRAMES)
    for count in ("2", "1", "2", "1"):
        page.get_by_role("radio", name=count, exact=True).click()
        page.wait_for_timeout(500)
    heights, _, messages = zip(*page.evaluate("seen"), strict=True)
    assert all(then <= now + FEW_PIXELS for then, now in pairwise(heights))
    assert set(messages) == {2}
    page.click(".st-key-chat_stop button")
    page.wait_for_selector(".st-key-chat_again button")


def test_a_question_asked_further_up_is_shown(page: Page, model: FakeModelServer) -> None:
    long = "\n\n".join(["word " * 90] * 20)
    model.replies += [stream_of([long]), stream_of(["Once ", "again"], gap_seconds=0.2)]
    ask(page, "Hello")
    page.wait_for_selector(".st-key-chat_again button")
    scroller = "document.querySelector('[data-testid=stAppScrollToBottomContainer]')"
    page.mouse.move(640, 300)

    def has_scrolled_up() -> bool:
        page.mouse.wheel(0, -10_000)  # again and again: the page still follows the answer down
        page.wait_for_timeout(100)
        return bool(page.evaluate(f"{scroller}.scrollTop") == 0)

    wait_until(has_scrolled_up, page)
    ask(page, "And now?")
    asked = page.locator("[data-testid=stChatMessage]", has_text="And now?").last
    wait_until(lambda: bool((box := asked.bounding_box()) and box["y"] < 860), page)
    page.wait_for_selector("text=Once again")
    rest = f"{scroller}.scrollHeight - {scroller}.clientHeight - {scroller}.scrollTop"
    wait_until(lambda: page.evaluate(rest) < 5, page)


def test_nothing_of_what_came_before_stays_under_an_answer(
    page: Page, model: FakeModelServer
) -> None:
    long = "\n\n".join(["word " * 90] * 6)
    model.replies += [stream_of([long]), Reply(first_seconds=60)]
    page.click(".st-key-chat_starters button")
    page.click(".st-key-chat_again button")
    wait_until(lambda: len(model.chats) == 2, page)
    page.wait_for_selector("text=Waiting for the first word")
    page.wait_for_timeout(500)
    assert "word word" not in page.locator(".stMain").inner_text()
    assert page.locator(".st-key-chat_again:visible, .st-key-chat_starters:visible").count() == 0
    page.click(".st-key-chat_stop button")
    model.replies.append(Reply(headers=EVENTS, pieces=[chunk({"content": "Once"})], end="hang"))
    page.wait_for_selector(".st-key-chat_again button")
    ask(page, "Again")
    wait_until(lambda: answer_text(page) == "Once", page)
    wait_until(lambda: page.locator(".st-key-chat_again:visible").count() == 0, page)


def test_an_answer_goes_on_while_parameters_are_tuned(page: Page, model: FakeModelServer) -> None:
    page.click(".st-key-parameter_panel summary")
    model.replies.append(stream_of([f"word{number} " for number in range(60)], gap_seconds=0.05))
    ask(page, "Hello")
    wait_until(lambda: "word3" in answer_text(page), page)
    page.fill(".st-key-parameter_temperature input", "0.5")
    page.keyboard.press("Enter")
    page.wait_for_selector(".st-key-chat_again button")
    assert answer_text(page).endswith("word59")
    page.wait_for_selector(".st-key-parameter_sent")
    assert "temperature 0.5" in page.locator(".st-key-parameter_sent").inner_text()


def test_a_closed_tab_stops_the_answer(url: str, browser: Browser, model: FakeModelServer) -> None:
    model.requests.clear()
    model.replies.append(Reply(headers=EVENTS, pieces=[chunk({"content": "Once"})], end="hang"))
    page = browser.new_page()
    page.goto(url)
    ask(page, "Hello")
    wait_until(lambda: bool(model.chats), page)
    page.close()
    assert model.chats[0].left.wait(20)


def test_hostile_text_loads_nothing_and_runs_nothing(page: Page, model: FakeModelServer) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    model.replies.append(stream_of([HOSTILE[at : at + 9] for at in range(0, len(HOSTILE), 9)]))
    ask(page, "Hello")
    page.wait_for_selector(".st-key-chat_again button")
    shown = page.locator("[data-testid=stChatMessage]").last
    assert shown.locator("img, iframe, script, [href^=javascript]").count() == 0
    assert shown.locator("[data-testid*=ermaid]").count() == 0
    assert "costs $5 and $10" in shown.inner_text()
    assert "<iframe" in shown.inner_text()
    assert not [url for url in loaded if "evil" in url]
    assert page.title() == "SmolChat"


def test_a_phone_needs_no_scrolling_sideways(page: Page, model: FakeModelServer) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    wide = "x" * 200 + "\n\n```\n" + "y" * 200 + "\n```\n\n| " + "z" * 200 + " |\n|---|\n| z |\n"
    model.replies.append(stream_of([wide]))
    ask(page, "w" * 200)
    page.wait_for_selector(".st-key-chat_again button")
    main = "document.querySelector('.stMain')"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(f"{main}.scrollWidth - {main}.clientWidth") <= 0
    assert page.locator("[data-testid=stChatMessage] table").count() == 1


def test_nothing_moves_when_a_chat_gets_its_title(page: Page, model: FakeModelServer) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    model.replies.append(stream_of(["Once ", "again"], gap_seconds=0.3))
    ask(page, "A question whose words fill more than one line at the top of a narrow page, surely.")
    page.wait_for_selector("text=Once")
    before = page.locator("[data-testid=stChatMessage]").first.bounding_box()
    page.wait_for_selector(".st-key-chat_again button")
    wait_until(lambda: "fill" in page.locator(".st-key-chat_head").inner_text(), page)
    after = page.locator("[data-testid=stChatMessage]").first.bounding_box()
    assert before
    assert after
    assert before["y"] == after["y"]


def test_the_page_needs_no_network_and_reports_no_error(url: str, browser: Browser) -> None:
    page = browser.new_page()
    loaded: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    page.goto(url)
    page.wait_for_selector(".st-key-chat_starters button")
    page.wait_for_selector(IDLE)
    fonts = page.evaluate(
        "document.fonts.ready.then(all => [...all].filter(f => f.status == 'loaded')"
        ".map(f => f.family))"
    )
    assert not [there for there in loaded if not there.startswith((url, "data:"))]
    assert not [words for words in told if words.startswith("error")]
    assert {"Figtree", "Bricolage"} <= {font.strip('"') for font in fonts}
    page.close()


def test_an_api_that_is_down_is_told_on_the_page(browser: Browser) -> None:
    port = free_port()
    with running_page(f"http://localhost:{port}") as url:
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("[data-testid=stAlert]")
        told = page.locator("[data-testid=stAlert]").inner_text()
        assert f"uvicorn backend.main:app --port {port}" in told
        page.wait_for_selector(".st-key-service_retry button")
        page.close()
