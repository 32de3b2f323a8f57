"""Liveness and readiness, with the model server in every state."""

import time

import httpx
import pytest
from fastapi import FastAPI

from backend.settings import Settings
from tests.support.api_server import API_KEY, api_client_with, running_api
from tests.support.fake_model_server import FakeModelServer, Reply
from tests.support.model_server_variants import LOADING

pytestmark = pytest.mark.anyio

OTHER_MODEL = Reply(chunks=[b'{"data": [{"id": "docker.io/ai/other:latest"}]}'])
NO_MODEL = Reply(chunks=[b'{"data": []}'])
SINGLE_FILE = Reply(chunks=[b'{"data": [{"id": "/models/tiny.gguf", "owned_by": "llamacpp"}]}'])


async def test_health_and_readiness_are_200_when_the_model_is_available(
    api_client: httpx.AsyncClient,
) -> None:
    health = (await api_client.get("/healthz")).json()
    assert health["status"] == "ok"
    assert health["model_server"]["state"] == "ready"
    assert health["model_server"]["name"] == "Docker Model Runner"
    assert (await api_client.get("/readyz")).status_code == 200


@pytest.mark.parametrize(
    ("models", "state"),
    [
        (LOADING, "loading"),
        (OTHER_MODEL, "model_missing"),
        (NO_MODEL, "model_missing"),
        (Reply(headers=[("Content-Encoding", "gzip")], chunks=[b"no gzip"]), "invalid"),
        (Reply(302), "invalid"),
        (Reply(end="hang"), "silent"),
        (Reply(delay_seconds=60), "silent"),
    ],
)
async def test_model_server_state_is_reported(
    models: Reply, state: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = models
    started_at = time.monotonic()
    health = await api_client.get("/healthz")
    health_at = time.monotonic()
    readiness = await api_client.get("/readyz")
    assert health.status_code == 200
    assert health.json()["model_server"]["state"] == state
    assert readiness.status_code == 503
    assert readiness.json()["error"]["message"] == health.json()["model_server"]["message"]
    # Each takes about 1 s on an idle machine.
    assert max(health_at - started_at, time.monotonic() - health_at) < 3


async def test_readiness_accepts_any_model_name_from_llama_server_with_one_file(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = SINGLE_FILE
    assert (await api_client.get("/readyz")).status_code == 200


def test_unreachable_model_server_is_reported_with_the_setting_to_change() -> None:
    settings = Settings(model_id="m", dmr_base_url="http://127.0.0.1:9/v1")
    with running_api(settings) as url:
        health = httpx.get(f"{url}/healthz")
        readiness = httpx.get(f"{url}/readyz")
    assert health.json()["model_server"]["state"] == "unreachable"
    assert readiness.status_code == 503
    assert "set DMR_BASE_URL" in readiness.json()["error"]["message"]


async def test_probes_accept_head_requests(api_client: httpx.AsyncClient) -> None:
    assert (await api_client.head("/healthz")).status_code == 200
    assert (await api_client.head("/readyz")).status_code == 200


async def test_probes_never_run_the_model(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    await api_client.get("/healthz")
    await api_client.get("/readyz")
    assert not model_server.chat_requests
    assert {request.method for request in model_server.requests} == {"GET"}


async def test_readiness_is_503_when_the_queue_is_full_or_the_api_is_shutting_down(
    app: FastAPI, api_client: httpx.AsyncClient, settings: Settings
) -> None:
    slots = [
        app.state.core.queue.enqueue()
        for _ in range(settings.max_concurrent + settings.max_waiting)
    ]
    full = await api_client.get("/readyz")
    assert (full.status_code, full.json()["error"]["code"]) == (503, "not_ready")
    for slot in reversed(slots):
        slot.release()
    assert (await api_client.get("/readyz")).status_code == 200
    app.state.core.shutting_down.set()
    assert (await api_client.get("/readyz")).status_code == 503


def test_readiness_recovers_when_the_model_server_is_back(model_server: FakeModelServer) -> None:
    settings = Settings(model_id="ai/smollm2", dmr_base_url=model_server.base_url)
    loaded_models, model_server.models = model_server.models, LOADING
    with running_api(settings) as url:
        assert httpx.get(f"{url}/readyz").status_code == 503
        model_server.models = loaded_models
        assert httpx.get(f"{url}/readyz").status_code == 200


@pytest.mark.parametrize(
    ("models", "state"),
    [(Reply(), "ready"), (NO_MODEL, "model_missing"), (Reply(302), "invalid")],
)
async def test_health_without_the_key_names_no_url(
    models: Reply, state: str, model_server: FakeModelServer
) -> None:
    if state != "ready":
        model_server.models = models
    address = model_server.base_url.removeprefix("http://").split("/")[0]
    async with api_client_with(model_server, api_key=API_KEY) as api:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            for path in ("/healthz", "/readyz"):
                assert address not in (await api.get(path, headers=headers)).text
            health = (await api.get("/healthz", headers=headers)).json()["model_server"]
            assert (health["url"], health["state"], health["name"]) == (None, state, None)
        with_key = await api.get("/healthz", headers={"Authorization": f"Bearer {API_KEY}"})
    assert with_key.json()["model_server"]["url"] == model_server.base_url
