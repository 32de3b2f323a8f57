"""The page's server, started as in the README: response headers and invalid settings."""

import os
import re
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


@pytest.mark.parametrize("path", ["/", "/structured", "/status", "/nowhere"])
def test_page_is_named_before_its_script_has_run(url: str, path: str) -> None:
    response = httpx.get(url + path, headers={"Accept-Encoding": "gzip"})
    text = response.text
    assert "<title>SmolChat</title>" in text
    assert "favicon.png" not in text
    assert int(response.headers["content-length"]) == len(text.encode())
    assert "etag" not in response.headers
    scripts = re.findall(r'<script src="\./(app/static/[a-z]+\.js)" defer>', text)
    assert len(scripts) == len(list((ROOT / "frontend" / "static").glob("*.js")))
    assert all(httpx.get(f"{url}/{script}").is_success for script in scripts)


def test_head_request_has_no_body(url: str) -> None:
    response = httpx.head(url)
    assert response.headers["content-length"] != "0"
    assert not response.content


def test_html_that_is_a_file_stays_as_it_is(url: str) -> None:
    assert "<title>SmolChat" not in httpx.get(f"{url}/static/index.html").text
