"""The exact error that a client gets for every recorded error of a real model server.

Each recording is replayed through the API. The model server's paths, log lines and timings of other
users' requests must not appear in any response.
"""

import json
import re

import httpx
import pytest

from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import RECORDINGS, FakeModelServer, Reply, replay
from tests.support.requests import HELLO, MODEL_ID, STREAMED

pytestmark = pytest.mark.anyio

RUNNER_DETAILS = re.compile(
    r"\d\.\d\d\.\d{3}|\d ms|per second|slot |srv |llama_|llama\.cpp (failed|terminated)|/models/"
    r"|\.gguf|sha256|Verbose|exception"
)

CRASHED = "The model process crashed during the response. Try again: it restarts automatically."
DAMAGED = (
    "The model server could not load the model: the model file is damaged. Delete it and pull it "
    "again."
)
MISSING = (
    "The model server does not have this model. Pull it (`docker model pull …`), or choose one "
    "from GET /models."
)
NO_ROUTE = "The model server has no such route. Check DMR_BASE_URL."
REJECTED = "The model server rejected the request: "
DENIED = "The model server denied access: Origin not allowed. Check DMR_API_KEY."
CONNECTION_LOST = (
    "The connection to the model server was lost before the response was complete. Try again."
)
SCHEMA = "The model server cannot use this schema: JSON schema error at #: "


def overflow(prompt: int, context: int) -> str:
    return (
        f"The prompt is too long for the model's context ({prompt} tokens, limit {context})"
        ". Shorten it, start a new chat, or give the model a larger context."
    )


ERRORS = {
    "err-bad-json": (400, "invalid_request", None, REJECTED + "invalid request."),
    "err-empty-body": (400, "invalid_request", None, REJECTED + "invalid request."),
    "err-get-on-chat": (502, "model_server_failed", None, NO_ROUTE),
    "err-image-to-text-model": (
        *(400, "unsupported_content", "messages"),
        "This model does not support images. Remove them from the messages.",
    ),
    "err-load-broken-file": (503, "model_load_failed", None, DAMAGED),
    "err-load-broken-file-stream": (503, "model_load_failed", None, DAMAGED),
    "err-max-tokens-negative": (
        *(400, "invalid_request", None),
        REJECTED + "Field 'max_tokens': Value must be between -1 <= value <= 2147483647, but got "
        "-5.",
    ),
    "err-message-without-content": (
        *(400, "invalid_request", None),
        REJECTED + "All non-assistant messages must contain 'content'.",
    ),
    "err-messages-missing": (
        *(400, "invalid_request", None),
        REJECTED + "Expected 'messages' to be an array.",
    ),
    "err-model-name-bad": (404, "model_not_found", "model", MISSING),
    "err-model-not-pulled": (404, "model_not_found", "model", MISSING),
    "err-n-huge": (
        *(400, "invalid_request", "n"),
        "The model server returns at most 4 choices per request.",
    ),
    "err-no-model": (400, "invalid_request", None, REJECTED + "model is required."),
    "err-origin-evil": (502, "model_server_failed", None, DENIED),
    "err-origin-localhost-8501": (502, "model_server_failed", None, DENIED),
    "err-overflow": (400, "context_length_exceeded", "messages", overflow(9031, 8192)),
    "err-overflow-configured-1024": (
        *(400, "context_length_exceeded", "messages"),
        overflow(1531, 1024),
    ),
    "err-overflow-stream": (400, "context_length_exceeded", "messages", overflow(9031, 8192)),
    "err-temperature-string": (
        *(400, "invalid_request", None),
        REJECTED + "Field 'temperature': type must be number, but is string.",
    ),
    "err-too-large": (400, "invalid_request", None, REJECTED + "request too large."),
    "err-unknown-backend": (502, "model_server_failed", None, NO_ROUTE),
    "err-unknown-route": (502, "model_server_failed", None, NO_ROUTE),
    "grammar-bad": (
        *(400, "invalid_request", None),
        REJECTED + "Failed to initialize samplers: failed to parse grammar.",
    ),
    "json-schema-not-a-schema": (
        *(400, "invalid_request", "response_format"),
        SCHEMA + "unrecognized type nonsense.",
    ),
    "json-schema-unsupported-ref": (
        *(400, "invalid_request", "response_format"),
        "The model server cannot use this schema.",  # its reason contains an address
    ),
    "killer-o13135": (502, "model_server_failed", None, CRASHED),
    "killer-o13136": (502, "model_server_failed", None, CRASHED),
    "killer-o17683": (502, "model_server_failed", None, CRASHED),
    "killer-o48406": (502, "model_server_failed", None, CRASHED),
    "runner-killed-non-stream": (502, "model_server_failed", None, CRASHED),
}
# Streams that broke off.
INCOMPLETE = ["client-leaves-mid-stream", "runner-killed-mid-stream"]
# Errors of the model list.
LIST_ERRORS = {"err-origin-on-get": DENIED}
# Errors with a test of their own.
TESTED_SEPARATELY = {
    "client-leaves-while-loading",  # the client disconnected before there was a response
    "chat-while-stalled",
    "runner-killed-before-first-byte",
    "runner-stalls-mid-stream",
}


