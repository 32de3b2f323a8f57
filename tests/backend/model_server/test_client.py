"""The model server client and its discovery, against a mocked HTTP transport."""

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
async def client() -> AsyncIterator[ModelServerClient]:
    async with open_model_server(Settings(model_id="m", dmr_base_url=BASE_URL)) as client:
        yield client


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
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
async def test_connection_error_is_mapped(
    cause: Exception,
    expected: type[SmolChatError],
    client: ModelServerClient,
    router: respx.MockRouter,
) -> None:
    await client.discovery.models()
    router.get(f"{BASE_URL}/models").mock(side_effect=cause)
    with pytest.raises(SmolChatError) as raised:
        await client.discovery.models()
    assert type(raised.value) is expected


async def test_base_url_is_searched_for_once_and_again_after_a_failure(
    client: ModelServerClient, router: respx.MockRouter
) -> None:
    listed = router.get(f"{BASE_URL}/models").respond(json={"data": [{"id": "ai/smollm2"}]})
    await client.discovery.models()
    await client.discovery.models()
    assert listed.call_count == 3  # one of them for the discovery
    listed.mock(side_effect=httpx.ConnectError("gone"))
    with pytest.raises(ModelServerUnreachableError):
        await client.discovery.models()
    router.get(f"{BASE_URL}/models").respond(404)
    router.get(f"{ROOT}/engines/llama.cpp/v1/models").respond(404)
    moved = router.get(f"{ROOT}/v1/models")
    moved.respond(json={"data": []})
    assert await client.discovery.models() == []
    assert moved.call_count == 2
