"""The model server is found and ready as long as it chats, and is forgotten once it is replaced."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from backend.model_server.discovery import ModelServerDiscovery
from backend.settings import Settings
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import (
    EVENTS,
    JSON,
    FakeModelServer,
    Reply,
    ServerVariant,
    replay,
    running_fake_model_server,
)
from tests.support.model_server_variants import BARE, DMR, LLAMA_SERVER, LOADING, OLLAMA
from tests.support.requests import HELLO, MODEL_ID

pytestmark = pytest.mark.anyio

HTML = Reply(headers=[("Content-Type", "text/html")], chunks=[b"<html>hello</html>"])


def json_reply(payload: Any, status: int = 200) -> Reply:
    return Reply(status, JSON, [json.dumps(payload).encode()])


LISTS_THAT_SAY_NOTHING = {
    "null": json_reply(None),
    "data is null": json_reply({"object": "list", "data": None}),
    "empty body": Reply(),
    "401": Reply(401, chunks=[b"Unauthorized"]),
    "403": json_reply({"error": {"message": "Missing scopes: api.model.read"}}, 403),
    "HTML": HTML,
    "odd entries": json_reply({"data": [{"id": 5}, None, {}]}),
    "404": json_reply({"detail": "Not Found"}, 404),
    "405": json_reply({"detail": "Method Not Allowed"}, 405),
    "500": Reply(500, chunks=[b"Internal Server Error"]),
    "400": Reply(400),
    "418": Reply(418),
    "422": Reply(422),
    "501": Reply(501),
}
REAL_LISTS = {
    "bare array": json_reply([{"id": MODEL_ID}]),
    "strings": json_reply([MODEL_ID]),
    "models": json_reply({"models": [{"name": MODEL_ID}]}),
    "odd ones beside it": json_reply({"data": [{"id": 5}, "", None, {"id": MODEL_ID}]}),
}


@pytest.mark.parametrize("models", LISTS_THAT_SAY_NOTHING.values(), ids=LISTS_THAT_SAY_NOTHING)
async def test_server_that_chats_is_ready_although_its_list_says_nothing(
    models: Reply, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = models
    assert (await api_client.get("/readyz")).status_code == 200
    assert (await api_client.get("/healthz")).json()["model_server"]["state"] == "ready"
    listed = await api_client.get("/v1/models")
    assert [model["id"] for model in listed.json()["data"]] == [MODEL_ID]
    assert (await api_client.get(f"/v1/models/{MODEL_ID}")).json() == listed.json()["data"][0]
    assert not model_server.chat_requests  # no model has run
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200


@pytest.mark.parametrize("models", REAL_LISTS.values(), ids=REAL_LISTS)
async def test_models_are_listed_whatever_the_form_of_the_list(
    models: Reply, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = models
    listed = (await api_client.get("/models")).json()["data"]
    assert [model["id"] for model in listed] == [MODEL_ID]
    assert (await api_client.get("/readyz")).status_code == 200


@pytest.mark.parametrize("models", [json_reply([]), json_reply(["other"])], ids=["none", "other"])
async def test_model_that_a_real_list_lacks_is_missing(
    models: Reply, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = models
    health = (await api_client.get("/healthz")).json()["model_server"]
    assert health["state"] == "model_missing"
    assert (await api_client.get("/readyz")).status_code == 503


# What servers without a chat route answer to an empty request for it.
NO_CHAT = {
    "404": Reply(404, chunks=[b"404 page not found"]),
    "405": Reply(405),
    "501": Reply(501),
    "page": HTML,
    "error with status 200": json_reply({"error": "Unexpected endpoint or method."}),
    "redirect": Reply(302, [("Location", "/login")]),
}


@pytest.fixture
def server_without_chat(request: pytest.FixtureRequest) -> Iterator[FakeModelServer]:
    variant = ServerVariant(prefixes=(), unknown_route=request.param)
    with running_fake_model_server(variant=variant) as server:
        yield server


@pytest.mark.parametrize("server_without_chat", NO_CHAT.values(), ids=NO_CHAT, indirect=True)
@pytest.mark.parametrize("models", [None, HTML], ids=["same", "page"])
def test_server_that_does_not_chat_is_not_openai_compatible(
    models: Reply | None, server_without_chat: FakeModelServer
) -> None:
    server_without_chat.routes = {"/v1/models": models} if models else {}
    url = f"{server_without_chat.root_url}/v1"
    with running_api(Settings(model_id=MODEL_ID, dmr_base_url=url)) as api_url:
        health = httpx.get(f"{api_url}/healthz").json()["model_server"]
        assert httpx.get(f"{api_url}/readyz").status_code == 503
        assert httpx.get(f"{api_url}/models").status_code == 502
    assert health["state"] == "invalid"
    assert "DMR_BASE_URL" in health["message"]


@pytest.mark.parametrize(
    "reply",
    [
        *(Reply(400), Reply(411), Reply(415), Reply(422), Reply(429), Reply(500)),
        replay("err-empty-body"),
        replay("chat"),
        Reply(headers=EVENTS, chunks=[b"data: [DONE]\n\n"]),
        Reply(end="cut"),
    ],
    ids=lambda reply: f"{reply.status} {reply.end}",
)
async def test_any_answer_but_a_missing_route_shows_that_a_server_chats(
    reply: Reply, model_server: FakeModelServer, settings: Settings
) -> None:
    model_server.models = Reply(404)
    model_server.empty_chat_reply = reply
    with running_api(settings) as url:
        assert httpx.get(f"{url}/healthz").json()["model_server"]["state"] == "ready"


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (LOADING, "loading"),
        (Reply(401), "invalid"),
        (Reply(403), "invalid"),
        (Reply(502), "invalid"),
        (Reply(504), "silent"),
    ],
)
async def test_server_without_a_list_that_takes_no_requests_is_not_ready(
    reply: Reply, state: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = json_reply(None)
    model_server.empty_chat_reply = reply
    health = (await api_client.get("/healthz")).json()["model_server"]
    assert health["state"] == state
    assert "OpenAI-compatible" not in health["message"]


@pytest.mark.parametrize("path", ["", "/", "/engines/v1", "/v1/"])
def test_server_without_a_list_is_found_by_its_chat_route(path: str) -> None:
    with running_fake_model_server(variant=BARE) as server:
        settings = Settings(model_id=MODEL_ID, dmr_base_url=server.root_url + path)
        with running_api(settings) as url:
            assert httpx.get(f"{url}/readyz").status_code == 200
            assert httpx.post(f"{url}/chat", json=HELLO).status_code == 200


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirect_of_the_model_list_names_its_target(
    status: int, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = Reply(status, [("Location", "https://llm.lan/v1/models")])
    message = (
        f"The model server at {model_server.base_url} redirects to https://llm.lan/v1/models. "
        "Set DMR_BASE_URL to https://llm.lan/v1."
    )
    for path in ("/models", "/readyz"):
        assert (await api_client.get(path)).json()["error"]["message"] == message
    assert (await api_client.get("/healthz")).json()["model_server"]["state"] == "invalid"


SMALL_LLAMA_SERVER = replace(
    LLAMA_SERVER,
    models=json_reply({"data": [{"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx": 512}}]}),
)
OTHER_SERVERS = {
    "other kind": (BARE, None, None),
    "other context": (SMALL_LLAMA_SERVER, 512, "llama.cpp"),
    "dmr": (DMR, 8192, "Docker Model Runner"),
}


@pytest.mark.parametrize("is_noticed", [True, False])
@pytest.mark.parametrize(
    ("variant", "context_size", "name"), OTHER_SERVERS.values(), ids=OTHER_SERVERS
)
def test_nothing_of_a_former_server_is_shown(
    variant: ServerVariant, context_size: int | None, name: str | None, *, is_noticed: bool
) -> None:
    with ExitStack() as former_server:
        former = former_server.enter_context(running_fake_model_server(variant=LLAMA_SERVER))
        with running_api(settings_for(former, server_check_seconds=0.05)) as url:
            assert receipt_of(url)["context_size"] == 8192
            former_server.close()
            if is_noticed:
                assert httpx.post(f"{url}/chat", json=HELLO).status_code == 503
                gone = httpx.get(f"{url}/status").json()["model_server"]
                assert (gone["context_size"], gone["name"]) == (None, None)
            time.sleep(0.1)
            with running_fake_model_server(variant=variant, port=former.port):
                assert receipt_of(url)["context_size"] == context_size
                status = httpx.get(f"{url}/status").json()["model_server"]
                assert (status["context_size"], status["name"]) == (context_size, name)


def receipt_of(url: str) -> dict[str, Any]:
    response = httpx.post(f"{url}/chat", json=HELLO | {"smolchat": {"receipt": True}})
    receipt: dict[str, Any] = response.json()["smolchat"]["receipt"]
    return receipt


def test_load_failure_and_digest_of_a_former_server_are_forgotten() -> None:
    with ExitStack() as former_server:
        former = former_server.enter_context(running_fake_model_server(variant=DMR))
        former.preload_reply = replay("err-load-broken-file")
        with running_api(settings_for(former, server_check_seconds=0.05)) as url:
            assert httpx.post(f"{url}/chat", json=HELLO).status_code == 503
            assert httpx.get(f"{url}/readyz").status_code == 503
            former_server.close()
            time.sleep(0.1)
            with running_fake_model_server(variant=BARE, port=former.port):
                assert httpx.get(f"{url}/readyz").status_code == 200
                assert receipt_of(url)["model_digest"] is None


def test_list_that_fails_once_changes_nothing(model_server: FakeModelServer) -> None:
    with running_api(settings_for(model_server)) as url:
        before = httpx.get(f"{url}/models").json()
        models, model_server.models = model_server.models, Reply(500)
        assert httpx.get(f"{url}/models").json() == before
        assert httpx.get(f"{url}/readyz").status_code == 200
        model_server.models = models
        assert receipt_of(url)["context_size"] == 8192
    assert len(model_server.preload_requests) == 1


@pytest.mark.parametrize("path", ["/engines/ps", "/models", "/engines/_configure"])
def test_endless_answers_about_models_hold_nobody_up(
    path: str, model_server: FakeModelServer
) -> None:
    runner = json.dumps({"model_name": "ai/other", "mode": "completion", "id": "x"}).encode()
    entries = b",".join([runner] * 10_000)
    model_server.routes[path] = Reply(chunks=[b"[", *[entries + b","] * 30, runner, b"]"])
    with running_api(settings_for(model_server)) as url:
        started_at = time.monotonic()
        assert receipt_of(url)["context_size"] == 8192
        assert time.monotonic() - started_at < 5  # about 0.2 s on an idle machine


async def test_model_that_the_first_page_of_a_list_lacks_may_be_there(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    page = {"data": [{"id": "other"}], "last_id": "other"}
    model_server.models = json_reply(page | {"has_more": True})
    assert (await api_client.get("/readyz")).status_code == 200
    model_server.models = json_reply(page | {"has_more": False})
    assert (await api_client.get("/readyz")).status_code == 503


def test_endless_model_list_is_refused(model_server: FakeModelServer) -> None:
    entries = b",".join(b'{"id": "m%d"}' % number for number in range(400_000))
    model_server.models = Reply(chunks=[b"[" + entries + b"]"])
    with running_api(settings_for(model_server)) as url:
        response = httpx.get(f"{url}/models", timeout=20)
        assert response.status_code == 502
        message = "The model server's answer is longer than 4,194,304 bytes."
        assert response.json()["error"]["message"] == message
        assert httpx.get(f"{url}/readyz").status_code == 503


@pytest.mark.parametrize("model_id", ["ai/smollm2:latest", "smollm2:360m"])
def test_model_that_ollama_would_not_find_is_missing(model_id: str) -> None:
    with (
        running_fake_model_server(variant=OLLAMA) as ollama,
        running_api(settings_for(ollama, model_id=model_id)) as url,
    ):
        readiness = httpx.get(f"{url}/readyz")
        assert readiness.status_code == 503
        assert f"has no {model_id}" in readiness.json()["error"]["message"]


def test_ollama_with_models_of_hugging_face_alone_is_recognized() -> None:
    model_id = "hf.co/bartowski/SmolLM2-GGUF:Q4_K_M"
    models = json_reply({"data": [{"id": model_id, "owned_by": "bartowski"}]})
    variant = replace(OLLAMA, models=models, model_id_pattern=".*")
    with (
        running_fake_model_server(variant=variant) as ollama,
        running_api(settings_for(ollama, model_id=model_id)) as url,
    ):
        assert httpx.get(f"{url}/healthz").json()["model_server"]["name"] == "Ollama"
        assert httpx.post(f"{url}/chat", json=HELLO).status_code == 200
        [request] = ollama.chat_requests
        assert request.body["max_tokens"] == 1024


@pytest.mark.parametrize(
    "body",
    [
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head>",
    ],
)
async def test_server_that_expects_https_is_not_ready(
    body: bytes, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    refusal = Reply(400, chunks=[body])
    model_server.models = model_server.empty_chat_reply = refusal
    model_server.replies += [refusal]
    message = "The model server expects HTTPS. Set DMR_BASE_URL to its https:// address."
    for response in (await api_client.get("/readyz"), await api_client.post("/chat", json=HELLO)):
        assert response.status_code in (502, 503)
        assert response.json()["error"]["message"] == message


async def test_callers_of_every_moment_share_one_search(model_server: FakeModelServer) -> None:
    async with httpx.AsyncClient() as client:
        discovery = ModelServerDiscovery(client, settings_for(model_server))
        callers = [asyncio.create_task(discovery.find_base_url())]
        while not callers[0].done():
            callers.append(asyncio.create_task(discovery.find_base_url()))
            await asyncio.sleep(0)
        assert set(await asyncio.gather(*callers)) == {model_server.base_url}
        await discovery.close()
    assert len(model_server.requests) == 1
