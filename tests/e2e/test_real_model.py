"""The API in front of the real engine: what only a real model server can show."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.engine_process import EngineProcess, running_engine

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


def asked(text: str = "Say hello.", **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 12} | fields


async def streamed(api: httpx.AsyncClient, body: dict[str, Any]) -> list[Any]:
    answer = await api.post("/chat", json=body | {"stream": True})
    found = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert answer.status_code == 200
    assert found[-1] == "[DONE]"
    return [json.loads(event) for event in found[:-1]]


async def test_streams_follow_each_other_without_a_pause(api_client: httpx.AsyncClient) -> None:
    # llama.cpp ends a connection after a stream though it says that it would keep it.
    for _ in range(12):
        await streamed(api_client, asked(max_tokens=2))


async def test_more_answers_than_slots_are_all_given_and_differ(
    api_client: httpx.AsyncClient,
) -> None:
    body = asked(n=6, seed=7, temperature=1.5)
    whole = (await api_client.post("/chat", json=body)).json()
    assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2, 3, 4, 5]
    assert len({choice["message"]["content"] for choice in whole["choices"]}) > 3
    events = await streamed(api_client, body)
    ended = [c["index"] for event in events for c in event["choices"] if c["finish_reason"]]
    assert sorted(ended) == [0, 1, 2, 3, 4, 5]


async def test_the_same_seed_gives_the_same_answer_also_under_load(
    api_client: httpx.AsyncClient,
) -> None:
    body = asked("Tell me a story.", max_tokens=40, seed=11, temperature=1.2)
    body |= {"smolchat": {"deterministic": True}}

    async def disturb(number: int) -> None:
        for turn in range(3):
            await api_client.post("/chat", json=asked(f"{number} {turn}", max_tokens=30, seed=turn))

    load = [asyncio.create_task(disturb(number)) for number in range(6)]
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


async def test_a_receipt_says_what_was_measured(api_client: httpx.AsyncClient) -> None:
    events = await streamed(api_client, asked(smolchat={"receipt": True, "progress": True}))
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
    again = await streamed(api_client, asked(seed=receipt["seed"], smolchat={"receipt": True}))
    assert again[-1]["smolchat"]["receipt"]["seed"] == receipt["seed"]


async def test_whoever_leaves_frees_the_model(api_client: httpx.AsyncClient) -> None:
    # Eight answers of 2,000 tokens: far more than the patience of the one who comes after them.
    long = asked("Count to ten thousand.", max_tokens=2000, ignore_eos=True)
    leaving = [
        asyncio.create_task(api_client.post("/chat", json=long | {"stream": is_streamed}))
        for is_streamed in (False, True) * 4
    ]
    await asyncio.sleep(2)
    assert [task.result().text for task in leaving if task.done()] == []
    for task in leaving:
        task.cancel()
    answer = await api_client.post("/chat", json=asked(), timeout=20)
    assert answer.status_code == 200