def error_of(response: httpx.Response) -> tuple[int, str, str | None, str]:
    assert not RUNNER_DETAILS.search(response.text)
    error = response.json()["error"]
    assert error["type"] == (
        "invalid_request_error" if response.status_code < 500 else "server_error"
    )
    return response.status_code, error["code"], error["param"], error["message"]


def test_every_recorded_error_is_tested() -> None:
    recordings = {
        file.stem: json.loads(file.read_text())["response"] for file in RECORDINGS.glob("*.json")
    }
    failed = {
        case
        for case, response in recordings.items()
        if (response["status"] or 999) >= 400 or response["framing"].startswith("ended without")
    }
    tested = ERRORS.keys() | LIST_ERRORS.keys() | TESTED_SEPARATELY | set(INCOMPLETE)
    assert failed == tested


@pytest.mark.parametrize("case", ERRORS)
@pytest.mark.parametrize("stream", [False, True])
async def test_recorded_error_is_mapped(
    case: str, api_client: httpx.AsyncClient, model_server: FakeModelServer, *, stream: bool
) -> None:
    model_server.replies += [replay(case)] * 2  # an unknown route is tried twice
    response = await api_client.post("/chat", json=HELLO | {"stream": stream})
    assert response.headers["content-type"] == "application/json"
    assert error_of(response) == ERRORS[case]


@pytest.mark.parametrize("case", LIST_ERRORS)
async def test_error_of_the_model_list_is_reported_by_models_and_health_routes(
    case: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = model_server.empty_chat_reply = replay(case)
    message = LIST_ERRORS[case]
    assert error_of(await api_client.get("/models")) == (502, "model_server_failed", None, message)
    assert error_of(await api_client.get("/readyz")) == (503, "not_ready", None, message)
    health = (await api_client.get("/healthz")).json()["model_server"]
    assert (health["state"], health["message"]) == ("invalid", message)


async def test_crash_before_the_first_event_returns_502(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("runner-killed-before-first-byte"))
    response = await api_client.post("/chat", json=STREAMED)
    assert error_of(response) == (502, "model_server_failed", None, CONNECTION_LOST)


def final_error(response: httpx.Response, reply: Reply) -> tuple[str, str]:
    """Return the code and message of the error event that follows all complete lines of `reply`."""
    text, _, error_json = response.text.partition('\n\ndata: {"error":')
    upstream = b"".join(reply.chunks)
    path = json.loads(reply.chunks[0][6:])["model"].encode()
    complete_lines = upstream[: upstream.rfind(b"\n") + 1]
    expected = complete_lines.replace(path, MODEL_ID.encode()).decode()
    assert text.rstrip("\n") == expected.rstrip("\n")
    assert response.status_code == 200
    assert "[DONE]" not in response.text
    assert error_json.endswith("}\n\n")
    assert not RUNNER_DETAILS.search(error_json)
    error = json.loads('{"error":' + error_json)["error"]
    return error["code"], error["message"]


@pytest.mark.parametrize("case", INCOMPLETE)
def test_crash_during_a_stream_is_an_error_event_after_the_text(
    case: str, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay(case))
    response = httpx.post(f"{api_url}/chat", json=STREAMED)
    assert final_error(response, replay(case)) == ("model_server_failed", CONNECTION_LOST)


def test_stall_during_a_stream_is_an_error_event_after_the_text(
    model_server: FakeModelServer,
) -> None:
    stalled = replay("runner-stalls-mid-stream", end="hang")
    model_server.replies.append(stalled)
    with running_api(settings_for(model_server, stall_seconds=0.3)) as url:
        response = httpx.post(f"{url}/chat", json=STREAMED)
    code, message = final_error(response, stalled)
    assert code == "model_server_timeout"
    assert message.endswith("stopped responding. Restart it.")


@pytest.mark.parametrize("stream", [False, True])
def test_chat_returns_504_when_the_model_server_does_not_respond(
    model_server: FakeModelServer, *, stream: bool
) -> None:
    model_server.replies.append(replay("chat-while-stalled", delay_seconds=60))
    with running_api(settings_for(model_server, read_timeout_seconds=0.3)) as url:
        response = httpx.post(f"{url}/chat", json=HELLO | {"stream": stream})
    status, code, _, message = error_of(response)
    assert (status, code) == (504, "model_server_timeout")
    assert message.endswith("stopped responding. Restart it.")


async def test_model_is_loaded_before_the_next_chat_after_a_crash(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("runner-killed-mid-stream"))
    await api_client.post("/chat", json=STREAMED)
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    posts = [request for request in model_server.requests if request.method == "POST"]
    assert [request in model_server.preload_requests for request in posts] == [True, False] * 2
