"""The Structured page in a browser: streaming, Stop, shortcuts, layout and hostile output."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from backend.settings import Settings
from benchmarks.browser import IDLE
from tests.support.api_server import running_api
from tests.support.browser import LOW_CONTRAST_TEXTS, needs_chromium, running_page
from tests.support.engine_process import running_engine
from tests.support.fake_model_server import (
    FakeModelServer,
    Reply,
    running_fake_model_server,
    stream_reply,
)
from tests.support.structured_responses import (
    EVENT,
    FILM,
    grammar_probe_reply,
    hanging_reply,
    json_reply,
    text_reply,
)

pytestmark = needs_chromium

PROMPT = ".st-key-structured_prompt textarea"
SCHEMA = ".st-key-structured_schema textarea"
START = ".st-key-structured_start button"
STOP = ".st-key-structured_stop button"
MORE_TOKENS = ".st-key-structured_more_tokens button"
DOWNLOAD = ".st-key-structured_download button"
OUTPUT = ".stMain .stCode:not(details *)"
HOSTILE = {
    "title": "![x](http://evil.test/a.png) <img src=http://evil.test/b.png onerror=alert(1)>",
    "year": "</code><script>document.title='owned'</script>",
    "![k](http://evil.test/c.png)": 1,
}


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModelServer]:
    with running_fake_model_server() as server:
        yield server


@pytest.fixture(scope="module")
def url(model: FakeModelServer) -> Iterator[str]:
    settings = Settings(model_id="ai/smollm2:latest", dmr_base_url=model.base_url)
    with running_api(settings) as api_url, running_page(api_url) as url:
        model.replies += [grammar_probe_reply(), json_reply(EVENT)]
        body = {"messages": [{"role": "user", "content": "x"}], "response_type": "event"}
        httpx.post(f"{api_url}/structured", json=body)  # detects the model server's capabilities
        yield f"{url}/structured"


def opened(browser: Browser, url: str, **looks: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 860}, **looks)  # type: ignore[arg-type]
    page.goto(url)
    page.wait_for_selector(START)
    page.wait_for_selector(IDLE)
    return page


@pytest.fixture
def page(url: str, browser: Browser, model: FakeModelServer) -> Iterator[Page]:
    model.requests.clear()
    model.replies.clear()
    page = opened(browser, url)
    yield page
    page.close()


def select_schema(page: Page, name: str) -> None:
    page.click(f".st-key-structured_type button:has-text('{name}')")
    page.wait_for_selector(f".st-key-structured_type [aria-checked=true]:has-text('{name}')")
    page.wait_for_selector(IDLE)


def type_schema(page: Page, schema: object) -> None:
    select_schema(page, "Custom schema")
    page.fill(SCHEMA, schema if isinstance(schema, str) else json.dumps(schema))
    page.press(SCHEMA, "Tab")
    page.wait_for_timeout(300)  # until it is sent
    page.wait_for_selector(IDLE)


def run_to_its_end(page: Page) -> None:
    page.click(START)
    page.wait_for_timeout(300)  # until it has started
    page.wait_for_selector(STOP, state="detached")
    page.wait_for_selector(IDLE)


def open_details(page: Page) -> None:
    for summary in page.query_selector_all(".st-key-structured_details summary"):
        summary.click()
    page.wait_for_timeout(300)


def overflow(page: Page) -> int:
    main = "document.querySelector('.stMain')"
    inner: int = page.evaluate(f"{main}.scrollWidth - {main}.clientWidth")
    outer: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(inner, outer)


def test_output_streams_and_is_then_validated(page: Page, model: FakeModelServer) -> None:
    select_schema(page, "Event")
    model.replies.append(json_reply(EVENT, interval_seconds=0.15))
    page.click(START)
    page.wait_for_selector(f"{OUTPUT} >> text=Release party")
    assert "Ben" not in page.inner_text(OUTPUT)
    page.wait_for_selector(DOWNLOAD)
    assert json.loads(page.inner_text(OUTPUT)) == EVENT
    assert "1 attempt" in page.inner_text(".st-key-structured_verdict")
    page.wait_for_selector(STOP, state="detached")
    with page.expect_download() as download:
        page.click(DOWNLOAD)
    assert download.value.suggested_filename == "event.json"
    assert json.loads(download.value.path().read_text()) == EVENT


def test_output_does_not_flicker_when_it_is_complete(page: Page, model: FakeModelServer) -> None:
    select_schema(page, "Event")
    model.replies.append(json_reply(EVENT, interval_seconds=0.1))
    page.click(START)
    page.wait_for_selector(f"{OUTPUT} >> text=Release party")
    page.evaluate(f"document.querySelector({OUTPUT!r}).isFirst = true")
    page.wait_for_selector(DOWNLOAD)
    assert page.evaluate(f"document.querySelector({OUTPUT!r}).isFirst")


def test_nothing_of_a_former_view_stays_below_a_new_one(page: Page, model: FakeModelServer) -> None:
    former = f"{DOWNLOAD}, .st-key-structured_details, .st-key-structured_raw"
    select_schema(page, "Event")
    for replies in ([json_reply(EVENT)], [json_reply({"name": 1})] * 3):
        model.replies.extend(replies)
        run_to_its_end(page)
        page.wait_for_selector(former)
        model.replies.append(hanging_reply('{"name": "Concert", "date": "20'))
        page.click(START)
        page.wait_for_selector(f"{OUTPUT} >> text=Concert")
        assert page.locator(former).count() == 0
        page.click(STOP)
        page.wait_for_selector("text=Stopped.")
    page.click("text=Benchmark")
    page.fill(".st-key-structured_repetitions input", "1")
    model.replies.append(Reply(delay_seconds=60))
    page.click(START)
    page.wait_for_selector("text=0 of 4")
    assert page.locator(OUTPUT).count() == 0
    page.click("text=Generate")
    page.wait_for_selector("text=Stopped.")
    assert page.locator(".st-key-structured_about, .st-key-structured_plan").count() == 0
    page.click(STOP)


def test_shortcuts_start_stop_and_copy_partial_output(
    url: str, browser: Browser, model: FakeModelServer
) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector(START)
    model.requests.clear()
    select_schema(page, "Event")
    model.replies.append(hanging_reply('{"name": "Party", "date": "20'))
    page.fill(PROMPT, "A party, typed just now")
    page.press(PROMPT, "Control+Enter")
    page.wait_for_selector(f"{OUTPUT} >> text=Party")
    assert model.chat_requests[0].body["messages"][-1]["content"] == "A party, typed just now"
    page.keyboard.press("Escape")
    assert model.chat_requests[0].disconnected.wait(10)
    page.wait_for_selector("text=Stopped.")
    page.focus(START)
    page.keyboard.press("Tab")
    page.wait_for_selector("[aria-label='Copy to clipboard']:visible")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == {"name": "Party"}
    context.close()


def test_click_right_after_typing_sends_what_was_typed(page: Page, model: FakeModelServer) -> None:
    type_schema(page, FILM)
    model.replies.append(json_reply({"title": "Light", "year": 1999}))
    page.fill(SCHEMA, json.dumps(FILM | {"title": "Typed just now"}))
    page.click(START)
    page.wait_for_selector(DOWNLOAD)
    page.fill(SCHEMA, '{"type": "object",}')
    page.click(START)
    page.wait_for_selector("text=Fix the schema first")
    assert len(model.chat_requests) == 1


def test_output_continues_while_another_page_is_open(page: Page, model: FakeModelServer) -> None:
    select_schema(page, "Event")
    page.fill(PROMPT, "A party")
    model.replies.append(json_reply(EVENT, interval_seconds=0.3))
    page.click(START)
    page.wait_for_selector(f"{OUTPUT} >> text=Release party")
    page.click("a:has-text('Chat')")
    page.wait_for_selector(".st-key-chat_starters button")
    page.click("a:has-text('Structured')")
    page.wait_for_selector(DOWNLOAD)
    assert json.loads(page.inner_text(OUTPUT)) == EVENT
    assert page.input_value(PROMPT) == "A party"


def test_max_tokens_that_the_schema_needs_can_be_set(page: Page, model: FakeModelServer) -> None:
    text = {"type": "string", "minLength": 1500}
    type_schema(page, {"type": "object", "properties": {"text": text}, "required": ["text"]})
    page.click(".st-key-parameter_panel summary")
    page.fill(".st-key-parameter_max_tokens input", "64")
    page.fill(PROMPT, "Typed just now")
    page.click(START)
    page.wait_for_selector(MORE_TOKENS)
    model.replies.append(json_reply({"text": "x" * 1500}))
    page.click(MORE_TOKENS)
    page.wait_for_selector(DOWNLOAD)
    [request] = model.chat_requests
    assert request.body["max_tokens"] > 64
    page.wait_for_selector(f"text=Overrides: max_tokens {request.body['max_tokens']}")
    assert request.body["messages"][-1]["content"] == "Typed just now"
    assert page.input_value(PROMPT) == "Typed just now"


def test_switch_for_mentioned_fields_stays_off_on_other_pages(page: Page) -> None:
    switch = ".st-key-structured_mentioned"
    page.click(f"{switch} label")
    page.click("a:has-text('Chat')")
    page.wait_for_selector(".st-key-chat_starters button")
    page.click("a:has-text('Structured')")
    page.wait_for_selector(START)
    assert not page.is_checked(f"{switch} input")


def test_hostile_output_loads_nothing_and_runs_nothing(page: Page, model: FakeModelServer) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    type_schema(page, {"type": "object"})
    model.replies.append(json_reply(HOSTILE))
    page.click(START)
    page.wait_for_selector(DOWNLOAD)
    type_schema(page, FILM)
    model.replies += [json_reply(HOSTILE)] * 3
    page.click(START)
    page.wait_for_selector(".st-key-structured_retry button")
    open_details(page)
    assert "<script>" in page.inner_text(OUTPUT)
    assert page.locator(".stMain :is(img, iframe, script)").count() == 0
    assert not [url for url in requests if "evil" in url]
    assert page.title() == "SmolChat"


def test_raw_text_runs_from_right_to_left(page: Page, model: FakeModelServer) -> None:
    select_schema(page, "Event")
    model.replies += [stream_reply(["שלום עולם.\nHello."])] * 3
    run_to_its_end(page)
    code = page.locator(".st-key-structured_raw code")
    sides = code.evaluate(
        """code => {
            const range = document.createRange();
            return [...code.querySelectorAll("span")].filter(span => !span.children.length)
              .map((span) => {
                range.selectNodeContents(span.firstChild);
                const text = range.getClientRects()[0].width > 1
                  ? range.getClientRects()[0] : range.getClientRects()[1];
                const box = code.getBoundingClientRect();
                return text.left - box.left > box.right - text.right ? "right" : "left";
              });
        }"""
    )
    assert sides == ["right", "left"]


LINKS = "[x](http://evil.test/x) ![i](http://evil.test/i.png) <http://evil.test/a> www.evil.test"
MARKUP = f"{LINKS} a@evil.test <b>b</b> $x^2$ :red[r] :material/home: :smile: **bold** `c`"
HOSTILE_SCHEMAS: list[dict[str, Any]] = [
    {"$ref": "http://evil.test/schema"},
    {"$ref": f"#/{MARKUP}"},
    {"$id": f"http://evil.test/{LINKS}", "$ref": "other"},
    {"type": MARKUP},
    {"properties": {MARKUP: {"type": MARKUP}}},
    {"properties": {MARKUP: {"pattern": f"({LINKS}"}}, "required": [MARKUP]},
    {"properties": {MARKUP: False}, "required": [MARKUP]},
]


def test_hostile_schema_is_only_text(page: Page, model: FakeModelServer) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    texts = []
    for schema in HOSTILE_SCHEMAS:
        type_schema(page, schema)
        model.replies.extend([json_reply({})] * 3)
        run_to_its_end(page)
        model.replies.clear()
        texts += page.locator("[data-testid=stAlert]").all_inner_texts()
        assert_is_text(page)
    hostile = {"title": MARKUP, MARKUP: MARKUP, "year": MARKUP}
    type_schema(page, FILM | {"properties": {"title": {"enum": [MARKUP[:-1]]}, "year": {}}})
    model.replies += [json_reply(hostile)] * 3
    run_to_its_end(page)
    open_details(page)
    assert_is_text(page)
    assert MARKUP[:100] in page.inner_text("[class*=st-key-structured_fault_]")
    assert any("http://evil.test/schema" in text for text in texts)
    assert not [url for url in requests if "evil" in url]


def assert_is_text(page: Page) -> None:
    active = ".stApp :is(a[href*=evil], [href^=mailto], .stMain img, .stMain .katex, .stMain b)"
    assert page.locator(active).all_inner_texts() == []
    assert page.locator(".stMain [data-testid=stAlert] :is(strong, [role=img])").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_and_nothing_overflows_on_a_phone(
    scheme: str, url: str, browser: Browser, model: FakeModelServer
) -> None:
    page = opened(browser, url, color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    wide = {"title": "x" * 300, "year": "y" * 300}

    def assert_readable() -> None:
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)  # until transitions have ended
        assert page.evaluate(LOW_CONTRAST_TEXTS) == []
        assert overflow(page) <= 0

    assert_readable()
    type_schema(page, "{" + "x" * 300)
    assert_readable()
    type_schema(page, {"properties": {"title": {"type": "string"}}})
    model.replies.append(json_reply(wide))
    page.click(START)
    page.wait_for_selector(DOWNLOAD)
    open_details(page)
    assert_readable()
    type_schema(page, FILM)
    model.replies += [json_reply(wide)] * 3
    page.click(START)
    page.wait_for_selector(".st-key-structured_retry button")
    assert_readable()
    page.click("text=Benchmark")
    page.fill(".st-key-structured_repetitions input", "1")
    model.replies += [
        text_reply("no"),
        text_reply("{}"),
        text_reply("{", "length"),
        json_reply({"title": "", "year": 1}),
    ]
    page.click(START)
    page.wait_for_selector(".st-key-benchmark_csv button")
    page.wait_for_selector("[data-testid=stVegaLiteChart] svg")
    assert_readable()
    page.close()


def test_benchmark_shows_progress_and_can_be_stopped(page: Page, model: FakeModelServer) -> None:
    type_schema(page, FILM)
    page.click("text=Benchmark")
    page.wait_for_selector(".st-key-structured_repetitions input")
    model.replies += [text_reply("no"), Reply(delay_seconds=60)]
    page.click(START)
    page.wait_for_selector("text=1 of 40")
    page.wait_for_selector("[data-testid=stTable] tbody tr >> text=free text")
    page.click(STOP)
    page.wait_for_selector("text=Stopped after 1 of 40.")
    assert model.chat_requests[-1].disconnected.wait(10)
    with page.expect_download() as download:
        page.click(".st-key-benchmark_csv button")
    assert download.value.path().read_text().startswith("method,number,outcome")


def test_real_model_generates_valid_output(browser: Browser) -> None:
    with running_engine() as engine:
        settings = Settings(model_id="ai/smollm2:latest", dmr_base_url=engine.base_url)
        with running_api(settings) as api_url, running_page(api_url) as url:
            page = opened(browser, f"{url}/structured")
            page.click(".st-key-parameter_panel summary")
            page.fill(".st-key-parameter_max_tokens input", "96")
            page.press(".st-key-parameter_max_tokens input", "Enter")
            page.wait_for_selector("text=Overrides: max_tokens 96")
            select_schema(page, "Sentiment")
            page.click(START)
            page.wait_for_selector(DOWNLOAD, timeout=60_000)
            output = json.loads(page.inner_text(OUTPUT))
            assert output["label"] in ("positive", "neutral", "negative")
            assert 0 <= output["score"] <= 1
            page.click("text=Benchmark")
            page.fill(".st-key-structured_repetitions input", "1")
            page.click(START)
            page.wait_for_selector(".st-key-benchmark_json button", timeout=100_000)
            assert page.locator("[data-testid=stTable] tbody tr").count() == 4
            page.close()
