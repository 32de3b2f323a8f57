"""The list of models, for each kind of model server."""

import httpx
import pytest

from tests.support.fake_model_server import FakeModelServer, Reply, replay

pytestmark = pytest.mark.anyio

LLAMA_SERVER = b"""{"models": [{"name": ""}], "object": "list", "data": [{
    "id": "ai/smollm2:latest", "object": "model", "created": 1795475043, "owned_by": "llamacpp",
    "meta": {"vocab_type": 2, "n_vocab": 49152, "n_ctx": 4096, "n_ctx_train": 8192,
             "n_embd": 576, "n_params": 134515008, "size": 96570240, "ftype": "Q4_1"}}]}"""
OLLAMA = b"""{"object": "list", "data": [
    {"id": "llama3.2:1b", "object": "model", "created": 1795475043, "owned_by": "library"}]}"""


@pytest.mark.parametrize("path", ["/models", "/v1/models"])
async def test_docker_model_runner_models_are_listed_with_metadata(
    path: str, api_client: httpx.AsyncClient
) -> None:
    payload = (await api_client.get(path)).json()
    assert payload["object"] == "list"
    assert payload["data"][0] == {
        "id": "ai/smollm2:latest",
        "object": "model",
        "created": 1795475043,
        "owned_by": "docker",
        "smolchat": {
            "parameters": "134.52 M",
            "quantization": "Q4_1",
            "size": "92.10 MiB",
            "context_window": 8192,
            "architecture": "llama",
        },
    }


async def test_llama_server_metadata_is_parsed(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(chunks=[LLAMA_SERVER])
    metadata = (await api_client.get("/models")).json()["data"][0]["smolchat"]
    assert (metadata["parameters"], metadata["size"]) == ("134.52 M", "92.10 MiB")
    assert (metadata["context_window"], metadata["quantization"]) == (4096, "Q4_1")
    larger = LLAMA_SERVER.replace(b"134515008", b"1711376384")
    model_server.models = Reply(chunks=[larger])
    metadata = (await api_client.get("/models")).json()["data"][0]["smolchat"]
    assert metadata["parameters"] == "1.71 B"


async def test_missing_metadata_is_null(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(chunks=[OLLAMA])
    entry = (await api_client.get("/models")).json()["data"][0]
    assert entry["id"] == "llama3.2:1b"
    assert set(entry["smolchat"].values()) == {None}


@pytest.mark.parametrize(
    "entry",
    [
        b'{"id": "m", "created": "yesterday", "owned_by": 7, "dmr": [], "meta": {"size": -1}}',
        b'{"id": "m", "dmr": {"context_window": true, "size": {}, "parameters": ""}}',
        b'{"id": "m", "meta": {"n_params": "many", "n_ctx": 1e99}}',
        b'{"id": "m", "created": %d, "meta": {"n_params": %d, "size": %d, "n_ctx": %d}}'
        % ((10**400,) * 4),
    ],
)
async def test_invalid_metadata_is_null(
    entry: bytes, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(chunks=[b'{"data": [' + entry + b"]}"])
    response = await api_client.get("/models")
    assert response.status_code == 200
    assert set(response.json()["data"][0]["smolchat"].values()) == {None}


async def test_failed_model_is_listed(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = replay("v1-models-with-broken")
    assert len((await api_client.get("/models")).json()["data"]) == 2


async def test_invalid_model_list_returns_502(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(chunks=[b"[]"])
    response = await api_client.get("/models")
    assert (response.status_code, response.json()["error"]["code"]) == (502, "model_server_failed")
