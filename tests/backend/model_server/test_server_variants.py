"""The API in front of every flavour of model server that it has to work with."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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

pytestmark = pytest.mark.anyio

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
RECEIPT = HELLO | {"smolchat": {"receipt": True}}
WHOLE = json.loads(replay("chat").pieces[0])
DIGEST = "sha256:" + WHOLE["model"].split("/")[-3]  # of its file in the store
ROOT = ("", "/")
DMR_ADDRESSES = (
    *ROOT,
    *("/engines", "/engines/", "/engines/llama.cpp", "/engines/llama.cpp/"),
    *("/v1", "/v1/", "/engines/v1", "/engines/v1/"),
    *("/engines/llama.cpp/v1", "/engines/llama.cpp/v1/"),
)
DMR_IDS = ("ai/smollm2:latest", "ai/smollm2", "docker.io/ai/smollm2:latest", "docker.io/ai/smollm2")
NUMBERS = {"prompt_tokens", "completion_tokens", "context_tokens"}
SPEEDS = {"prompt_ms", "prompt_tokens_per_second", "completion_tokens_per_second"}


@dataclass(frozen=True)
class Case:
    """A flavour, and what the API makes of it."""

    flavour: ServerVariant
    title: str | None  # as it is told
    addresses: tuple[str, ...]
    ids: tuple[str, ...]  # of one model; the first is MODEL_ID
    listed: str | None
    untold: frozenset[str]  # of a receipt: what only this server could have measured
    loads: int = 0  # how often it is asked to load the model alone


OF_DMR = (DMR_ADDRESSES, DMR_IDS, "ai/smollm2:latest", frozenset({"context_size"}), 1)
V1 = ("/v1", "/v1/")
CASES = {
    "dmr": Case(DMR, "Docker Model Runner", *OF_DMR),
    "older-dmr": Case(
        *(OLDER_DMR, "Docker Model Runner", *OF_DMR[:3]),
        untold=frozenset({"context_size", "model_digest"}),
        loads=1,
    ),
    "llama-server": Case(
        *(LLAMA_SERVER, "llama.cpp", (*ROOT, *V1, "/engines/v1")),
        ids=("ai/smollm2:latest", "SmolLM2-135M-Instruct-Q4_1"),
        listed="SmolLM2-135M-Instruct-Q4_1",
        untold=frozenset({"model_digest"}),
    ),
    "ollama": Case(
        *(OLLAMA, "Ollama", (*ROOT, *V1)),
        ids=("smollm2", "smollm2:latest"),
        listed="smollm2:latest",
        untold=frozenset({"cached_tokens", "context_size", "model_digest", *SPEEDS}),
    ),
    "bare": Case(
        *(BARE, None, V1),
        ids=("ai/smollm2:latest", "ai/smollm2"),
        listed=None,
        untold=frozenset({"cached_tokens", "context_size", "model_digest", *SPEEDS, *NUMBERS}),
    ),
}


def some(*names: str) -> pytest.MarkDecorator:
    """Run a test with these flavours only."""
    return pytest.mark.parametrize("case", [CASES[name] for name in names], ids=names)


@pytest.fixture(params=CASES.values(), ids=tuple(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    case: Case = request.param
    return case


@pytest.fixture
def address() -> str:
    return "/v1/"


@pytest.fixture
def model_server(case: Case) -> Iterator[FakeModelServer]:
    with running_fake_model_server(flavour=case.flavour) as server:
        yield server


@pytest.fixture
def settings(case: Case, address: str, model_server: FakeModelServer) -> Settings:
    return Settings(model_id=case.ids[0], dmr_base_url=model_server.root + address)


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    """Read a stream that ended as it should."""
    *lines, end = answer.text.strip().split("\n\n")
    assert end == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def text(chunks: list[dict[str, Any]]) -> str:
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


STREAMED_TEXT = text([json.loads(piece[6:]) for piece in replay("stream").pieces[:-1]])


@pytest.mark.parametrize(
    ("case", "address"),
    [
        pytest.param(case, address, id=f"{name} at {address or 'its root'}")
        for name, case in CASES.items()
        for address in case.addresses
    ],
)
async def test_every_form_of_its_address_leads_to_it(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    routes = [f"{prefix}/chat/completions" for prefix in model_server.prefixes]
    assert model_server.chats[-1].path in routes


async def test_an_answer_is_named_as_it_was_asked_for(
    api_client: httpx.AsyncClient, case: Case, model_server: FakeModelServer
) -> None:
    for model_id in case.ids:
        answer = (await api_client.post("/chat", json=HELLO | {"model": model_id})).json()
        assert model_server.chats[-1].body["model"] == model_id
        assert answer["choices"] == WHOLE["choices"]
        assert answer.get("model") == (None if case.flavour is BARE else model_id)


async def test_a_stream_is_named_as_it_was_asked_for(
    api_client: httpx.AsyncClient, case: Case
) -> None:
    for model_id in case.ids:
        body = HELLO | {"model": model_id, "stream": True}
        chunks = events(await api_client.post("/chat", json=body))
        assert text(chunks) == STREAMED_TEXT
        named = {chunk.get("model") for chunk in chunks}
        assert named == {None if case.flavour is BARE else model_id}


@some("dmr", "older-dmr", "llama-server", "ollama")
async def test_it_is_ready_and_its_model_is_listed_as_people_write_it(
    api_client: httpx.AsyncClient, case: Case
) -> None:
    health = (await api_client.get("/healthz")).json()["model_server"]
    assert (health["state"], health["name"]) == ("ready", case.title)
    assert (await api_client.get("/readyz")).status_code == 200
    assert [model["id"] for model in (await api_client.get("/models")).json()["data"]] == [
        case.listed
    ]


@some("bare")
async def test_one_without_a_model_list_answers_and_is_not_called_ready(
    api_client: httpx.AsyncClient,
) -> None:
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    assert (await api_client.get("/healthz")).json()["model_server"]["state"] == "invalid"
    assert (await api_client.get("/readyz")).status_code == 503


@some("dmr", "older-dmr", "ollama", "bare")  # llama.cpp's server answers to every name
@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_it_has_not_is_404(
    api_client: httpx.AsyncClient, *, stream: bool
) -> None:
    answer = await api_client.post("/chat", json=HELLO | {"model": "ai/nosuch", "stream": stream})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404, "model_not_found")
    assert (error["type"], error["param"]) == ("invalid_request_error", "model")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_receipt_says_what_was_measured_and_nothing_else(
    api_client: httpx.AsyncClient, case: Case, *, stream: bool
) -> None:
    answer = await api_client.post("/chat", json=RECEIPT | {"stream": stream, "seed": 7})
    if stream:
        chunks = events(answer)
        assert chunks[-1]["choices"] == []
        receipt = chunks[-1]["smolchat"]["receipt"]
    else:
        receipt = answer.json()["smolchat"]["receipt"]
    untold = set(case.untold) | (set() if stream else {"first_token_ms"})
    untold |= set() if case.loads else {"load_ms"}
    assert {name for name, value in receipt.items() if value is None} == untold
    assert (receipt["model"], receipt["seed"]) == (case.ids[0], 7)
    assert receipt["model_digest"] in (None, DIGEST)
    assert receipt["prompt_tokens"] in (None, WHOLE["usage"]["prompt_tokens"])
    assert not [name for name in untold ^ receipt.keys() if receipt[name] == 0]


async def test_only_llama_cpp_gets_its_own_fields(
    api_client: httpx.AsyncClient, case: Case, model_server: FakeModelServer
) -> None:
    """Others may refuse what they do not know, as the bare one does here."""
    options = {"progress": True, "deterministic": True, "receipt": True}
    answer = await api_client.post("/chat", json=HELLO | {"stream": True, "smolchat": options})
    assert text(events(answer)) == STREAMED_TEXT
    own = {"return_progress", "cache_prompt"} & model_server.chats[-1].body.keys()
    assert len(own) == (0 if case.flavour in (OLLAMA, BARE) else 2)
    refused = await api_client.post(
        "/chat", json=HELLO | {"top_k": 40}
    )  # a client's own is passed on
    assert refused.status_code == (400 if case.flavour is BARE else 200)


async def test_only_docker_model_runner_is_asked_to_load_a_model(
    api_client: httpx.AsyncClient, case: Case, model_server: FakeModelServer
) -> None:
    for _ in range(3):
        assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    assert len(model_server.preloads) == case.loads
    for preload in model_server.preloads:
        assert (preload.body["model"], preload.body["max_tokens"]) == (case.ids[0], 1)
    assert len(model_server.chats) == 3


def test_what_is_loaded_at_the_start_costs_no_other_server_anything(
    case: Case, settings: Settings, model_server: FakeModelServer
) -> None:
    with running_api(settings.model_copy(update={"preload": True})) as url:
        httpx.post(f"{url}/chat", json=HELLO).raise_for_status()
    asked = [request for request in model_server.requests if request.method == "POST"]
    assert len(asked) == case.loads + 1


@some("dmr")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_load_that_fails_is_told_and_tried_again(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, *, stream: bool
) -> None:
    loaded, model_server.preloading = model_server.preloading, replay("err-load-broken-file")
    answer = await api_client.post("/chat", json=HELLO | {"stream": stream})
    assert answer.status_code == 502
    assert answer.json()["error"]["message"].startswith("The model's file is damaged.")
    assert not model_server.chats
    model_server.preloading = loaded
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200


# What it says to a load that it takes for a question.
TO_A_LOAD = {
    "refused": Reply(400, pieces=[b'{"error":{"message":"no such field"}}']),
    "template": Reply(
        500, pieces=[b'{"error":{"message":"Jinja Exception: a system message is missing"}}']
    ),
    "loading": LOADING,
}


@some("older-dmr")
@pytest.mark.parametrize("said", TO_A_LOAD)
async def test_an_older_one_that_takes_a_load_for_a_question_still_answers(
    said: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(TO_A_LOAD[said])
    assert (await api_client.post("/chat", json=HELLO)).json().get("choices") == WHOLE["choices"]
    assert not model_server.replies


@some("older-dmr")
async def test_an_older_ones_error_in_the_middle_is_our_event(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    failed = b'error: {"code":500,"message":"slot 0 | /models/x.gguf","type":"server_error"}\n\n'
    begun = Reply(headers=EVENTS, pieces=[chunk({"content": "Hi"}), failed])
    model_server.replies += [replay("chat"), begun]  # the first to what was meant as a load
    answer = await api_client.post("/chat", json=HELLO | {"stream": True})
    first, error = [json.loads(line[6:]) for line in answer.text.strip().split("\n\n") if line]
    assert text([first]) == "Hi"
    assert error["error"]["code"] == "model_server_failed"
    assert "gguf" not in answer.text


@some("ollama")
@pytest.mark.parametrize("stream", [False, True])
async def test_one_that_gives_a_single_answer_whatever_is_asked_has_not_failed(
    api_client: httpx.AsyncClient, *, stream: bool
) -> None:
    answer = await api_client.post("/chat", json=HELLO | {"n": 2, "stream": stream})
    assert answer.status_code == 200
    assert "error" not in answer.text
