"""The context size is the one that the server runs the model with."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from backend.model_server.context_sizes import MAX_CHECK_SECONDS
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import (
    FakeModelServer,
    Reply,
    replay,
    running_fake_model_server,
)
from tests.support.model_server_variants import DMR, LLAMA_SERVER, OLDER_DMR
from tests.support.requests import HELLO, MODEL_ID

CONFIGURE = "/engines/_configure"
SHORT_CHECK = 0.05
RECEIPT = HELLO | {"smolchat": {"receipt": True}}


def json_reply(payload: Any) -> Reply:
    return Reply(chunks=[json.dumps(payload).encode()])


def configuration(config: Any, **fields: Any) -> Reply:
    entry = {"Backend": "llama.cpp", "Model": "docker.io/ai/smollm2:latest", "Mode": "completion"}
    return json_reply([entry | {"Config": config} | fields])


def packaged(size: object) -> Reply:
    [model] = json.loads(replay("models").chunks[0])
    return json_reply([model | {"config": model["config"] | {"context_size": size}}])


@pytest.fixture
def url(model_server: FakeModelServer) -> Iterator[str]:
    with running_api(settings_for(model_server, server_check_seconds=SHORT_CHECK)) as url:
        yield url


def receipt_size(url: str) -> Any:
    response = httpx.post(f"{url}/chat", json=RECEIPT, timeout=20)
    return response.json()["smolchat"]["receipt"]["context_size"]


def status_size(url: str) -> Any:
    return httpx.get(f"{url}/status").json()["model_server"]["context_size"]


FLAGS = {"runtime-flags": ["--threads", "2", "--ctx-size", "3072"]}
CONFIGURED = {
    "recorded": (replay("configure-read"), 1024),
    "none": (replay("configure-read-empty"), 8192),
    "other fields only": (configuration({"keep_alive": "10m0s"}), 8192),
    "named by its digest": (
        configuration({"context-size": 2048}, Model="", ModelID=json.loads(
            replay("models").chunks[0])[0]["id"]),
        2048,
    ),
    "of the embedding mode": (configuration({"context-size": 512}, Mode="embedding"), 8192),
    "of another model": (configuration({"context-size": 512}, Model="ai/other:latest"), 8192),
    "0 means the model's": (configuration({"context-size": 0}), 8192),
    "-1 means the model's": (configuration({"context-size": -1}), 8192),
    "flags": (configuration({"context-size": 2048} | FLAGS), 3072),
    "flag with =": (configuration({"runtime-flags": ["-c=256"]}), 256),
    "odd flags": (configuration({"context-size": 2048, "runtime-flags": [None, 3, {}]}), 2048),
    "odd config": (configuration([]), 8192),
    "odd size": (configuration({"context-size": "2048"}), 8192),
    "huge size": (configuration({"context-size": 10**30}), 8192),
    "not a list": (json_reply({"context-size": 512}), 8192),
    "page": (Reply(chunks=[b"<html>"]), 8192),
    "no such route": (Reply(405), 8192),
    "hangs": (Reply(end="hang"), 8192),
}  # fmt: skip


@pytest.mark.parametrize(("reply", "size"), CONFIGURED.values(), ids=CONFIGURED)
def test_context_size_is_the_configured_one_else_the_models_own(
    reply: Reply, size: int, url: str, model_server: FakeModelServer
) -> None:
    model_server.routes |= {CONFIGURE: reply, "/models": replay("models")}
    assert receipt_size(url) == size
    assert status_size(url) == size
    [query] = {
        request.path for request in model_server.requests if request.path.startswith(CONFIGURE)
    }
    assert query == f"{CONFIGURE}?model=docker.io/ai/smollm2:latest"


@pytest.mark.parametrize(
    ("stored", "configured", "size"),
    [
        (packaged(4096), replay("configure-read-empty"), 4096),
        (packaged(4096), replay("configure-read"), 1024),
        (packaged(None), replay("configure-read-empty"), 8192),
        (packaged("4096"), replay("configure-read-empty"), 8192),
        (json_reply(None), replay("configure-read-empty"), 8192),
    ],
)
def test_context_size_of_the_package_comes_after_the_configured_one(
    stored: Reply, configured: Reply, size: int, url: str, model_server: FakeModelServer
) -> None:
    model_server.routes |= {CONFIGURE: configured, "/models": stored}
    assert receipt_size(url) == size


def test_context_size_is_unknown_if_an_older_server_does_not_say_what_it_uses() -> None:
    with running_fake_model_server(variant=OLDER_DMR) as server:
        server.routes["/models"] = packaged(None)  # its headers have the model's own size
        with running_api(settings_for(server)) as url:
            assert receipt_size(url) is None


def test_context_size_is_asked_again_after_someone_configures(
    url: str, model_server: FakeModelServer
) -> None:
    for size in (1024, 2048, None, 4096):
        model_server.routes[CONFIGURE] = configuration({"context-size": size})
        time.sleep(2 * SHORT_CHECK)
        assert receipt_size(url) == (size or 8192)
        assert status_size(url) == (size or 8192)


def test_context_size_is_asked_at_most_once_in_a_while(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.routes |= {CONFIGURE: replay("configure-read"), "/engines/ps": replay("ps-loaded")}
    started_at = time.monotonic()
    for _ in range(5):
        assert receipt_size(api_url) == 1024
    checks = 1 + (time.monotonic() - started_at) / MAX_CHECK_SECONDS
    paths = [request.path.partition("?")[0] for request in model_server.requests]
    assert 1 <= paths.count(CONFIGURE) <= checks


def test_size_in_an_overflow_is_shown_until_the_model_is_loaded_again(
    url: str, model_server: FakeModelServer
) -> None:
    overflow = replay("err-overflow-configured-1024")
    model_server.routes["/engines/ps"] = replay("ps-loaded")
    model_server.replies.append(overflow)
    assert httpx.post(f"{url}/chat", json=HELLO).status_code == 400
    assert receipt_size(url) == 1024
    model_server.routes["/engines/ps"] = replay("ps-idle")
    time.sleep(2 * SHORT_CHECK)
    assert receipt_size(url) == 8192


def test_size_in_an_overflow_is_not_believed_for_good(model_server: FakeModelServer) -> None:
    model_server.routes["/engines/ps"] = replay("ps-loaded")
    settings = settings_for(model_server, capability_seconds=0.3)
    with running_api(settings) as url:
        model_server.replies.append(replay("err-overflow-configured-1024"))
        assert httpx.post(f"{url}/chat", json=HELLO).status_code == 400
        assert receipt_size(url) == 1024
        time.sleep(0.4)
        assert receipt_size(url) == 8192


def test_size_in_an_overflow_is_dropped_when_another_one_is_configured(
    url: str, model_server: FakeModelServer
) -> None:
    model_server.routes |= {
        CONFIGURE: configuration({"context-size": 1024}), "/engines/ps": replay("ps-loaded")
    }  # fmt: skip
    model_server.replies.append(replay("err-overflow-configured-1024"))
    assert httpx.post(f"{url}/chat", json=HELLO).status_code == 400
    model_server.routes[CONFIGURE] = configuration({"context-size": 2048})
    time.sleep(2 * SHORT_CHECK)
    assert receipt_size(url) == 2048


PROPS = json_reply({"default_generation_settings": {"n_ctx": 512}})
ENTRY = {"id": MODEL_ID, "owned_by": "llamacpp"}


@pytest.mark.parametrize(
    ("entry", "props", "size"),
    [
        (ENTRY | {"meta": {"n_ctx": 4096}}, PROPS, 4096),
        (ENTRY | {"meta": {"n_ctx_train": 8192}}, PROPS, 512),
        (ENTRY, json_reply({"default_generation_settings": []}), None),
        (ENTRY, Reply(404), None),
        ({"id": MODEL_ID, "owned_by": "vllm", "max_model_len": 2048}, PROPS, 2048),
        ({"id": MODEL_ID, "owned_by": "vllm"}, PROPS, None),
    ],
)
def test_context_size_of_other_servers(entry: Any, props: Reply, size: int | None) -> None:
    with running_fake_model_server(variant=LLAMA_SERVER) as server:
        server.models = json_reply({"data": [entry]})
        server.routes["/props"] = props
        with running_api(settings_for(server)) as url:
            assert receipt_size(url) == size
            assert status_size(url) == size


def test_chat_does_not_wait_for_a_slow_check() -> None:
    with (
        running_fake_model_server(variant=LLAMA_SERVER) as server,
        running_api(settings_for(server, server_check_seconds=SHORT_CHECK)) as url,
    ):
        assert httpx.post(f"{url}/chat", json=HELLO).status_code == 200
        server.models = Reply(end="hang")
        time.sleep(2 * SHORT_CHECK)
        started_at = time.monotonic()
        assert httpx.post(f"{url}/chat", json=HELLO).status_code == 200
        assert time.monotonic() - started_at < 2  # about 60 ms on an idle machine


def test_recorded_servers_have_the_sizes_of_their_lists() -> None:
    with running_fake_model_server(variant=DMR) as server, running_api(settings_for(server)) as url:
        assert status_size(url) == 8192
