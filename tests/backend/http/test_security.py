"""Who may ask, from where, and how much."""

import json
from collections.abc import AsyncIterator

import httpx
import openai
import pytest
import streamlit as st
from starlette.responses import Response

from api.client import ApiClient
from api.errors import ApiError
from backend.http.security import SecurityMiddleware
from backend.settings import Settings
from settings import Settings as PageSettings
from tests.support.api_server import KEY, api_with, guarded, running_api
from tests.support.fake_model_server import FakeModelServer
from tests.support.raw_http import status, told
from tests.support.requests import HELLO
from tests.support.streamlit_app import ask, opened, said

pytestmark = pytest.mark.anyio

JSON_TYPE = {"Content-Type": "application/json"}


def code(answer: httpx.Response) -> str:
    error = answer.json()["error"]
    assert error.keys() >= {"message", "type", "code", "param"}
    return str(error["code"])


# The key


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY}x",
        f"Basic {KEY}",
        KEY,
        "Bearer \xff",
    ],
)
async def test_without_the_key_nothing_runs(
    authorization: str | None, model_server: FakeModelServer
) -> None:
    headers: dict[bytes, bytes] = {}
    if authorization is not None:
        headers[b"Authorization"] = authorization.encode("latin-1")
    async with api_with(model_server, api_key=KEY) as api:
        answers = [await api.post(path, json=HELLO, headers=headers) for path in ("/chat", "/x")]
        answers += [
            await api.get(path, headers=headers)
            for path in ("/models", "/docs", "/openapi.json", "/healthz/", "//healthz", "/")
        ]
    assert {(answer.status_code, code(answer)) for answer in answers} == {(401, "invalid_api_key")}
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert not model_server.requests


async def test_with_the_key_everything_runs(model_server: FakeModelServer) -> None:
    async with api_with(model_server, api_key=KEY) as api:
        for scheme in ("Bearer", "bearer"):
            headers = {"Authorization": f"{scheme} {KEY}"}
            assert (await api.post("/chat", json=HELLO, headers=headers)).status_code == 200
            assert (await api.get("/docs", headers=headers)).status_code == 200


async def test_probes_need_no_key(model_server: FakeModelServer) -> None:
    async with api_with(model_server, api_key=KEY) as api:
        assert (await api.get("/healthz")).status_code == 200
        assert (await api.get("/readyz")).status_code in (200, 503)


def test_the_openai_client_sends_its_key(model_server: FakeModelServer) -> None:
    with running_api(guarded(model_server, api_key=KEY)) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
        stranger = client.with_options(api_key="another")
        with client, stranger:
            assert client.models.list().data
            with pytest.raises(openai.AuthenticationError, match="SMOLCHAT_API_KEY"):
                stranger.models.list()


