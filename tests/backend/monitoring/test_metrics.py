"""The metrics for Prometheus."""

import re

import httpx
import pytest

from tests.support.fake_model_server import FakeModelServer, replay
from tests.support.requests import HELLO

pytestmark = pytest.mark.anyio


async def read_metrics(api: httpx.AsyncClient) -> dict[str, float]:
    response = await api.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [sample for sample in response.text.splitlines() if not sample.startswith("#")]
    return {name: float(value) for name, value in (sample.rsplit(" ", 1) for sample in samples)}


async def test_requests_are_counted_by_route_and_status(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies += [replay("chat"), replay("err-overflow")]
    for path in ("/chat", "/v1/chat/completions"):
        await api_client.post(path, json=HELLO)
    for path in ("/nowhere", "/nowhere/else", "/healthz"):
        await api_client.get(path)
    metrics = await read_metrics(api_client)
    requests = {name: value for name, value in metrics.items() if "requests_total" in name}
    assert requests == {
        'smolchat_requests_total{route="/chat",status="200"}': 1,
        'smolchat_requests_total{route="/v1/chat/completions",status="400"}': 1,
        'smolchat_requests_total{route="other",status="404"}': 2,
        'smolchat_requests_total{route="/healthz",status="200"}': 1,
    }


@pytest.mark.parametrize("case", ["stream", "stream-usage", "chat"])
async def test_token_counts_are_those_of_the_model_server(
    case: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    reply = replay(case)
    model_server.replies.append(reply)
    await api_client.post("/chat", json=HELLO | {"stream": case != "chat"})
    metrics = await read_metrics(api_client)
    text = b"".join(reply.chunks).decode()
    completion = int(re.search(r'"predicted_n":(\d+)', text)[1])  # type: ignore[index]
    assert metrics["smolchat_completion_tokens_total"] == completion
    assert metrics["smolchat_prompt_tokens_total"] > 0
    assert metrics["smolchat_first_token_seconds_count"] == (case != "chat")
    assert (metrics["smolchat_running"], metrics["smolchat_waiting"]) == (0, 0)


async def test_model_server_errors_are_counted_by_code(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies += [
        replay("runner-killed-before-first-byte"),
        replay("runner-killed-mid-stream"),
        replay("err-overflow"),
    ]
    for _ in range(3):
        await api_client.post("/chat", json=HELLO | {"stream": True})
    metrics = await read_metrics(api_client)
    errors = {name: value for name, value in metrics.items() if "errors_total" in name}
    assert errors == {'smolchat_model_server_errors_total{code="model_server_failed"}': 2}
