"""The page in a real browser: Streamlit as it is started by hand, and Debian's Chromium."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from benchmarks.browser import CHROMIUM
from served_api import free_port

ROOT = Path(__file__).parent.parent
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: install Debian's package `chromium` to run this"
)


@contextmanager
def running_page(api_url: str, **knobs: str) -> Iterator[str]:
    """Serve the page from the project's root, as the README says; give its address."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "frontend/app.py"]
    command += ["--server.port", str(port)]
    environment = os.environ | {"API_BASE_URL": api_url} | knobs
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        while not _answers(url):
            assert process.poll() is None
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_stcore/health").is_success
    except httpx.TransportError:
        time.sleep(0.1)
        return False


def answer_text(page: Page) -> str:
    """Give the text of the last answer as a person sees it."""
    parts = page.locator("[data-testid=stChatMessage]").last.locator("[data-testid=stMarkdown]")
    return "\n".join(parts.all_inner_texts())
