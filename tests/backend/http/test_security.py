"""The security checks: API key, host, origin, and the type and size of the body."""

import json
from collections.abc import AsyncIterator

import httpx
import openai
import pytest
import streamlit as st
from starlette.responses import Response

from api.client import ApiClient
from api.errors import ApiError
from backend.http.body_limit import BodyLimit
from backend.http.security import SecurityMiddleware
from backend.settings import Settings
from settings import Settings as PageSettings
from tests.support.api_server import API_KEY, api_client_with, running_api, settings_for
from tests.support.fake_model_server import FakeModelServer
from tests.support.raw_http import raw_connection, status
from tests.support.requests import HELLO
from tests.support.streamlit_app import ask, message_texts, open_page

pytestmark = pytest.mark.anyio

JSON_TYPE = {"Content-Type": "application/json"}


def code(response: httpx.Response) -> str:
    error = response.json()["error"]
    assert error.keys() >= {"message", "type", "code", "param"}
    return str(error["code"])


# The API key


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {API_KEY[:-1]}",
        f"Bearer {API_KEY}x",
        f"Basic {API_KEY}",
        API_KEY,
        "Bearer \xff",
    ],
)
async def test_request_without_the_key_is_rejected_before_it_runs(
    authorization: str | None, model_server: FakeModelServer
) -> None:
    headers: dict[bytes, bytes] = {}
    if authorization is not None:
        headers[b"Authorization"] = authorization.encode("latin-1")
    async with api_client_with(model_server, api_key=API_KEY) as api:
        responses = [await api.post(path, json=HELLO, headers=headers) for path in ("/chat", "/x")]
        responses += [
            await api.get(path, headers=headers)
            for path in ("/models", "/docs", "/openapi.json", "/healthz/", "/healthz//", "/app")
        ]
    errors = {(response.status_code, code(response)) for response in responses}
    assert errors == {(401, "invalid_api_key")}
    assert responses[0].headers["www-authenticate"] == "Bearer"
    assert not model_server.requests


async def test_request_with_the_key_is_accepted(model_server: FakeModelServer) -> None:
    async with api_client_with(model_server, api_key=API_KEY) as api:
        for scheme in ("Bearer", "bearer"):
            headers = {"Authorization": f"{scheme} {API_KEY}"}
            assert (await api.post("/chat", json=HELLO, headers=headers)).status_code == 200
            assert (await api.get("/docs", headers=headers)).status_code == 200


async def test_health_checks_need_no_key(model_server: FakeModelServer) -> None:
    async with api_client_with(model_server, api_key=API_KEY) as api:
        assert (await api.get("/healthz")).status_code == 200
        assert (await api.get("/readyz")).status_code in (200, 503)


def test_openai_client_with_the_key_is_accepted(model_server: FakeModelServer) -> None:
    with running_api(settings_for(model_server, api_key=API_KEY)) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key=API_KEY, max_retries=0)
        wrong_client = client.with_options(api_key="another")
        with client, wrong_client:
            assert client.models.list().data
            with pytest.raises(openai.AuthenticationError, match="SMOLCHAT_API_KEY"):
                wrong_client.models.list()


