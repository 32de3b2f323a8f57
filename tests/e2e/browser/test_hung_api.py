"""An API that does not answer: what the pages show, and that they go on once it answers."""

import signal
from collections.abc import Iterator
from subprocess import Popen

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser import IDLE
from tests.support.api_process import running_uvicorn
from tests.support.browser import needs_chromium, open_page, running_page
from tests.support.fake_model_server import running_fake_model_server

pytestmark = needs_chromium

NOTICE = "[data-testid=stAlert]:has-text('is not responding')"
RETRY = "button:has-text('Retry'):visible"
# What a page shows only if the API answers.
CONTENT = {
    "": ".st-key-chat_starters button",
    "structured": ".st-key-structured_type button:has-text('Event')",
    "status": ".st-key-status_packages",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Popen[bytes]]]:
    """The page's URL, and the process of its API."""
    environment = pytest.MonkeyPatch()
    environment.setenv("SMOLCHAT_DATA_DIR", str(tmp_path_factory.mktemp("data")))
    with (
        running_fake_model_server() as model,
        running_uvicorn(model) as (api_url, process),
        running_page(api_url, SMOLCHAT_API_LOOK_SECONDS="1") as url,
    ):
        yield url, process
    environment.undo()


def opened(browser: Browser, url: str) -> Page:
    page = browser.new_page()
    page.goto(url)
    return page


def test_notice_goes_on_every_page_when_the_api_answers(
    stack: tuple[str, Popen[bytes]], browser: Browser
) -> None:
    url, process = stack
    process.send_signal(signal.SIGSTOP)
    try:
        pages = {name: opened(browser, f"{url}/{name}") for name in CONTENT}
        for page in pages.values():
            page.wait_for_selector(NOTICE)
            page.wait_for_selector(IDLE)
            assert (page.locator(NOTICE).count(), page.locator(RETRY).count()) == (1, 1)
    finally:
        process.send_signal(signal.SIGCONT)
    for name, page in pages.items():
        page.wait_for_selector(CONTENT[name])
        page.wait_for_selector(NOTICE, state="detached")
        assert page.locator(RETRY).count() == 0
        page.close()


def test_fields_and_presets_do_not_wait_for_a_hung_api(
    stack: tuple[str, Popen[bytes]], browser: Browser
) -> None:
    url, process = stack
    with open_page(browser, url) as page:
        page.click(".st-key-parameter_panel summary")
        page.wait_for_timeout(3500)  # until what is known of the API is old
        process.send_signal(signal.SIGSTOP)
        try:
            page.wait_for_timeout(1500)
            for preset, temperature in (("Creative", "1.1"), ("Precise", "0.2")):
                page.click(f".st-key-preset button:has-text('{preset}')")
                field = f".st-key-parameter_temperature input[value='{temperature}']"
                page.wait_for_selector(field, timeout=2000)
        finally:
            process.send_signal(signal.SIGCONT)
