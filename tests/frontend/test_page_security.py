"""Hosts and origins that the page accepts, in requests and WebSockets to a running page."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.browser import running_page
from tests.support.raw_http import raw_connection, status

PATHS = (
    "/", "/structured", "/nowhere", "/static/index.html", "/app/static/bolt.svg",
    "/media/x.png", "/component/x/index.html", "/_stcore/health", "/_stcore/host-config",
    "/_stcore/upload_file/a/b",
)  # fmt: skip
OWN_HOSTS = (
    "localhost:{port}", "LocalHost.:{port}", "localhost", "127.0.0.1:{port}", "192.168.1.9:80",
    "[::1]:{port}", "[FE80::1%25eth0]", "chat.example", "CHAT.example.:443",
)  # fmt: skip
FOREIGN_HOSTS = (
    "evil.example", "evil.example:{port}", "localhost.evil.example:{port}", "localhost..:{port}",
    "xlocalhost", "a.chat.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example",
    "user@localhost:{port}", "evil.example#localhost", "evil.example/localhost", "localhost:a",
    "localhost:{port}:1", "localhost:", "localhost,evil.example", "[127.0.0.1]", "::1", "[::1",
    "[::1]evil.example", "0x7f.1", "2130706433", "*", "", "\xe9vil.example",
)  # fmt: skip
FOREIGN_ORIGINS = (
    "http://localhost", "http://localhost:3000", "http://127.0.0.1:{port}", "http://evil.example",
    "http://localhost.:{port}", "http://localhost.evil.example:{port}", "http://[::1]:{port}",
    "http://user@localhost:{port}", "http://localhost:{port}/", "http://localhost:{port}@evil.example",
    "localhost:{port}", "//localhost:{port}", "ws://localhost:{port}", "file://", "null", "*", "",
    "chrome-extension://localhost:{port}", "http://localhost:{port}, http://evil.example",
)  # fmt: skip


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_page("http://127.0.0.1:1", SMOLCHAT_ALLOWED_HOSTS="Chat.Example,") as url:
        yield url


def request(url: str, path: str, *headers: str, method: str = "GET") -> int:
    """Return the status of a request with these headers, in which {port} is the page's."""
    return _status(url, f"{method} {path} HTTP/1.1\n", *headers, "Connection: close")


def websocket(url: str, *headers: str) -> int:
    return _status(
        url,
        "GET /_stcore/stream HTTP/1.1\n",
        *headers,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: streamlit",
    )


def _status(url: str, line: str, *headers: str) -> int:
    head = "".join(f"{header}\n" for header in headers)
    head = line + head.replace("{port}", str(urlsplit(url).port))
    with raw_connection(url, head) as connection:
        return status(connection)


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_own_host_is_accepted(host: str, url: str) -> None:
    assert request(url, "/_stcore/health", f"Host: {host}") == 200
    assert request(url, "/", f"Host: {host}", f"Origin: https://{host}") == 200
    assert websocket(url, f"Host: {host}", f"Origin: http://{host}") == 101
    assert websocket(url, f"Host: {host}") == 101


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_foreign_host_is_rejected(host: str, url: str) -> None:
    assert request(url, "/", f"Host: {host}") == 403
    assert websocket(url, f"Host: {host}", f"Origin: http://{host}") == 403
    assert websocket(url, f"Host: {host}", "Origin: http://localhost:{port}") == 403


@pytest.mark.parametrize("path", PATHS)
def test_every_path_checks_host_and_origin(path: str, url: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        assert request(url, path, "Host: evil.example:{port}", method=method) == 403
        origin = "Origin: http://localhost:3000"
        assert request(url, path, "Host: localhost:{port}", origin, method=method) == 403


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_foreign_origin_is_rejected(origin: str, url: str) -> None:
    headers = ("Host: localhost:{port}", f"Origin: {origin}")
    assert request(url, "/_stcore/upload_file/a/b", *headers, method="PUT") == 403
    assert websocket(url, *headers) == 403


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Host: localhost:{port}", "Host: localhost:{port}"),
        ("Host: localhost:{port}", "Host: evil.example"),
        ("Host: localhost", "Origin: http://localhost", "Origin: http://evil.example"),
    ],
)
def test_missing_or_repeated_header_is_rejected(headers: tuple[str, ...], url: str) -> None:
    assert request(url, "/", *headers) == 403
    assert websocket(url, *headers) in {400, 403}


@pytest.mark.parametrize(
    ("site", "destination", "expected"),
    [
        ("cross-site", "image", 403),
        ("same-site", "empty", 403),  # another port of this machine
        ("cross-site", "document", 200),
        ("same-origin", "image", 200),
        ("none", "document", 200),
    ],
)
def test_other_pages_may_only_link_to_the_page(
    site: str, destination: str, expected: int, url: str
) -> None:
    headers = (f"Sec-Fetch-Site: {site}", f"Sec-Fetch-Dest: {destination}")
    assert request(url, "/app/static/bolt.svg", "Host: localhost:{port}", *headers) == expected


def test_rejection_says_what_to_set(url: str) -> None:
    response = httpx.get(url, headers={"Host": "evil.example"})
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "'evil.example'" in response.text
    assert "SMOLCHAT_ALLOWED_HOSTS" in response.text


def test_any_host_is_accepted_if_allowed() -> None:
    with running_page("http://127.0.0.1:1", SMOLCHAT_ALLOWED_HOSTS="*") as url:
        assert websocket(url, "Host: any.example", "Origin: http://any.example") == 101
        assert websocket(url, "Host: any.example", "Origin: http://evil.example") == 403
