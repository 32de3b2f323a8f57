"""Requests to a model server that is not local go through the proxy of the environment."""

import os
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from pydantic import SecretStr

from backend.settings import Settings
from benchmarks.processes import free_port
from tests.support.api_server import running_api
from tests.support.fake_model_server import FakeModelServer
from tests.support.http_proxy import HttpProxy, running_http_proxy
from tests.support.paths import ROOT
from tests.support.requests import HELLO, MODEL_ID, STREAMED
from tests.support.waiting import wait_until

REMOTE = "http://models.example"
# A certificate for models.example and 127.0.0.1, which is its own authority, with its key.
CERTIFICATE = ROOT / "tests/data/certificates/models.example.pem"


@pytest.fixture
def proxy(model_server: FakeModelServer) -> Iterator[HttpProxy]:
    with running_http_proxy(model_server.port) as proxy:
        yield proxy


def settings_with(environment: dict[str, str], url: str = REMOTE) -> Settings:
    """Read the settings in an environment, which the clients of these tests do not see."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return Settings(model_id=MODEL_ID, dmr_base_url=url, dmr_api_key=SecretStr("sk-key"))


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_models_answers_and_streams_come_through_the_proxy(
    variable: str, proxy: HttpProxy, model_server: FakeModelServer
) -> None:
    settings = settings_with({variable: f"127.0.0.1:{proxy.port}"}, f"{REMOTE}/v1")
    with running_api(settings) as url:
        assert httpx.get(f"{url}/models").json()["data"]
        assert httpx.post(f"{url}/chat", json=HELLO).json()["choices"]
        assert b"[DONE]" in httpx.post(f"{url}/chat", json=STREAMED).content
    assert set(proxy.requests) >= {
        f"GET {REMOTE}/v1/models HTTP/1.1",
        f"POST {REMOTE}/v1/chat/completions HTTP/1.1",
    }
    assert len(proxy.requests) == len(model_server.requests)
    keys = {request.headers["authorization"] for request in model_server.requests}
    assert keys == {"Bearer sk-key"}
    assert not any("proxy-authorization" in headers for headers in proxy.headers)


def test_user_and_password_are_sent_to_the_proxy_and_shown_nowhere(
    proxy: HttpProxy, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"127.0.0.1:{proxy.port}"
    with running_api(settings_with({"HTTP_PROXY": f"http://me:hunter%402@{address}"})) as url:
        assert httpx.post(f"{url}/chat", json=HELLO).status_code == 200
        status = httpx.get(f"{url}/status")
        proxy.status = 403
        failed = httpx.post(f"{url}/chat", json=HELLO)
    expected = f"Basic {b64encode(b'me:hunter@2').decode()}"
    assert {headers["proxy-authorization"] for headers in proxy.headers} == {expected}
    assert status.json()["settings"]["HTTP_PROXY"] == f"http://{address}"
    assert not any("hunter" in text for text in (status.text, failed.text, caplog.text))


@pytest.mark.parametrize(
    "environment", [{"NO_PROXY": "127.0.0.1"}, {"no_proxy": "*"}, {"HTTPS_PROXY": "http://x"}, {}]
)
def test_local_or_excluded_model_server_is_requested_directly(
    environment: dict[str, str], proxy: HttpProxy, model_server: FakeModelServer
) -> None:
    environment |= {"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}"}
    settings = settings_with(environment, model_server.base_url)
    with running_api(settings) as url:
        assert httpx.post(f"{url}/chat", json=HELLO).status_code == 200
    assert not proxy.requests


def test_unreachable_proxy_is_named_as_the_cause() -> None:
    port = free_port()
    settings = settings_with({"HTTP_PROXY": f"http://me:secret@127.0.0.1:{port}"})
    with running_api(settings) as url:
        responses = [httpx.post(f"{url}/chat", json=HELLO), httpx.get(f"{url}/models")]
    for response in responses:
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (503, "model_server_unreachable")
        assert f"Can't reach the proxy 127.0.0.1, port {port}" in error["message"]
        assert REMOTE in error["message"]
        assert "NO_PROXY" in error["message"]
        assert "secret" not in error["message"]


@pytest.mark.parametrize("remote", [REMOTE, "https://models.example"])
@pytest.mark.parametrize(
    ("status", "message"), [(407, "requires a user and a password"), (403, "")]
)
def test_refusal_of_the_proxy_is_not_told_as_one_of_the_client(
    status: int, message: str, remote: str, proxy: HttpProxy
) -> None:
    proxy.status = status
    settings = settings_with({"ALL_PROXY": f"http://127.0.0.1:{proxy.port}"}, remote)
    with running_api(settings) as url:
        response = httpx.post(f"{url}/chat", json=HELLO)
    assert response.status_code in (502, 503)
    assert message in response.json()["error"]["message"]
    if remote.startswith("https"):
        assert "The proxy" in response.json()["error"]["message"]
        assert proxy.requests[0] == "CONNECT models.example:443 HTTP/1.1"
        assert "authorization" not in proxy.headers[0]


@contextmanager
def running_tls_proxies(target_port: int, scheme: str) -> Iterator[HttpProxy]:
    """Run a proxy that leads to a model server with TLS in front of it."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE)
    with (
        running_http_proxy(target_port, tls=tls) as front,
        running_http_proxy(front.port, tls=tls if scheme == "https" else None) as proxy,
    ):
        yield proxy


@contextmanager
def api_with(environment: dict[str, str]) -> Iterator[httpx.Client]:
    """Run the API as a program of its own: it reads the certificates when it starts."""
    port = free_port()
    with (
        subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "backend.main:app", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | environment,
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        try:
            wait_until(lambda: is_up(client))
            yield client
        finally:
            process.terminate()


def is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").is_success
    except httpx.TransportError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "user", "expected"),
    [
        ("http", "", None),
        ("http", "me:secret@", f"Basic {b64encode(b'me:secret').decode()}"),
        ("https", "", None),
    ],
)
def test_tls_goes_through_a_tunnel_in_the_proxy_which_never_gets_the_key(
    scheme: str, user: str, expected: str | None, model_server: FakeModelServer
) -> None:
    with running_tls_proxies(model_server.port, scheme) as proxy:
        environment = {
            "DMR_BASE_URL": "https://models.example/v1",
            "DMR_API_KEY": "sk-key",
            "HTTPS_PROXY": f"{scheme}://{user}127.0.0.1:{proxy.port}",
            "SSL_CERT_FILE": str(CERTIFICATE),
        }
        with api_with(environment) as api:
            assert api.get("/models").json()["data"]
            assert api.post("/chat", json=HELLO).json()["choices"]
            assert b"[DONE]" in api.post("/chat", json=STREAMED).content
    assert set(proxy.requests) == {"CONNECT models.example:443 HTTP/1.1"}
    assert {headers.get("proxy-authorization") for headers in proxy.headers} == {expected}
    assert not any("authorization" in headers for headers in proxy.headers)
    keys = {request.headers["authorization"] for request in model_server.requests}
    assert keys == {"Bearer sk-key"}