def test_the_page_sends_the_key(
    model_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOLCHAT_API_KEY", KEY)
    with running_api(guarded(model_server, api_key=KEY)) as url:
        page = ask(opened(url, monkeypatch), "Hello")
    st.cache_resource.clear()
    assert not page.warning
    assert said(page, "assistant")


def test_a_page_with_another_key_is_told(model_server: FakeModelServer) -> None:
    with running_api(guarded(model_server, api_key=KEY)) as url:
        client = ApiClient(PageSettings(api_base_url=url, api_key="another"))  # type: ignore[arg-type]
        assert client.health().model
        with pytest.raises(ApiError) as refused:
            client.models()
    assert refused.value.code == "invalid_api_key"


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
        "api",
        "API:8000",
    ],
)
async def test_a_host_that_is_this_machine_is_served(
    host: str, model_server: FakeModelServer
) -> None:
    async with api_with(model_server, allowed_hosts=["api"]) as api:
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
async def test_any_other_host_is_refused(
    host: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    for path in ("/healthz", "/models", "/nosuch"):
        answer = await api_client.get(path, headers={"Host": host})
        assert (answer.status_code, code(answer)) == (403, "host_not_allowed")
        assert "SMOLCHAT_ALLOWED_HOSTS" in answer.json()["error"]["message"]
    answer = await api_client.post("/chat", json=HELLO, headers={"Host": host})
    assert answer.status_code == 403
    assert not model_server.requests


async def test_a_star_allows_any_host(model_server: FakeModelServer) -> None:
    async with api_with(model_server, allowed_hosts=["*"]) as api:
        assert (await api.get("/healthz", headers={"Host": "evil.test"})).status_code == 200


@pytest.mark.parametrize(
    "hosts", ["", "Host: localhost\nHost: evil.test\n", "Host: evil.test\nHost: localhost\n"]
)
def test_no_host_and_two_hosts_are_refused(hosts: str, api_url: str) -> None:
    with told(api_url, f"GET /healthz HTTP/1.1\n{hosts}") as connection:
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
async def test_a_page_elsewhere_is_refused_whatever_it_sends(
    origin: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    headers = {"Origin": origin}
    asked = {"Access-Control-Request-Method": "POST"}
    answers = [
        await api_client.post("/chat", json=HELLO, headers=headers),
        await api_client.post("/chat", content=json.dumps(HELLO), headers=headers),
        await api_client.get("/models", headers=headers),
        await api_client.options("/chat", headers=headers | asked),
    ]
    assert {(answer.status_code, code(answer)) for answer in answers} == {
        (403, "origin_not_allowed")
    }
    assert not any(name.startswith("access-control") for a in answers for name in a.headers)
    assert not model_server.requests


@pytest.mark.parametrize("origin", ["http://localhost:8000", "https://LOCALHOST:8000"])
async def test_a_page_of_the_api_itself_is_served(
    origin: str, api_client: httpx.AsyncClient
) -> None:
    answer = await api_client.post("/chat", json=HELLO, headers={"Origin": origin})
    assert answer.status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_what_a_page_elsewhere_embeds_is_refused_and_a_link_is_followed(
    site: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    for kind in ("image", "script", "iframe", "empty"):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": kind}
        assert (await api_client.get("/models", headers=headers)).status_code == 403
    assert not model_server.requests
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "document"}
    assert (await api_client.get("/docs", headers=headers)).status_code == 200


async def test_origins_that_are_named_are_served_and_no_others(
    model_server: FakeModelServer,
) -> None:
    named, other = "http://notes.test", "http://evil.test"
    asked = {"Access-Control-Request-Method": "POST"}
    asked |= {"Access-Control-Request-Headers": "authorization, content-type"}
    async with api_with(model_server, allowed_origins=[named], api_key=KEY) as api:
        preflight = await api.options("/chat", headers=asked | {"Origin": named})
        answer = await api.post("/chat", json=HELLO, headers={"Origin": named})
        refused = await api.options("/chat", headers=asked | {"Origin": other})
        ignored = await api.post("/chat", json=HELLO, headers={"Origin": other})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == named
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == named
    assert [a.status_code for a in (refused, ignored)] == [403, 403]
    assert refused.json()["error"]["code"] == "origin_not_allowed"
    assert "access-control-allow-origin" not in ignored.headers.keys() | refused.headers.keys()
    assert "access-control-allow-credentials" not in preflight.headers.keys() | answer.headers


# The body


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json", ""]
)
async def test_only_json_is_json(
    kind: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    answer = await api_client.post(
        "/chat", content=json.dumps(HELLO), headers={"Content-Type": kind}
    )
    assert (answer.status_code, code(answer)) == (415, "unsupported_media_type")
    assert not model_server.requests


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
async def test_jsons_content_type_has_many_forms(kind: str, api_client: httpx.AsyncClient) -> None:
    answer = await api_client.post(
        "/chat", content=json.dumps(HELLO), headers={"Content-Type": kind}
    )
    assert answer.status_code == 200


async def chunked(size: int) -> AsyncIterator[bytes]:
    whole = json.dumps(HELLO).encode()
    yield whole[:1]
    yield b" " * (size - len(whole))
    yield whole[1:]


async def test_a_body_may_be_as_long_as_the_limit(model_server: FakeModelServer) -> None:
    async with api_with(model_server, max_body_bytes=1000) as api:
        for size, expected in ((1000, 200), (1001, 413)):
            whole = json.dumps(HELLO).ljust(size)
            answer = await api.post("/chat", content=whole, headers=JSON_TYPE)
            assert answer.status_code == expected
            answer = await api.post("/chat", content=chunked(size), headers=JSON_TYPE)
            assert answer.status_code == expected
    assert code(answer) == "request_too_large"
    assert len(model_server.chats) == 2


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_client_that_sends_too_much_gets_its_answer_and_is_hung_up(
    is_chunked: bool, api_url: str, model_server: FakeModelServer
) -> None:
    much = b"[" + b" " * 20_000_000 + b"]"
    content = iter([much]) if is_chunked else much
    with httpx.Client() as client:
        answer = client.post(f"{api_url}/chat", content=content, headers=JSON_TYPE)
        assert (answer.status_code, code(answer)) == (413, "request_too_large")
        assert answer.headers["connection"] == "close"
        assert client.post(f"{api_url}/chat", json=HELLO).status_code == 200
    assert len(model_server.chats) == 1


def test_a_body_that_is_announced_too_long_is_refused_before_it_is_sent(api_url: str) -> None:
    head = "POST /chat HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
    with told(api_url, f"{head}Content-Length: 99999999999\n") as connection:
        assert status(connection) == 413
        while connection.recv(1000):
            pass  # the rest of the answer, until the connection ends


def test_a_body_without_end_is_cut_off(api_url: str) -> None:
    head = "POST /chat HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with told(api_url, f"{head}Transfer-Encoding: chunked\n", piece * 9) as connection:
        assert status(connection) == 413


async def test_a_route_may_have_a_limit_of_its_own() -> None:
    settings = Settings(model_id="m", max_body_bytes=10)
    guard = SecurityMiddleware(Response(status_code=204), settings, body_limits={"/import": 20})
    transport = httpx.ASGITransport(guard)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as api:
        posted = [await api.post(path, json="x" * 15) for path in ("/chat", "/import")]
    assert [answer.status_code for answer in posted] == [413, 204]


UPGRADE = "Host: localhost\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\n"


@pytest.mark.parametrize("length", ["Content-Length: 2", "Transfer-Encoding: chunked"])
def test_a_body_that_is_lost_to_another_protocol_is_told(length: str, api_url: str) -> None:
    """So `curl --http2` asks, and Java's client; httptools takes the body for HTTP/2."""
    head = f"POST /chat HTTP/1.1\n{UPGRADE}Content-Type: application/json\n{length}\n"
    with told(api_url, head, b"{}" if "2" in length else b"2\r\n{}\r\n0\r\n\r\n") as connection:
        answer = connection.makefile("rb").read()  # to its end: the connection is closed
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"connection: close" in answer
    assert b"curl --http1.1" in answer


def test_what_has_no_body_needs_no_upgrade(api_url: str) -> None:
    with told(api_url, f"GET /healthz HTTP/1.1\n{UPGRADE}") as connection:
        assert status(connection) == 200


async def test_where_the_body_is_there_no_upgrade_is_needed(api_client: httpx.AsyncClient) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "h2c"}
    for content in (json.dumps(HELLO).encode(), chunked(1000)):
        answer = await api_client.post("/chat", content=content, headers=JSON_TYPE | headers)
        assert answer.status_code == 200


def test_web_sockets_are_not_served(api_url: str) -> None:
    head = "GET /chat HTTP/1.1\nHost: localhost\nUpgrade: websocket\nConnection: Upgrade\n"
    head += "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\n"
    with told(api_url, head) as connection:
        assert status(connection) in (403, 405)


def test_only_our_routes_are_reachable(api_url: str, model_server: FakeModelServer) -> None:
    for path in ("/v1/completions", "/engines/llama.cpp/v1/models", "/../models/create", "/slots"):
        assert httpx.post(f"{api_url}{path}", json=HELLO).status_code in (404, 405)
    assert not model_server.requests
