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
async def test_docker_model_runners_models_are_listed_with_what_is_known(
    path: str, api_client: httpx.AsyncClient
) -> None:
    listed = (await api_client.get(path)).json()
    assert listed["object"] == "list"
    assert listed["data"][0] == {
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


async def test_llama_servers_numbers_are_read(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(pieces=[LLAMA_SERVER])
    facts = (await api_client.get("/models")).json()["data"][0]["smolchat"]
    assert (facts["parameters"], facts["size"]) == ("134.52 M", "92.10 MiB")
    assert (facts["context_window"], facts["quantization"]) == (4096, "Q4_1")
    larger = LLAMA_SERVER.replace(b"134515008", b"1711376384")
    model_server.models = Reply(pieces=[larger])
    facts = (await api_client.get("/models")).json()["data"][0]["smolchat"]
    assert facts["parameters"] == "1.71 B"


async def test_what_a_server_does_not_tell_is_null(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(pieces=[OLLAMA])
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
async def test_odd_entries_are_listed_without_what_is_odd(
    entry: bytes, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(pieces=[b'{"data": [' + entry + b"]}"])
    listed = await api_client.get("/models")
    assert listed.status_code == 200
    assert set(listed.json()["data"][0]["smolchat"].values()) == {None}


async def test_a_failed_model_is_listed_too(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = replay("v1-models-with-broken")
    assert len((await api_client.get("/models")).json()["data"]) == 2


async def test_no_list_is_a_typed_error(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(pieces=[b"[]"])
    answer = await api_client.get("/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "model_server_failed")
