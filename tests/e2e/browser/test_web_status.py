"""The React page's status in a browser: live states with their next step, contrast, phones."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.processes import free_port
from tests.support.api_server import running_api, settings_for
from tests.support.browser import LOW_CONTRAST_TEXTS, needs_chromium
from tests.support.fake_model_server import FakeModelServer, running_fake_model_server
from tests.support.web_page import import_chats, open_web_page

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModelServer]:
    with running_fake_model_server() as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def url(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_api(settings_for(model, data_dir=tmp_path_factory.mktemp("web"))) as url:
        import_chats(url, [{"title": "Rivers"}])
        yield url


@pytest.fixture(params=[("light", 1280), ("dark", 320)], ids=["light", "dark phone"])
def page(request: pytest.FixtureRequest, url: str, browser: Browser) -> Iterator[Page]:
    scheme, width = request.param
    with open_web_page(
        browser, f"{url}/app/status", width=width, color_scheme=scheme, has_touch=width < 400
    ) as page:
        yield page


def test_status_tells_what_runs_where(page: Page, model: FakeModelServer) -> None:
    expect(page.get_by_role("article").filter(has_text="Model server")).to_contain_text(
        model.base_url
    )
    for name in ("Settings", "Packages"):
        page.locator("summary", has_text=name).click()
    expect(page.get_by_role("cell", name="MODEL_ID")).to_be_visible()
    expect(page.get_by_role("term").filter(has_text="Conversations")).to_be_visible()
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert model.chat_requests == []


@pytest.mark.parametrize(
    ("settings", "state", "next_step"),
    [
        ({"model_id": "ai/other"}, "Model not found", "docker model pull ai/other"),
        ({"dmr_base_url": "http://127.0.0.1:9/v1"}, "Model server offline", "DMR_BASE_URL"),
    ],
)
def test_problem_has_its_next_step(
    model: FakeModelServer,
    browser: Browser,
    tmp_path: Path,
    settings: dict[str, str],
    state: str,
    next_step: str,
) -> None:
    with (
        running_api(settings_for(model, data_dir=tmp_path, **settings)) as url,
        open_web_page(browser, f"{url}/app/status") as page,
    ):
        problem = page.get_by_role("alert").filter(has_text=state)
        expect(problem).to_contain_text(next_step, timeout=15_000)
        expect(page.get_by_text("No chats yet.")).to_be_visible()
        assert page.evaluate(LOW_CONTRAST_TEXTS) == []


def test_api_that_comes_back_is_noticed(
    model: FakeModelServer, browser: Browser, tmp_path: Path
) -> None:
    port, settings = free_port(), settings_for(model, data_dir=tmp_path)
    with running_api(settings, port=port) as url:
        context = open_web_page(browser, f"{url}/app/status")
        page = context.__enter__()
        expect(page.get_by_text("Online")).to_be_visible()
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert")).to_contain_text("make run")
    page.get_by_label("Search chats").fill("rivers")
    expect(page.get_by_role("alert").filter(has_text="Can't reach")).to_be_visible(timeout=15_000)
    page.get_by_role("link", name="Tools").click()
    expect(page.locator("main").get_by_role("alert")).to_contain_text("Can't reach")
    with running_api(settings, port=port):
        page.locator("main").get_by_role("button", name="Try again").click()
        expect(page.get_by_role("heading", name="Tools", exact=True)).to_be_visible()
        page.get_by_role("link", name="Status").click()
        expect(page.get_by_text("Online")).to_be_visible(timeout=15_000)
        expect(page.get_by_role("alert")).to_have_count(0, timeout=30_000)
        expect(page.get_by_text("No chats found")).to_be_visible()
        context.__exit__(None, None, None)
