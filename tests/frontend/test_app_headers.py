"""The page's server, started as in the README: response headers and invalid settings."""

import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.support.browser import running_page
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_page("http://127.0.0.1:1") as url:
        yield url


@pytest.mark.parametrize(
    "path", ["/", "/app/static/bolt.svg", "/_stcore/health", "/static/js/none.js", "/nowhere"]
)
def test_every_response_has_security_headers(url: str, path: str) -> None:
    headers = httpx.get(url + path).headers
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'self'", "img-src 'self' data: blob:", "object-src 'none'"} <= set(policy)
    assert {"frame-ancestors 'none'", "base-uri 'none'", "connect-src 'self'"} <= set(policy)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("font", ["figtree", "bricolage-grotesque", "jetbrains-mono"])
def test_fonts_are_served_by_the_page(url: str, font: str) -> None:
    response = httpx.get(f"{url}/app/static/{font}-latin-wght-normal.woff2")
    assert response.content[:4] == b"wOF2"


def test_invalid_setting_stops_the_start_with_its_name() -> None:
    command = [sys.executable, "-m", "streamlit", "run", "frontend/app.py"]
    command += ["--server.port", "0"]
    environment = os.environ | {"API_BASE_URL": "localhost:8000"}
    process = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert process.returncode == 1
    assert "Invalid setting API_BASE_URL" in process.stdout + process.stderr
