"""The API in front of every kind of model server that it supports."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.fake_model_server import (
    EVENTS,
    FakeModelServer,
    Reply,
    ServerVariant,
    chunk,
    replay,
    running_fake_model_server,
)
from tests.support.model_server_variants import BARE, DMR, LLAMA_SERVER, LOADING, OLDER_DMR, OLLAMA
from tests.support.requests import HELLO
from tests.support.sse import parse_chunks, parse_events, text_of

pytestmark = pytest.mark.anyio

COMPLETION = json.loads(replay("chat").chunks[0])
STREAMED_TEXT = text_of(json.loads(data[6:]) for data in replay("stream").chunks[:-1])
DIGEST = "sha256:" + COMPLETION["model"].split("/")[-3]  # from the path of the model's file
ROOT_PATHS = ("", "/")
DMR_PATHS = (
    *ROOT_PATHS,
    *("/engines", "/engines/", "/engines/llama.cpp", "/engines/llama.cpp/"),
    *("/v1", "/v1/", "/engines/v1", "/engines/v1/"),
    *("/engines/llama.cpp/v1", "/engines/llama.cpp/v1/"),
)
DMR_IDS = ("ai/smollm2:latest", "ai/smollm2", "docker.io/ai/smollm2:latest", "docker.io/ai/smollm2")
TOKEN_COUNTS = {"prompt_tokens", "completion_tokens", "context_tokens"}
SPEEDS = {"prompt_ms", "prompt_tokens_per_second", "completion_tokens_per_second"}


@dataclass(frozen=True)
class Case:
    """A kind of model server and what the API should make of it."""

    variant: ServerVariant
    server_name: str | None
    paths: tuple[str, ...]  # of its URL
    model_ids: tuple[str, ...]  # of the same model; the first is MODEL_ID
    listed_id: str
    null_fields: frozenset[str]  # of a receipt: numbers that the server does not report
    preload_count: int = 0


V1_PATHS = ("/v1", "/v1/")
CASES = {
    "dmr": Case(
        variant=DMR,
        server_name="Docker Model Runner",
        paths=DMR_PATHS,
        model_ids=DMR_IDS,
        listed_id="ai/smollm2:latest",
        null_fields=frozenset(),
        preload_count=1,
    ),
    "older-dmr": Case(
        variant=OLDER_DMR,
        server_name="Docker Model Runner",
        paths=DMR_PATHS,
        model_ids=DMR_IDS,
        listed_id="ai/smollm2:latest",
        null_fields=frozenset({"context_size", "model_digest"}),
        preload_count=1,
    ),
    "llama-server": Case(
        variant=LLAMA_SERVER,
        server_name="llama.cpp",
        paths=(*ROOT_PATHS, *V1_PATHS, "/engines/v1"),
        model_ids=("ai/smollm2:latest", "SmolLM2-135M-Instruct-Q4_1"),
        listed_id="SmolLM2-135M-Instruct-Q4_1",
        null_fields=frozenset({"model_digest"}),
    ),
    "ollama": Case(
        variant=OLLAMA,
        server_name="Ollama",
        paths=(*ROOT_PATHS, *V1_PATHS),
        model_ids=("smollm2", "smollm2:latest"),
        listed_id="smollm2:latest",
        null_fields=frozenset({"cached_tokens", "context_size", "model_digest", *SPEEDS}),
    ),
    "bare": Case(
        variant=BARE,
        server_name=None,
        paths=V1_PATHS,
        model_ids=("ai/smollm2:latest", "ai/smollm2"),
        listed_id="ai/smollm2:latest",
        null_fields=frozenset(
            {"cached_tokens", "context_size", "model_digest", *SPEEDS, *TOKEN_COUNTS}
        ),
    ),
}


def only(*names: str) -> pytest.MarkDecorator:
    """Run a test with these cases only."""
    return pytest.mark.parametrize("case", [CASES[name] for name in names], ids=names)


@pytest.fixture(params=CASES.values(), ids=tuple(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    case: Case = request.param
    return case


@pytest.fixture
def path() -> str:
    return "/v1/"


@pytest.fixture
def model_server(case: Case) -> Iterator[FakeModelServer]:
    with running_fake_model_server(variant=case.variant) as server:
        yield server


@pytest.fixture
def settings(case: Case, path: str, model_server: FakeModelServer) -> Settings:
    return Settings(model_id=case.model_ids[0], dmr_base_url=model_server.root_url + path)


@pytest.mark.parametrize(
    ("case", "path"),
    [
        pytest.param(case, path, id=f"{name} at {path or 'its root'}")
        for name, case in CASES.items()
        for path in case.paths
    ],
)
async def test_server_is_found_at_every_form_of_its_url(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    routes = [f"{prefix}/chat/completions" for prefix in model_server.prefixes]
    assert model_server.chat_requests[-1].path in routes


async def test_completion_has_the_requested_model_id(
    api_client: httpx.AsyncClient, case: Case, model_server: FakeModelServer
) -> None:
    for model_id in case.model_ids:
        completion = (await api_client.post("/chat", json=HELLO | {"model": model_id})).json()
        assert model_server.chat_requests[-1].body["model"] == model_id
        assert completion["choices"] == COMPLETION["choices"]
        assert completion["model"] == model_id


async def test_stream_has_the_requested_model_id(api_client: httpx.AsyncClient, case: Case) -> None:
    for model_id in case.model_ids:
        body = HELLO | {"model": model_id, "stream": True}
        chunks = parse_chunks((await api_client.post("/chat", json=body)).text)
        assert text_of(chunks) == STREAMED_TEXT
        models = {chunk.get("model") for chunk in chunks}
        assert models == {model_id}


async def test_server_is_ready_and_lists_its_model_without_registry_and_path(
    api_client: httpx.AsyncClient, case: Case
) -> None:
    health = (await api_client.get("/healthz")).json()["model_server"]
    assert (health["state"], health["name"]) == ("ready", case.server_name)
    assert (await api_client.get("/readyz")).status_code == 200
    models = (await api_client.get("/models")).json()["data"]
    assert [model["id"] for model in models] == [case.listed_id]


@only("dmr", "older-dmr", "ollama", "bare")  # llama.cpp's server accepts every model id
@pytest.mark.parametrize("stream", [False, True])
async def test_chat_returns_404_for_an_unknown_model(
    api_client: httpx.AsyncClient, *, stream: bool
) -> None:
    response = await api_client.post("/chat", json=HELLO | {"model": "ai/nosuch", "stream": stream})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (404, "model_not_found")
    assert (error["type"], error["param"]) == ("invalid_request_error", "model")


@pytest.mark.parametrize("stream", [False, True])
async def test_receipt_has_exactly_the_numbers_that_the_server_reports(
    api_client: httpx.AsyncClient, case: Case, *, stream: bool
) -> None:
    body = HELLO | {"smolchat": {"receipt": True}, "stream": stream, "seed": 7}
    response = await api_client.post("/chat", json=body)
    if stream:
        chunks = parse_chunks(response.text)
        assert chunks[-1]["choices"] == []
        receipt = chunks[-1]["smolchat"]["receipt"]
    else:
        receipt = response.json()["smolchat"]["receipt"]
    null_fields = set(case.null_fields) | (set() if stream else {"first_token_ms"})
    null_fields |= set() if case.preload_count else {"load_ms"}
    null_fields |= {"text_chunks"}  # only where no tokens are reported
    if "completion_tokens_per_second" in null_fields:
        null_fields |= {"speed_source"}
    if receipt["speed_source"] == "smolchat":  # on a machine that is slow enough to measure it
        receipt |= {"speed_source": None, "completion_tokens_per_second": None}
    receipt["text_chunks"] = None
    assert {name for name, value in receipt.items() if value is None} == null_fields
    assert (receipt["model"], receipt["seed"]) == (case.model_ids[0], 7)
    assert receipt["model_digest"] in (None, DIGEST)
    assert receipt["prompt_tokens"] in (None, COMPLETION["usage"]["prompt_tokens"])
    assert not [name for name in null_fields ^ receipt.keys() if receipt[name] == 0]


async def test_llama_cpp_fields_are_sent_only_to_llama_cpp(
    api_client: httpx.AsyncClient, case: Case, model_server: FakeModelServer
) -> None:
    """Other servers may reject unknown fields, as the bare one does here."""
    options = {"progress": True, "deterministic": True, "receipt": True}
    response = await api_client.post("/chat", json=HELLO | {"stream": True, "smolchat": options})
    assert text_of(parse_chunks(response.text)) == STREAMED_TEXT
    added = {"return_progress", "cache_prompt"} & model_server.chat_requests[-1].body.keys()
    assert len(added) == (0 if case.variant in (OLLAMA, BARE) else 2)
    # A field that the client sets is passed on to any server.
    with_top_k = await api_client.post("/chat", json=HELLO | {"top_k": 40})
    assert with_top_k.status_code == (400 if case.variant is BARE else 200)


async def test_only_docker_model_runner_gets_load_requests(
    api_client: httpx.AsyncClient, case: Case, model_server: FakeModelServer
) -> None:
    for _ in range(3):
        assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    assert len(model_server.preload_requests) == case.preload_count
    for preload in model_server.preload_requests:
        assert (preload.body["model"], preload.body["max_tokens"]) == (case.model_ids[0], 1)
    assert len(model_server.chat_requests) == 3


def test_preload_setting_sends_load_requests_only_to_docker_model_runner(
    case: Case, settings: Settings, model_server: FakeModelServer
) -> None:
    with running_api(settings.model_copy(update={"preload": True})) as url:
        httpx.post(f"{url}/chat", json=HELLO).raise_for_status()
    posts = [request for request in model_server.requests if request.body]
    assert len(posts) == case.preload_count + 1


@only("dmr")
@pytest.mark.parametrize("stream", [False, True])
async def test_failed_load_returns_503_and_is_retried_by_the_next_chat(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, *, stream: bool
) -> None:
    success, model_server.preload_reply = model_server.preload_reply, replay("err-load-broken-file")
    response = await api_client.post("/chat", json=HELLO | {"stream": stream})
    assert response.status_code == 503
    assert "the model file is damaged" in response.json()["error"]["message"]
    assert not model_server.chat_requests
    model_server.preload_reply = success
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200


# Responses to a load request that the server takes for a chat.
LOAD_RESPONSES = {
    "rejected": Reply(400, chunks=[b'{"error":{"message":"no such field"}}']),
    "template": Reply(
        500, chunks=[b'{"error":{"message":"Jinja Exception: a system message is missing"}}']
    ),
    "loading": LOADING,
}


@only("older-dmr")
@pytest.mark.parametrize("load_response", LOAD_RESPONSES)
async def test_chat_succeeds_if_an_older_server_takes_a_load_request_for_a_chat(
    load_response: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(LOAD_RESPONSES[load_response])
    completion = (await api_client.post("/chat", json=HELLO)).json()
    assert completion.get("choices") == COMPLETION["choices"]
    assert not model_server.replies


@only("older-dmr")
async def test_error_line_of_an_older_server_becomes_an_error_event(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    failure = b'error: {"code":500,"message":"slot 0 | /models/x.gguf","type":"server_error"}\n\n'
    failing = Reply(headers=EVENTS, chunks=[chunk({"content": "Hi"}), failure])
    model_server.replies += [replay("chat"), failing]  # the first one to the load request
    response = await api_client.post("/chat", json=HELLO | {"stream": True})
    first, error = parse_events(response.text)
    assert text_of([first]) == "Hi"
    assert error["error"]["code"] == "model_server_failed"
    assert "gguf" not in response.text


@only("ollama")
@pytest.mark.parametrize("stream", [False, True])
async def test_server_that_returns_one_choice_for_any_n_has_not_failed(
    api_client: httpx.AsyncClient, *, stream: bool
) -> None:
    response = await api_client.post("/chat", json=HELLO | {"n": 2, "stream": stream})
    assert response.status_code == 200
    assert "error" not in response.text
