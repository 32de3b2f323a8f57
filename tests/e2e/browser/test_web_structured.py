"""The Structured page of the React page: output, retries, the benchmark, and hostile output."""

import json
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.browser import LOW_CONTRAST_TEXTS, needs_chromium
from tests.support.fake_model_server import FakeModelServer
from tests.support.structured_responses import (
    EVENT,
    grammar_probe_reply,
    hanging_reply,
    json_reply,
    text_reply,
)
from tests.support.web_page import WebStack, open_web_page, running_web_stack

pytestmark = needs_chromium

HOSTILE = {
    "title": "![x](http://evil.test/a.png) <img src=http://evil.test/b.png onerror=alert(1)>",
    "year": "</code><script>document.title='owned'</script>",
    "![k](http://evil.test/c.png)": 1,
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("data")) as stack:
        stack.model.replies += [grammar_probe_reply(), json_reply(EVENT)]
        body = {"messages": [{"role": "user", "content": "x"}], "response_type": "event"}
        httpx.post(f"{stack.url}/structured", json=body)  # finds out what the model server can
        yield stack


@pytest.fixture
def model(stack: WebStack) -> FakeModelServer:
    stack.model.requests.clear()
    stack.model.replies.clear()
    return stack.model


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["light", "dark phone"])
def page(request: pytest.FixtureRequest, stack: WebStack, browser: Browser) -> Iterator[Page]:
    scheme, width = request.param
    with open_web_page(
        browser,
        f"{stack.url}/app/structured",
        width=width,
        color_scheme=scheme,
        has_touch=width < 400,
    ) as page:
        yield page
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture
def plain_page(stack: WebStack, browser: Browser) -> Iterator[Page]:
    with open_web_page(browser, f"{stack.url}/app/structured") as page:
        yield page


def choose_schema(page: Page, name: str, text: str = "") -> None:
    page.locator("label").filter(has=page.locator("[name=schema]"), has_text=name).click()
    if text:
        page.get_by_label("JSON Schema").fill(text)


def run(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()


def test_output_grows_and_is_then_validated(page: Page, model: FakeModelServer) -> None:
    choose_schema(page, "Event")
    model.replies.append(json_reply(EVENT, interval_seconds=0.1))
    page.get_by_label("Prompt", exact=True).fill("A party")
    page.get_by_label("Prompt", exact=True).press("Control+Enter")
    output = page.get_by_role("figure", name="Output", exact=True)
    expect(output).to_contain_text("Release party")
    expect(page.get_by_text("Valid", exact=True)).to_be_visible()
    expect(output).to_contain_text("Ben")
    expect(page.get_by_text("1 attempt")).to_be_visible()
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []


def test_invalid_schema_is_located_while_it_is_typed(page: Page, model: FakeModelServer) -> None:
    choose_schema(page, "Custom schema", '{"type": "object",\n "required": }')
    expect(page.get_by_text("At line 2, column 14.")).to_be_visible()
    run(page)
    expect(page.get_by_text("Fix the schema first.")).to_be_visible()
    assert model.chat_requests == []


def test_nothing_is_chosen_before_the_schemas_are_known(stack: WebStack, browser: Browser) -> None:
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    with browser.new_context() as context:
        context.route("**/structured/types", hold)
        page = context.new_page()
        page.goto(f"{stack.url}/app/structured")
        expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()
        expect(page.locator("[name=schema]")).to_have_count(0)
        waiting[0].continue_()
        expect(page.get_by_role("radio", name="Sentiment")).to_be_checked()
        expect(page.get_by_role("button", name="Run", exact=True)).to_be_enabled()


def test_failure_is_retried_with_the_tokens_that_the_schema_needs(
    plain_page: Page, model: FakeModelServer
) -> None:
    page = plain_page
    text = {"type": "string", "minLength": 1500}
    schema = {"type": "object", "properties": {"text": text}, "required": ["text"]}
    choose_schema(page, "Custom schema", json.dumps(schema))
    page.get_by_label("Prompt", exact=True).fill("Anything")
    page.get_by_label("Max tokens").fill("64")
    run(page)
    retry = page.get_by_role("button", name="and retry")
    expect(retry).to_be_visible()
    model.replies.append(json_reply({"text": "x" * 1500}))
    retry.click()
    expect(page.get_by_text("Valid", exact=True)).to_be_visible()
    [request] = model.chat_requests
    assert request.body["max_tokens"] > 64
    assert page.get_by_label("Max tokens").input_value() == str(request.body["max_tokens"])


def test_output_that_was_stopped_stays(plain_page: Page, model: FakeModelServer) -> None:
    page = plain_page
    choose_schema(page, "Event")
    model.replies.append(hanging_reply('{"name": "Concert", "date": "20'))
    run(page)
    expect(page.get_by_label("Output so far")).to_contain_text("Concert")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_label("Output, not complete")).to_contain_text("Concert")
    assert model.chat_requests[0].disconnected.wait(10)
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_focused()


def test_benchmark_measures_each_method_once(page: Page, model: FakeModelServer) -> None:
    choose_schema(page, "Event")
    page.get_by_label("Prompt", exact=True).fill("A party")
    page.locator("label", has_text="Benchmark").click()
    page.get_by_label("Runs per method").fill("1")
    valid = json.dumps(EVENT)
    model.replies += [text_reply("A party!"), text_reply(valid), text_reply(valid)]
    model.replies.append(text_reply(valid))
    page.get_by_role("button", name="Run benchmark").click()
    expect(page.get_by_text("4 of 4")).to_be_visible()
    rows = page.get_by_role("row")
    expect(rows.filter(has_text="free text")).to_contain_text("0% of 1")
    expect(rows.filter(has_text="json_object")).to_contain_text("100% of 1")
    expect(rows.filter(has_text="SmolChat")).to_contain_text("100% of 1")
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert len(download.value.path().read_text().strip().splitlines()) == 5


def test_hostile_output_loads_nothing_and_runs_nothing(
    plain_page: Page, stack: WebStack, model: FakeModelServer
) -> None:
    page, requests = plain_page, list[str]()
    page.on("request", lambda request: requests.append(request.url))
    page.on("dialog", lambda dialog: requests.append(dialog.message))
    choose_schema(page, "Custom schema", '{"type": "object"}')
    page.get_by_label("Prompt", exact=True).fill(HOSTILE["title"])  # type: ignore[arg-type]
    model.replies.append(json_reply(HOSTILE))
    run(page)
    expect(page.get_by_text("Valid", exact=True)).to_be_visible()
    expect(page.get_by_role("figure", name="Output", exact=True)).to_contain_text("evil.test/c.png")
    page.locator("summary", has_text="Attempts").click()
    assert page.title() != "owned"
    assert [url for url in requests if not url.startswith(stack.url)] == []
