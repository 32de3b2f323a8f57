"""The API in front of the real engine: behavior that only a real model server shows."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.engine_process import EngineProcess, running_engine
from tests.support.sse import parse_events

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with running_engine() as engine:
        yield engine


@pytest.fixture
async def api_client(engine: EngineProcess) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(model_id="ai/smollm2:latest", dmr_base_url=engine.base_url)
    with running_api(settings) as url:
        async with httpx.AsyncClient(base_url=url, timeout=100) as client:
            yield client


def chat_body(text: str = "Say hello.", **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 12} | fields


async def stream_events(client: httpx.AsyncClient, body: dict[str, Any]) -> list[Any]:
    response = await client.post("/chat", json=body | {"stream": True})
    assert response.status_code == 200
    *events, done = parse_events(response.text)
    assert done == "[DONE]"
    return events


async def test_title_is_about_the_question(api_client: httpx.AsyncClient) -> None:
    chat = (await api_client.post("/conversations", json={})).json()["id"]
    body = chat_body("How do I boil an egg?", smolchat={"conversation": chat})
    assert (await api_client.post("/chat", json=body)).status_code == 200
    written = (await api_client.post(f"/conversations/{chat}/title")).json()
    assert written["source"] == "model"
    assert "egg" in written["title"].lower()
    assert len(written["title"]) <= 60


async def test_consecutive_streams_do_not_fail(api_client: httpx.AsyncClient) -> None:
    # llama.cpp closes a connection after a stream, although its headers say keep-alive.
    for _ in range(12):
        await stream_events(api_client, chat_body(max_tokens=2))


async def test_more_choices_than_slots_all_arrive_and_differ(
    api_client: httpx.AsyncClient,
) -> None:
    body = chat_body(n=6, seed=7, temperature=1.5)
    response_body = (await api_client.post("/chat", json=body)).json()
    assert [choice["index"] for choice in response_body["choices"]] == [0, 1, 2, 3, 4, 5]
    assert len({choice["message"]["content"] for choice in response_body["choices"]}) > 3
    events = await stream_events(api_client, body)
    choices = [choice for event in events for choice in event["choices"]]
    finished = [choice["index"] for choice in choices if choice["finish_reason"]]
    assert sorted(finished) == [0, 1, 2, 3, 4, 5]


async def test_deterministic_request_repeats_its_response_under_load(
    api_client: httpx.AsyncClient,
) -> None:
    body = chat_body("Tell me a story.", max_tokens=40, seed=11, temperature=1.2)
    body |= {"smolchat": {"deterministic": True}}

    async def send_load(number: int) -> None:
        for turn in range(3):
            await api_client.post(
                "/chat", json=chat_body(f"{number} {turn}", max_tokens=30, seed=turn)
            )

    load = [asyncio.create_task(send_load(number)) for number in range(6)]
    texts = [
        (await api_client.post("/chat", json=body)).json()["choices"][0]["message"]["content"]
        for _ in range(3)
    ]
    await asyncio.gather(*load)
    texts.append(
        (await api_client.post("/chat", json=body)).json()["choices"][0]["message"]["content"]
    )
    assert len(set(texts)) == 1
    assert texts[0]


async def test_receipt_has_the_measured_times_and_counts(api_client: httpx.AsyncClient) -> None:
    options = {"receipt": True, "progress": True}
    events = await stream_events(api_client, chat_body(ignore_eos=True, smolchat=options))
    receipt = events[-1]["smolchat"]["receipt"]
    assert receipt["model"] == "ai/smollm2:latest"
    assert (receipt["finish_reason"], receipt["completion_tokens"]) == ("length", 12)
    assert receipt["context_tokens"] == receipt["prompt_tokens"] + 12
    assert receipt["context_size"] == 8192
    assert 0 < receipt["prompt_ms"] <= receipt["first_token_ms"] < receipt["total_ms"]
    assert 0 <= receipt["queue_ms"] < receipt["first_token_ms"]
    assert receipt["prompt_tokens_per_second"] > 0 < receipt["completion_tokens_per_second"]
    assert receipt["load_ms"] is None  # nothing was loaded
    phases = [event["smolchat"]["progress"] for event in events[:-1] if "smolchat" in event]
    assert [phase["phase"] for phase in phases][-2:] == ["reading", "writing"]
    again = await stream_events(
        api_client, chat_body(seed=receipt["seed"], smolchat={"receipt": True})
    )
    assert again[-1]["smolchat"]["receipt"]["seed"] == receipt["seed"]


async def test_disconnects_free_the_model_for_other_requests(api_client: httpx.AsyncClient) -> None:
    # Eight responses of 2,000 tokens take far longer than the timeout of the next request.
    long_body = chat_body("Count to ten thousand.", max_tokens=2000, ignore_eos=True)
    requests = [
        asyncio.create_task(api_client.post("/chat", json=long_body | {"stream": is_streamed}))
        for is_streamed in (False, True) * 4
    ]
    await asyncio.sleep(2)
    assert [task.result().text for task in requests if task.done()] == []
    for task in requests:
        task.cancel()
    response = await api_client.post("/chat", json=chat_body(), timeout=20)
    assert response.status_code == 200
