"""The door alone: what becomes of each way that a connection can fail."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import respx

from backend.errors import (
    ModelServerError,
    ModelServerTimeoutError,
    ModelServerUnreachableError,
    SmolChatError,
)
from backend.model_server.client import ModelServerClient, open_model_server
from backend.settings import Settings

pytestmark = pytest.mark.anyio

ROOT = "http://model-runner.docker.internal"
BASE_URL = f"{ROOT}/engines/v1"


@pytest.fixture
async def upstream() -> AsyncIterator[ModelServerClient]:
    async with open_model_server(Settings(model_id="m", dmr_base_url=BASE_URL)) as upstream:
        yield upstream


@pytest.fixture
def door() -> Iterator[respx.MockRouter]:
    with respx.mock(using="httpx", assert_all_called=False) as router:
        router.get(f"{BASE_URL}/models").respond(json={"data": [{"id": "ai/smollm2"}]})
        yield router


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (httpx.ConnectError("refused"), ModelServerUnreachableError),
        (httpx.ConnectTimeout("slow"), ModelServerUnreachableError),
        (httpx.ReadTimeout("silent"), ModelServerTimeoutError),
        (httpx.ReadError("reset"), ModelServerError),
        (httpx.RemoteProtocolError("half an answer"), ModelServerError),
        (httpx.DecodingError("no gzip"), ModelServerError),
    ],
)
async def test_each_failure_of_the_connection_is_one_of_ours(
    cause: Exception,
    expected: type[SmolChatError],
    upstream: ModelServerClient,
    door: respx.MockRouter,
) -> None:
    await upstream.discovery.models()
    door.get(f"{BASE_URL}/models").mock(side_effect=cause)
    with pytest.raises(SmolChatError) as failure:
        await upstream.discovery.models()
    assert type(failure.value) is expected


async def test_the_address_is_looked_for_once_and_anew_after_a_failure(
    upstream: ModelServerClient, door: respx.MockRouter
) -> None:
    listed = door.get(f"{BASE_URL}/models").respond(json={"data": [{"id": "ai/smollm2"}]})
    await upstream.discovery.models()
    await upstream.discovery.models()
    assert listed.call_count == 3  # once to find it
    listed.mock(side_effect=httpx.ConnectError("gone"))
    with pytest.raises(ModelServerUnreachableError):
        await upstream.discovery.models()
    door.get(f"{BASE_URL}/models").respond(404)
    door.get(f"{ROOT}/engines/llama.cpp/v1/models").respond(404)
    elsewhere = door.get(f"{ROOT}/v1/models")
    elsewhere.respond(json={"data": []})
    assert await upstream.discovery.models() == []
    assert elsewhere.call_count == 2