def test_page_sends_the_key(model_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOLCHAT_API_KEY", API_KEY)
    with running_api(settings_for(model_server, api_key=API_KEY)) as url:
        page = ask(open_page(url, monkeypatch), "Hello")
    st.cache_resource.clear()
    assert not page.warning
    assert message_texts(page, "assistant")


def test_page_with_the_wrong_key_gets_an_error(model_server: FakeModelServer) -> None:
    with running_api(settings_for(model_server, api_key=API_KEY)) as url:
        client = ApiClient(PageSettings(api_base_url=url, api_key="another"))  # type: ignore[arg-type]
        assert client.health().model
        with pytest.raises(ApiError) as raised:
            client.models()
    assert raised.value.code == "invalid_api_key"


# The host


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:8000",
        "localhost.",
        "localhost.:8000",
        "127.0.0.1",
        "127.0.0.1:8000",
        "192.168.1.7:1",
        "[::1]",
        "[::1]:8000",
        "[FE80::1]:8000",
        "[::ffff:127.0.0.1]:8000",
        "[fe80::1%eth0]:8000",
        "[fe80::1%25en0]",
        "[fe80::1%25eth0.100]",
        "api",
        "API:8000",
    ],
)
async def test_local_or_allowed_host_is_accepted(host: str, model_server: FakeModelServer) -> None:
    async with api_client_with(model_server, allowed_hosts=["api"]) as api:
        for _ in range(2):
            assert (await api.get("/healthz", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.test:8000",
        "localhost.evil.test",
        "evil.test.localhost",
        "127.0.0.1.nip.io",
        "127.0.0.1.nip.io:8000",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "127.0.0.1.",
        "[::1%]:8000",
        "[::1%evil.test/]:8000",
        "[evil.test%eth0]:8000",
        "[::1].evil",
        "[::1].evil:8000",
        "[::1%25evil.test]",
        "[127.0.0.1]",
        "::1",
        "localhost@evil",
        "evil@localhost",
        "localhost:80:90",
        "localhost:",
        "localhost:evil",
        "localhost..",
        "localhost, evil.test",
        "localhost/evil",
        "api",
        "",
    ],
)
async def test_any_other_host_is_rejected(
    host: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    for path in ("/healthz", "/models", "/nosuch"):
        response = await api_client.get(path, headers={"Host": host})
        assert (response.status_code, code(response)) == (403, "host_not_allowed")
        assert "SMOLCHAT_ALLOWED_HOSTS" in response.json()["error"]["message"]
    response = await api_client.post("/chat", json=HELLO, headers={"Host": host})
    assert response.status_code == 403
    assert not model_server.requests


async def test_star_allows_any_host(model_server: FakeModelServer) -> None:
    async with api_client_with(model_server, allowed_hosts=["*"]) as api:
        assert (await api.get("/healthz", headers={"Host": "evil.test"})).status_code == 200


@pytest.mark.parametrize(
    "hosts", ["", "Host: localhost\nHost: evil.test\n", "Host: evil.test\nHost: localhost\n"]
)
def test_request_without_exactly_one_host_is_rejected(hosts: str, api_url: str) -> None:
    with raw_connection(api_url, f"GET /healthz HTTP/1.1\n{hosts}") as connection:
        assert status(connection) == 400


# The origin


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.test",
        "http://localhost:8501",
        "http://localhost",
        "http://127.0.0.1:8000",
        "http://localhost:8000.evil.test",
        "ftp://localhost:8000",
        "localhost:8000",
        "null",
        "",
    ],
)
async def test_request_from_another_origin_is_rejected(
    origin: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    headers = {"Origin": origin}
    preflight_headers = headers | {"Access-Control-Request-Method": "POST"}
    responses = [
        await api_client.post("/chat", json=HELLO, headers=headers),
        await api_client.post("/chat", content=json.dumps(HELLO), headers=headers),
        await api_client.get("/models", headers=headers),
        await api_client.options("/chat", headers=preflight_headers),
    ]
    errors = {(response.status_code, code(response)) for response in responses}
    assert errors == {(403, "origin_not_allowed")}
    names = {name for response in responses for name in response.headers}
    assert not any(name.startswith("access-control") for name in names)
    assert not model_server.requests


@pytest.mark.parametrize("origin", ["http://localhost:8000", "https://LOCALHOST:8000"])
async def test_request_from_the_same_origin_is_accepted(
    origin: str, api_client: httpx.AsyncClient
) -> None:
    response = await api_client.post("/chat", json=HELLO, headers={"Origin": origin})
    assert response.status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_resource_embedded_by_another_site_is_rejected_but_a_link_is_not(
    site: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    for destination in ("image", "script", "iframe", "empty"):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": destination}
        assert (await api_client.get("/models", headers=headers)).status_code == 403
    assert not model_server.requests
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "document"}
    assert (await api_client.get("/docs", headers=headers)).status_code == 200


async def test_only_configured_origins_get_cors_headers(model_server: FakeModelServer) -> None:
    allowed, forbidden = {"Origin": "http://notes.test"}, {"Origin": "http://evil.test"}
    preflight_headers = {"Access-Control-Request-Method": "POST"}
    preflight_headers |= {"Access-Control-Request-Headers": "authorization, content-type"}
    origins = [allowed["Origin"]]
    async with api_client_with(model_server, allowed_origins=origins, api_key=API_KEY) as api:
        preflight = await api.options("/chat", headers=preflight_headers | allowed)
        response = await api.post("/chat", json=HELLO, headers=allowed)
        rejected_preflight = await api.options("/chat", headers=preflight_headers | forbidden)
        rejected = await api.post("/chat", json=HELLO, headers=forbidden)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == allowed["Origin"]
    assert response.status_code == 401
    assert response.headers["access-control-allow-origin"] == allowed["Origin"]
    assert [rejected_preflight.status_code, rejected.status_code] == [403, 403]
    assert rejected_preflight.json()["error"]["code"] == "origin_not_allowed"
    assert "access-control-allow-origin" not in {*rejected.headers, *rejected_preflight.headers}
    assert "access-control-allow-credentials" not in {*preflight.headers, *response.headers}


# The body


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json", ""],
)
async def test_other_content_type_returns_415(
    content_type: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    response = await api_client.post(
        "/chat", content=json.dumps(HELLO), headers={"Content-Type": content_type}
    )
    assert (response.status_code, code(response)) == (415, "unsupported_media_type")
    assert not model_server.requests


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_every_form_of_the_json_content_type_is_accepted(
    content_type: str, api_client: httpx.AsyncClient
) -> None:
    response = await api_client.post(
        "/chat", content=json.dumps(HELLO), headers={"Content-Type": content_type}
    )
    assert response.status_code == 200


async def chunked(size: int) -> AsyncIterator[bytes]:
    body = json.dumps(HELLO).encode()
    yield body[:1]
    yield b" " * (size - len(body))
    yield body[1:]


async def test_body_over_the_limit_returns_413(model_server: FakeModelServer) -> None:
    async with api_client_with(model_server, max_body_bytes=1000) as api:
        for size, expected in ((1000, 200), (1001, 413)):
            body = json.dumps(HELLO).ljust(size)
            response = await api.post("/chat", content=body, headers=JSON_TYPE)
            assert response.status_code == expected
            response = await api.post("/chat", content=chunked(size), headers=JSON_TYPE)
            assert response.status_code == expected
    assert code(response) == "request_too_large"
    assert len(model_server.chat_requests) == 2


@pytest.mark.parametrize("is_chunked", [False, True])
def test_client_that_sends_too_much_gets_the_error_and_the_connection_is_closed(
    is_chunked: bool, api_url: str, model_server: FakeModelServer
) -> None:
    body = b"[" + b" " * 20_000_000 + b"]"
    content = iter([body]) if is_chunked else body
    with httpx.Client() as client:
        response = client.post(f"{api_url}/chat", content=content, headers=JSON_TYPE)
        assert (response.status_code, code(response)) == (413, "request_too_large")
        assert response.headers["connection"] == "close"
        assert client.post(f"{api_url}/chat", json=HELLO).status_code == 200
    assert len(model_server.chat_requests) == 1


def test_declared_length_over_the_limit_is_rejected_before_the_body(api_url: str) -> None:
    head = "POST /chat HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
    with raw_connection(api_url, f"{head}Content-Length: 99999999999\n") as connection:
        assert status(connection) == 413
        while connection.recv(1000):
            pass  # until the connection is closed


def test_endless_body_is_rejected_at_the_limit(api_url: str) -> None:
    head = "POST /chat HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with raw_connection(api_url, f"{head}Transfer-Encoding: chunked\n", chunk * 9) as connection:
        assert status(connection) == 413


async def test_route_can_have_its_own_body_limit() -> None:
    settings = Settings(model_id="m", max_body_bytes=10)
    limits = {"/import": BodyLimit(20, "SMOLCHAT_MAX_IMPORT_BYTES")}
    app = SecurityMiddleware(Response(status_code=204), settings, body_limits=limits)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as api:
        responses = [await api.post(path, json="x" * 15) for path in ("/chat", "/import")]
    assert [response.status_code for response in responses] == [413, 204]


UPGRADE = "Host: localhost\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\n"


@pytest.mark.parametrize("length", ["Content-Length: 2", "Transfer-Encoding: chunked"])
def test_body_lost_to_an_upgrade_returns_400_with_advice(length: str, api_url: str) -> None:
    """`curl --http2` and Java's client send this; httptools takes the body for HTTP/2."""
    head = f"POST /chat HTTP/1.1\n{UPGRADE}Content-Type: application/json\n{length}\n"
    with raw_connection(
        api_url, head, b"{}" if "2" in length else b"2\r\n{}\r\n0\r\n\r\n"
    ) as connection:
        response = connection.makefile("rb").read()  # until the connection is closed
    assert response.startswith(b"HTTP/1.1 400")
    assert b"connection: close" in response
    assert b"curl --http1.1" in response


def test_upgrade_request_without_a_body_is_accepted(api_url: str) -> None:
    with raw_connection(api_url, f"GET /healthz HTTP/1.1\n{UPGRADE}") as connection:
        assert status(connection) == 200


async def test_upgrade_request_with_its_body_is_accepted(api_client: httpx.AsyncClient) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "h2c"}
    for content in (json.dumps(HELLO).encode(), chunked(1000)):
        response = await api_client.post("/chat", content=content, headers=JSON_TYPE | headers)
        assert response.status_code == 200


def test_websocket_is_rejected(api_url: str) -> None:
    head = "GET /chat HTTP/1.1\nHost: localhost\nUpgrade: websocket\nConnection: Upgrade\n"
    head += "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\n"
    with raw_connection(api_url, head) as connection:
        assert status(connection) in (403, 405)


def test_other_routes_of_the_model_server_are_not_reachable(
    api_url: str, model_server: FakeModelServer
) -> None:
    for path in ("/v1/completions", "/engines/llama.cpp/v1/models", "/../models/create", "/slots"):
        assert httpx.post(f"{api_url}{path}", json=HELLO).status_code in (404, 405)
    assert not model_server.requests
