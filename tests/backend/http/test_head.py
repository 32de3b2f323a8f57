"""HEAD on every route of GET, and the headers of every response."""

import json
import socket
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import pytest

from backend.main import create_app
from tests.support.api_server import settings_for
from tests.support.fake_model_server import FakeModelServer
from tests.support.requests import HELLO, STREAMED

GET_PATHS = [
    *("/healthz", "/readyz", "/status", "/metrics", "/models", "/v1/models", "/presets", "/docs"),
    *("/openapi.json", "/conversations", "/conversations?limit=1", "/conversations/export"),
]


def test_head_has_the_headers_of_get_and_no_body(api_url: str) -> None:
    with httpx.Client(base_url=api_url) as client:
        for path in GET_PATHS:
            get, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (200, b""), path
            assert get.content, path
            assert head.headers["content-type"] == get.headers["content-type"]
            assert ("content-length" in get.headers) == ("content-length" in head.headers), path


def test_every_route_of_get_answers_head(model_server: FakeModelServer, api_url: str) -> None:
    schema = create_app(settings_for(model_server)).openapi()
    paths = [path for path, operations in schema["paths"].items() if "get" in operations]
    for path in paths:
        url = api_url + path.replace("{", "").replace("}", "")
        assert httpx.head(url).status_code == httpx.get(url).status_code != 405, path


def test_connection_is_kept_after_head(api_url: str) -> None:
    request = "{} /conversations/export HTTP/1.1\r\nHost: localhost\r\n\r\n"
    address = urlsplit(api_url)
    with (
        closing(socket.create_connection((address.hostname, address.port), timeout=20)) as raw,
        raw.makefile("rb") as reader,
    ):
        for method in ("HEAD", "HEAD", "GET"):
            raw.sendall(request.format(method).encode())
            assert reader.readline() == b"HTTP/1.1 200 OK\r\n"
            while reader.readline() != b"\r\n":
                pass


def test_head_of_a_route_without_get_is_not_allowed(api_url: str) -> None:
    response = httpx.head(f"{api_url}/conversations/import")
    assert response.status_code in (404, 405)
    assert httpx.head(f"{api_url}/chat").status_code == 405


def test_head_is_counted_with_its_route(api_url: str) -> None:
    httpx.head(f"{api_url}/presets")
    assert 'route="/presets"' in httpx.get(f"{api_url}/metrics").text


@pytest.mark.parametrize(
    "request_",
    [
        ("GET", "/healthz", None),
        ("GET", "/docs", None),
        ("GET", "/nothing", None),
        ("POST", "/chat", HELLO),
        ("POST", "/chat", STREAMED),
        ("POST", "/chat", {}),
        ("GET", "/chat", None),
        ("POST", "/structured", {}),
        ("OPTIONS", "/chat", None),
    ],
    ids=lambda request: f"{request[0]} {request[1]} {json.dumps(request[2])[:20]}",
)
def test_every_response_has_the_security_headers(
    request_: tuple[str, str, object], api_url: str
) -> None:
    method, path, body = request_
    response = httpx.request(method, f"{api_url}{path}", json=body)
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]
    assert response.headers.get_list("x-frame-options") == ["DENY"]
