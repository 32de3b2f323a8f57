"""What Prometheus can read."""

import re

import httpx
import pytest

from tests.support.fake_model_server import ModelServer, recorded

pytestmark = pytest.mark.anyio

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


async def counted(api: httpx.AsyncClient) -> dict[str, float]:
    answer = await api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


async def test_requests_are_counted_by_route_and_status(
    api: httpx.AsyncClient, model_server: ModelServer
) -> None:
    model_server.replies += [recorded("chat"), recorded("err-overflow")]
    for path in ("/chat", "/v1/chat/completions"):
        await api.post(path, json=HELLO)
    for path in ("/nowhere", "/nowhere/else", "/healthz"):
        await api.get(path)
    found = await counted(api)
    requests = {name: value for name, value in found.items() if "requests_total" in name}
    assert requests == {
        'smolchat_requests_total{route="/chat",status="200"}': 1,
        'smolchat_requests_total{route="/v1/chat/completions",status="400"}': 1,
        'smolchat_requests_total{route="other",status="404"}': 2,
        'smolchat_requests_total{route="/healthz",status="200"}': 1,
    }


@pytest.mark.parametrize("case", ["stream", "stream-usage", "chat"])
async def test_tokens_are_those_that_the_model_server_told(
    case: str, api: httpx.AsyncClient, model_server: ModelServer
) -> None:
    reply = recorded(case)
    model_server.replies.append(reply)
    await api.post("/chat", json=HELLO | {"stream": case != "chat"})
    found = await counted(api)
    text = b"".join(reply.pieces).decode()
    completion = int(re.search(r'"predicted_n":(\d+)', text)[1])  # type: ignore[index]
    assert found["smolchat_completion_tokens_total"] == completion
    assert found["smolchat_prompt_tokens_total"] > 0
    assert found["smolchat_first_token_seconds_count"] == (case != "chat")
    assert (found["smolchat_running"], found["smolchat_waiting"]) == (0, 0)


async def test_failures_of_the_model_server_are_counted_by_kind(
    api: httpx.AsyncClient, model_server: ModelServer
) -> None:
    model_server.replies += [
        recorded("runner-killed-before-first-byte"),
        recorded("runner-killed-mid-stream"),
        recorded("err-overflow"),
    ]
    for _ in range(3):
        await api.post("/chat", json=HELLO | {"stream": True})
    found = await counted(api)
    errors = {name: value for name, value in found.items() if "errors_total" in name}
    assert errors == {'smolchat_model_server_errors_total{code="model_server_failed"}': 2}
