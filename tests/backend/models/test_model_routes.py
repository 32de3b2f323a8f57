"""The models of each kind of model server, all and one by its name."""

import json

import httpx
import pytest

from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer, Reply, replay
from tests.support.requests import HELLO, MODEL_ID

pytestmark = pytest.mark.anyio

LLAMA_SERVER = b"""{"models": [{"name": ""}], "object": "list", "data": [{
    "id": "ai/smollm2:latest", "object": "model", "created": 1795475043, "owned_by": "llamacpp",
    "meta": {"vocab_type": 2, "n_vocab": 49152, "n_ctx": 4096, "n_ctx_train": 8192,
             "n_embd": 576, "n_params": 134515008, "size": 96570240, "ftype": "Q4_1"}}]}"""
DIGEST = json.loads(replay("models").chunks[0])[0]["id"]
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
            "input": None,
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


NAMES = [
    *("ai/smollm2:latest", "ai/smollm2", "smollm2", "docker.io/ai/smollm2:latest"),
    *("index.docker.io/ai/smollm2", "AI/SmolLM2:latest", "ai%2Fsmollm2%3Alatest"),
]


@pytest.mark.parametrize("prefix", ["/models", "/v1/models"])
@pytest.mark.parametrize("name", NAMES)
async def test_model_is_found_by_all_its_names(
    prefix: str, name: str, api_client: httpx.AsyncClient
) -> None:
    [listed] = (await api_client.get("/models")).json()["data"]
    response = await api_client.get(f"{prefix}/{name}")
    assert (response.status_code, response.json()) == (200, listed)


@pytest.mark.parametrize("prefix", ["/models", "/v1/models"])
@pytest.mark.parametrize(
    "name",
    ["nosuch", "ai/smollm2:360M", "ai/smollm2/latest", "smollm", "%00", "ai%2F", "%E2%82%AC"],
)
async def test_unknown_model_returns_404_in_openais_shape(
    prefix: str, name: str, api_client: httpx.AsyncClient
) -> None:
    response = await api_client.get(f"{prefix}/{name}")
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (404, "model_not_found")
    assert (error["type"], error["param"]) == ("invalid_request_error", "model")


async def test_list_with_a_slash_at_its_end_is_the_list(api_client: httpx.AsyncClient) -> None:
    for path in ("/models/", "/v1/models/"):
        assert (await api_client.get(path, follow_redirects=True)).json()["object"] == "list"


@pytest.mark.parametrize("digits", [12, 64])
@pytest.mark.parametrize("prefix", ["sha256:", "", "SHA256:"])
def test_model_is_found_by_its_digest(
    digits: int, prefix: str, model_server: FakeModelServer
) -> None:
    model_server.routes["/models"] = replay("models")
    name = prefix + DIGEST.removeprefix("sha256:")[:digits]
    with running_api(settings_for(model_server, model_id=name)) as url:
        assert httpx.get(f"{url}/readyz").status_code == 200
        status = httpx.get(f"{url}/status").json()["model_server"]
        assert (status["state"], status["context_size"]) == ("ready", 8192)
        assert httpx.get(f"{url}/models/{name}").json()["id"] == "ai/smollm2:latest"
        assert httpx.post(f"{url}/chat", json=HELLO).json()["model"] == name


@pytest.mark.parametrize("name", ["sha256:" + 64 * "0", 12 * "0", "sha256:" + DIGEST[7:15]])
def test_model_with_another_digest_is_missing(name: str, model_server: FakeModelServer) -> None:
    model_server.routes["/models"] = replay("models")
    with running_api(settings_for(model_server, model_id=name)) as url:
        assert httpx.get(f"{url}/healthz").json()["model_server"]["state"] == "model_missing"
        assert httpx.get(f"{url}/models/{name}").status_code == 404


def test_untagged_model_is_found_by_its_shortened_digest(model_server: FakeModelServer) -> None:
    model_server.models = Reply(chunks=[b'{"data": [{"id": "%s"}]}' % DIGEST.encode()])
    with running_api(settings_for(model_server, model_id=DIGEST[7:19])) as url:
        assert httpx.get(f"{url}/readyz").status_code == 200


async def test_display_id_and_model_id_name_the_only_model_of_llama_server(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(
        chunks=[b'{"data": [{"id": "/home/ann/Tiny-Q4_1.gguf", "owned_by": "llamacpp"}]}']
    )
    for name in ("Tiny-Q4_1", "/home/ann/Tiny-Q4_1.gguf", MODEL_ID):
        assert (await api_client.get(f"/models/{name}")).json()["id"] == "Tiny-Q4_1"
    assert (await api_client.get("/models/nosuch")).status_code == 404


async def test_context_length_of_vllm_is_listed(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(
        chunks=[b'{"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 4096}]}']
    )
    assert (await api_client.get("/models/m")).json()["smolchat"]["context_window"] == 4096
