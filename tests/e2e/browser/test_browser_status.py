"""The Status page in a browser: contrast, layout on a phone, and hostile values."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from backend.settings import Settings
from benchmarks.browser import IDLE
from tests.support.api_server import running_api
from tests.support.browser import LOW_CONTRAST_TEXTS, needs_chromium, running_page
from tests.support.fake_model_server import running_fake_model_server
from tests.support.requests import MODEL_ID

pytestmark = needs_chromium

EXPANDERS = ["speeds", "api_settings", "page_settings", "packages"]
MAIN = "document.querySelector('[data-testid=stMain]')"
HOSTILE = "![x](http://evil.test/a.png) <img src=http://evil.test/b.png> | `"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_fake_model_server() as model:
        settings = Settings(
            model_id=MODEL_ID, dmr_base_url=model.base_url, data_dir=_folder(tmp_path_factory)
        )
        with running_api(settings) as api_url, running_page(api_url) as url:
            _import_answer(api_url)
            yield f"{url}/status"


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("a-folder-with-a-name-that-is-long-enough-to-be-wider-than-a-phone")


def _import_answer(api_url: str) -> None:
    receipt = {"model": "m", "total_ms": 1, "first_token_ms": 200}
    receipt["completion_tokens_per_second"] = 20
    answer = {"role": "assistant", "state": "finished", "receipt": receipt, "model": HOSTILE}
    export = {"format": "smolchat", "version": 1, "conversations": [{"messages": [answer]}]}
    response = httpx.post(f"{api_url}/conversations/import", json=export, timeout=60)
    assert response.status_code == 201


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["light", "dark"])
def page(request: pytest.FixtureRequest, url: str, browser: Browser) -> Iterator[Page]:
    scheme, width = request.param
    page = browser.new_page(viewport={"width": width, "height": 860}, color_scheme=scheme)
    page.goto(url)
    page.wait_for_selector(".st-key-status_packages")
    page.wait_for_selector(IDLE)
    yield page
    page.close()


def test_text_has_contrast_and_nothing_overflows(page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.reload()
    for key in EXPANDERS:
        page.click(f".st-key-status_{key} summary")
        page.wait_for_selector(f".st-key-status_{key} [data-testid=stTable]")
    page.wait_for_selector(
        "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"
    )
    page.wait_for_timeout(500)  # until transitions have ended
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []
    assert page.evaluate(f"{MAIN}.scrollWidth <= {MAIN}.clientWidth")
    assert not [url for url in requests if "evil" in url]
    assert HOSTILE in page.inner_text(".st-key-status_speeds")
    assert page.locator("[href*=evil]").count() == 0
