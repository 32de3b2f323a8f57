"""Seeds of 63 bits give the same answer each time, with llama.cpp too, which uses 32."""

from collections.abc import Iterator

import httpx
import pytest

from backend.model_server.client import open_model_server
from backend.settings import Settings
from tests.support.api_server import running_api, settings_for
from tests.support.engine_process import running_engine
from tests.support.fake_model_server import FakeModelServer, running_fake_model_server
from tests.support.model_server_variants import VLLM
from tests.support.requests import HELLO, MODEL_ID

SEEDS = {
    -1: -1,
    0: 0,
    5: 5,
    2**32 - 2: 2**32 - 2,
    2**32 - 1: 2**31,
    2**32: 0,
    2**32 + 5: 5,
    2**33 - 1: 2**31,
    2**63 - 1: 2**31,
    2**63 - 2: 2**32 - 2,
}


@pytest.mark.anyio
@pytest.mark.parametrize(("seed", "sent"), SEEDS.items())
async def test_llama_cpp_gets_a_seed_that_it_uses(
    seed: int, sent: int, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    assert (await api_client.post("/chat", json=HELLO | {"seed": seed})).is_success
    assert model_server.chat_requests[-1].body["seed"] == sent


@pytest.fixture
def vllm() -> Iterator[FakeModelServer]:
    with running_fake_model_server(variant=VLLM) as server:
        yield server


@pytest.mark.anyio
async def test_other_servers_get_the_seed_as_it_is(vllm: FakeModelServer) -> None:
    async with open_model_server(settings_for(vllm)) as client:
        await client.discovery.find_base_url()
        for seed in SEEDS:
            await client.complete(HELLO | {"model": MODEL_ID, "seed": seed})
    assert [request.body["seed"] for request in vllm.chat_requests] == list(SEEDS)


@pytest.mark.anyio
@pytest.mark.parametrize("seed", [-2, 2**63, 2**64])
async def test_larger_seeds_are_refused(seed: int, api_client: httpx.AsyncClient) -> None:
    response = await api_client.post("/chat", json=HELLO | {"seed": seed})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "seed")


@pytest.fixture(scope="module")
def real_api_url() -> Iterator[str]:
    with running_engine() as engine:
        settings = Settings(model_id=MODEL_ID, dmr_base_url=engine.base_url)
        with running_api(settings) as url:
            yield url


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 2**32 - 1, 2**32 + 5, 2**63 - 1])
def test_deterministic_answer_repeats_with_the_seed_of_its_receipt(
    seed: int, real_api_url: str
) -> None:
    options = {"deterministic": True, "receipt": True}
    body = HELLO | {"seed": seed, "temperature": 1.5, "max_tokens": 24, "smolchat": options}
    texts = set()
    for _ in range(3):
        response = httpx.post(f"{real_api_url}/chat", json=body, timeout=120).json()
        assert response["smolchat"]["receipt"]["seed"] == seed
        texts.add(response["choices"][0]["message"]["content"])
    assert len(texts) == 1
