"""What the pages say while the API or their own server does not answer, and afterwards."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks.browser import send_message
from tests.support.api_process import running_uvicorn
from tests.support.browser import (
    message_texts,
    needs_chromium,
    open_page,
    running_page,
    running_streamlit,
    wait_until_answered,
)
from tests.support.fake_model_server import running_fake_model_server
from tests.support.paths import ROOT

pytestmark = needs_chromium


@dataclass(frozen=True)
class Programs:
    """The API's process and the page's URL."""

    api: subprocess.Popen[bytes]
    url: str


@pytest.fixture(scope="module")
def programs() -> Iterator[Programs]:
    with (
        running_fake_model_server() as model,
        running_uvicorn(model) as (api_url, api),
        running_page(api_url, SMOLCHAT_API_LOOK_SECONDS="1") as url,
    ):
        yield Programs(api, url)


def test_notice_goes_as_soon_as_a_hung_api_answers(programs: Programs, browser: Browser) -> None:
    with open_page(browser, programs.url) as page:
        programs.api.send_signal(signal.SIGSTOP)
        send_message(page, "Hello")
        page.wait_for_selector("text=is not responding")
        assert page.get_by_role("button", name="Retry").count() == 0
        programs.api.send_signal(signal.SIGCONT)
        page.wait_for_selector("text=is not responding", state="detached")
        assert message_texts(page) == ["Hello"]  # still to be sent
        page.click(".st-key-chat_unsent_send_0 button")
        wait_until_answered(page)


def test_chat_opens_as_soon_as_a_hung_api_answers(programs: Programs, browser: Browser) -> None:
    with open_page(browser, programs.url) as page:
        send_message(page, "Hello")
        wait_until_answered(page)
        address = page.url
    programs.api.send_signal(signal.SIGSTOP)
    with open_page(browser, address) as page:
        page.wait_for_selector("text=is not responding")
        programs.api.send_signal(signal.SIGCONT)
        wait_until_answered(page)
        assert page.locator("[data-testid=stAlert]").count() == 0


def test_page_without_its_server_speaks_of_smolchat(browser: Browser) -> None:
    with running_page("http://127.0.0.1:1") as url:
        page = browser.new_page()
        page.goto(url.replace("127.0.0.1", "localhost"))
        page.wait_for_selector("[data-testid=stAlert]")
    page.wait_for_selector("text=SmolChat does not answer")
    assert "Streamlit" not in page.inner_text("body")
    assert "streamlit run" not in page.inner_text("body")
    page.keyboard.press("Escape")
    page.wait_for_selector("[role=dialog]", state="detached")
    assert "Streamlit" not in page.inner_text("body")
    page.close()


def test_error_of_a_page_is_told_without_details(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "frontend"
    shutil.copytree(ROOT / "frontend", folder)
    (folder / "app_pages" / "chat.py").write_text("raise ValueError('a secret')\n")
    with running_streamlit(str(folder / "app.py"), {}) as url:
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("text=Something went wrong")
        text = page.inner_text("body")
        assert not [word for word in ("Streamlit", "secret", "ValueError") if word in text]
        page.close()
