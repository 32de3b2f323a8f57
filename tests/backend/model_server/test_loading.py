"""Models are loaded before they are asked, and what does not load is known until it does."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from backend.settings import Settings
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer, Reply, replay
from tests.support.requests import HELLO, MODEL_ID, STREAMED

PS = "/engines/ps"
SHORT_CHECK = 0.05
DIGEST = json.loads(replay("models").chunks[0])[0]["id"]


def ps_reply(**fields: Any) -> Reply:
    runner = {"backend_name": "llama.cpp", "model_name": MODEL_ID, "mode": "completion"}
    return Reply(chunks=[json.dumps([runner | fields]).encode()])


@pytest.fixture
def url(model_server: FakeModelServer) -> Iterator[str]:
    """An API that asks what is loaded as soon as the last response is 50 ms old."""
    with running_api(settings_for(model_server, server_check_seconds=SHORT_CHECK)) as url:
        yield url


def chat(url: str, **fields: Any) -> httpx.Response:
    return httpx.post(f"{url}/chat", json=HELLO | fields, timeout=20)


@pytest.mark.parametrize(
    ("ps", "is_loaded"),
    [
        (replay("ps-loaded"), True),
        (replay("ps-in-use"), True),
        (ps_reply(model_name="smollm2"), True),
        (ps_reply(model_name="docker.io/ai/smollm2:latest"), True),
        (ps_reply(in_use=True, last_used="0001-01-01T00:00:00Z"), True),
        (replay("ps-idle"), False),
        (ps_reply(loading=True), False),
        (ps_reply(mode="embedding"), False),
        (ps_reply(model_name="ai/smollm2:360M"), False),
        (ps_reply(model_name=None), False),
    ],
    ids=lambda value: value.chunks[0].decode()[:90] if isinstance(value, Reply) else str(value),
)
def test_model_is_loaded_if_the_server_does_not_have_it_in_memory(
    ps: Reply, is_loaded: bool, url: str, model_server: FakeModelServer
) -> None:
    model_server.routes[PS] = ps
    for _ in range(2):
        assert chat(url).status_code == 200
        time.sleep(2 * SHORT_CHECK)
    assert len(model_server.preload_requests) == (0 if is_loaded else 2)


def test_model_that_runs_under_its_digest_is_not_loaded_again(
    url: str, model_server: FakeModelServer
) -> None:
    model_server.routes |= {"/models": replay("models"), PS: ps_reply(model_name=DIGEST[7:19])}
    assert chat(url).status_code == 200
    time.sleep(2 * SHORT_CHECK)
    preloads = len(model_server.preload_requests)
    assert chat(url).status_code == 200
    assert len(model_server.preload_requests) == preloads


def test_server_is_asked_what_is_loaded_only_if_it_has_not_responded_lately(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.routes[PS] = replay("ps-loaded")
    for _ in range(5):
        assert chat(api_url).status_code == 200
    assert len([request for request in model_server.requests if request.path == PS]) == 1


@pytest.mark.parametrize(
    "ps",
    [Reply(404, chunks=[b"not found"]), Reply(chunks=[b"<html>"]), Reply(chunks=[b"{}"])],
    ids=["404", "page", "object"],
)
def test_model_of_an_older_server_counts_as_loaded_after_a_response(
    ps: Reply, url: str, model_server: FakeModelServer
) -> None:
    model_server.routes[PS] = ps
    for _ in range(3):
        assert chat(url).status_code == 200
        time.sleep(2 * SHORT_CHECK)
    assert len(model_server.preload_requests) == 1


def test_slow_answer_about_what_is_loaded_holds_no_chat_up(
    url: str, model_server: FakeModelServer
) -> None:
    model_server.routes[PS] = Reply(end="hang")
    started_at = time.monotonic()
    assert chat(url).status_code == 200
    assert time.monotonic() - started_at < 3  # about 0.5 s on an idle machine


def state_of(url: str) -> tuple[int, str, str]:
    health = httpx.get(f"{url}/healthz").json()["model_server"]
    status = httpx.get(f"{url}/status").json()["model_server"]
    assert status.items() >= health.items()
    return httpx.get(f"{url}/readyz").status_code, health["state"], health["message"]


@pytest.mark.parametrize("body", [HELLO, STREAMED], ids=["whole", "streamed"])
def test_model_that_does_not_load_is_not_ready_until_it_answers(
    body: dict[str, Any], url: str, model_server: FakeModelServer
) -> None:
    assert state_of(url)[:2] == (200, "ready")
    success, model_server.preload_reply = model_server.preload_reply, replay("err-load-broken-file")
    error = httpx.post(f"{url}/chat", json=body).json()["error"]
    assert error["code"] == "model_load_failed"
    assert state_of(url) == (503, "load_failed", error["message"])
    model_server.preload_reply = success
    assert httpx.post(f"{url}/chat", json=body).status_code == 200
    assert state_of(url)[:2] == (200, "ready")


def test_failed_load_is_that_of_the_model_under_all_its_names_and_of_no_other(
    url: str, model_server: FakeModelServer
) -> None:
    success, model_server.preload_reply = model_server.preload_reply, replay("err-load-broken-file")
    assert chat(url, model="ai/other").status_code == 503
    assert state_of(url)[:2] == (200, "ready")
    assert chat(url, model="docker.io/ai/smollm2").status_code == 503
    assert state_of(url)[:2] == (503, "load_failed")
    model_server.preload_reply = success
    assert chat(url, model="smollm2").status_code == 200
    assert state_of(url)[:2] == (200, "ready")


def test_failed_load_is_forgotten_once_the_server_has_the_model_in_memory(
    url: str, model_server: FakeModelServer
) -> None:
    model_server.routes[PS] = replay("ps-idle")
    model_server.preload_reply = replay("err-load-broken-file")
    assert chat(url).status_code == 503
    model_server.routes[PS] = replay("ps-loaded")
    model_server.replies.append(Reply(429))
    assert chat(url).status_code == 429
    assert state_of(url)[:2] == (200, "ready")


def test_failed_load_is_not_believed_for_good(model_server: FakeModelServer) -> None:
    model_server.preload_reply = replay("err-load-broken-file")
    with running_api(settings_for(model_server, capability_seconds=0.3)) as url:
        assert chat(url).status_code == 503
        assert state_of(url)[:2] == (503, "load_failed")
        time.sleep(0.4)
        assert state_of(url)[:2] == (200, "ready")


def test_setting_of_a_former_version_is_gone() -> None:
    assert "SMOLCHAT_LOADED_SECONDS" not in Settings(model_id=MODEL_ID).effective_values()
