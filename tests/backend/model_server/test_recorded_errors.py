"""What our client is told, to the letter, for every error that a real model server was recorded to.

Each is replayed through the API. What the model server wrote besides, its paths, its log and how
long other people's requests took, must be in none of our answers.
"""

import json
import re

import httpx
import pytest

from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.fake_model_server import RECORDINGS, FakeModelServer, Reply, replay

pytestmark = pytest.mark.anyio

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
STREAMED = HELLO | {"stream": True}
OF_THE_RUNNER = re.compile(
    r"\d\.\d\d\.\d{3}|\d ms|per second|slot |srv |llama_|llama\.cpp (failed|terminated)|/models/"
    r"|\.gguf|sha256|Verbose|exception"
)

DIED = "The model's process ended while it answered. Try again: it is started anew."
DAMAGED = "The model's file is damaged. Remove it and pull it again."
MISSING = (
    "The model server does not have this model. Pull it there (`docker model pull …`), or choose "
    "one that GET /models lists."
)
NO_ROUTE = "The model server has no such route. Check DMR_BASE_URL."
REFUSED = "The model server refused the request: "
NOT_US = "The model server refused the key. Set DMR_API_KEY to one it takes."
BROKEN = "The connection to the model server broke before its answer was whole. Try again."
SCHEMA = "The model server cannot use this schema: JSON schema error at #: "


def overflow(prompt: int, context: int) -> str:
    return (
        f"The prompt is too long for the model's context ({prompt} tokens, room for {context})"
        ". Shorten it, start a new chat, or give the model a larger context."
    )


REFUSALS = {
    "err-bad-json": (400, "invalid_request", None, REFUSED + "invalid request."),
    "err-empty-body": (400, "invalid_request", None, REFUSED + "invalid request."),
    "err-get-on-chat": (502, "model_server_failed", None, NO_ROUTE),
    "err-image-to-text-model": (
        *(400, "invalid_request", "messages"),
        "This model reads text only: leave images out.",
    ),
    "err-load-broken-file": (502, "model_server_failed", None, DAMAGED),
    "err-load-broken-file-stream": (502, "model_server_failed", None, DAMAGED),
    "err-max-tokens-negative": (
        *(400, "invalid_request", None),
        REFUSED + "Field 'max_tokens': Value must be between -1 <= value <= 2147483647, but got "
        "-5.",
    ),
    "err-message-without-content": (
        *(400, "invalid_request", None),
        REFUSED + "All non-assistant messages must contain 'content'.",
    ),
    "err-messages-missing": (
        *(400, "invalid_request", None),
        REFUSED + "Expected 'messages' to be an array.",
    ),
    "err-model-name-bad": (404, "model_not_found", "model", MISSING),
    "err-model-not-pulled": (404, "model_not_found", "model", MISSING),
    "err-n-huge": (
        *(400, "invalid_request", "n"),
        "The model server gives at most 4 answers at once.",
    ),
    "err-no-model": (400, "invalid_request", None, REFUSED + "model is required."),
    "err-origin-evil": (502, "model_server_failed", None, NOT_US),
    "err-origin-localhost-8501": (502, "model_server_failed", None, NOT_US),
    "err-overflow": (400, "context_length_exceeded", "messages", overflow(9031, 8192)),
    "err-overflow-configured-1024": (
        *(400, "context_length_exceeded", "messages"),
        overflow(1531, 1024),
    ),
    "err-overflow-stream": (400, "context_length_exceeded", "messages", overflow(9031, 8192)),
    "err-temperature-string": (
        *(400, "invalid_request", None),
        REFUSED + "Field 'temperature': type must be number, but is string.",
    ),
    "err-too-large": (400, "invalid_request", None, REFUSED + "request too large."),
    "err-unknown-backend": (502, "model_server_failed", None, NO_ROUTE),
    "err-unknown-route": (502, "model_server_failed", None, NO_ROUTE),
    "grammar-bad": (
        *(400, "invalid_request", None),
        REFUSED + "Failed to initialize samplers: failed to parse grammar.",
    ),
    "json-schema-not-a-schema": (
        *(400, "invalid_request", "response_format"),
        SCHEMA + "unrecognized type nonsense.",
    ),
    "json-schema-unsupported-ref": (
        *(400, "invalid_request", "response_format"),
        "The model server cannot use this schema.",  # why has an address in it
    ),
    "killer-o13135": (502, "model_server_failed", None, DIED),
    "killer-o13136": (502, "model_server_failed", None, DIED),
    "killer-o17683": (502, "model_server_failed", None, DIED),
    "killer-o48406": (502, "model_server_failed", None, DIED),
    "runner-killed-non-stream": (502, "model_server_failed", None, DIED),
}
# Answers that began and never ended.
CUT_OFF = ["client-leaves-mid-stream", "runner-killed-mid-stream"]
# Of the list of models.
UNLISTED = {"err-origin-on-get": NOT_US, "err-unknown-route": NO_ROUTE}
ELSEWHERE = {
    "client-leaves-while-loading",  # it was the client who ended it, before anything came
    "chat-while-stalled",
    "runner-killed-before-first-byte",
    "runner-stalls-mid-stream",
}


def error_of(answer: httpx.Response) -> tuple[int, str, str | None, str]:
    assert not OF_THE_RUNNER.search(answer.text)
    error = answer.json()["error"]
    assert error["type"] == (
        "invalid_request_error" if answer.status_code < 500 else "server_error"
    )
    return answer.status_code, error["code"], error["param"], error["message"]


def test_no_recorded_error_is_forgotten() -> None:
    recordings = {
        file.stem: json.loads(file.read_text())["response"] for file in RECORDINGS.glob("*.json")
    }
    failed = {
        case
        for case, response in recordings.items()
        if (response["status"] or 999) >= 400 or response["framing"].startswith("ended without")
    }
    assert failed == REFUSALS.keys() | UNLISTED.keys() | ELSEWHERE | set(CUT_OFF)


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_is_told_in_our_words(
    case: str, api_client: httpx.AsyncClient, model_server: FakeModelServer, *, stream: bool
) -> None:
    model_server.replies += [replay(case)] * 2  # where there is no route, it is looked for again
    answer = await api_client.post("/chat", json=HELLO | {"stream": stream})
    assert answer.headers["content-type"] == "application/json"
    assert error_of(answer) == REFUSALS[case]


@pytest.mark.parametrize("case", UNLISTED)
async def test_a_list_that_is_refused_is_told_everywhere(
    case: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = replay(case)
    assert error_of(await api_client.get("/models")) == (
        502,
        "model_server_failed",
        None,
        UNLISTED[case],
    )
    assert error_of(await api_client.get("/readyz")) == (503, "not_ready", None, UNLISTED[case])
    health = (await api_client.get("/healthz")).json()["model_server"]
    assert (health["state"], health["message"]) == ("invalid", UNLISTED[case])


async def test_a_death_before_the_first_event_is_a_status(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("runner-killed-before-first-byte"))
    answer = await api_client.post("/chat", json=STREAMED)
    assert error_of(answer) == (502, "model_server_failed", None, BROKEN)


def last_event(answer: httpx.Response, reply: Reply) -> tuple[str, str]:
    """Give the code and message of the error that ends a stream which else is all that came."""
    text, _, end = answer.text.partition('\n\ndata: {"error":')
    sent = b"".join(reply.pieces)
    path = json.loads(reply.pieces[0][6:])["model"].encode()
    # Of an event that was cut off nothing is passed on.
    whole = sent[: sent.rfind(b"\n") + 1].replace(path, b"ai/smollm2:latest").decode()
    assert text.rstrip("\n") == whole.rstrip("\n")
    assert answer.status_code == 200
    assert "[DONE]" not in answer.text
    assert end.endswith("}\n\n")
    assert not OF_THE_RUNNER.search(end)
    error = json.loads('{"error":' + end)["error"]
    return error["code"], error["message"]


@pytest.mark.parametrize("case", CUT_OFF)
def test_a_death_in_the_middle_leaves_the_text_and_says_so(
    case: str, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay(case))
    answer = httpx.post(f"{api_url}/chat", json=STREAMED)
    assert last_event(answer, replay(case)) == ("model_server_failed", BROKEN)


def test_a_stall_in_the_middle_leaves_the_text_and_says_so(model_server: FakeModelServer) -> None:
    stalled = replay("runner-stalls-mid-stream", end="hang")
    model_server.replies.append(stalled)
    settings = Settings(
        model_id="ai/smollm2:latest", dmr_base_url=model_server.base_url, stall_seconds=0.3
    )
    with running_api(settings) as url:
        answer = httpx.post(f"{url}/chat", json=STREAMED)
    code, message = last_event(answer, stalled)
    assert code == "model_server_timeout"
    assert message.endswith("has been silent for too long. Restart it.")


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_that_is_stalled_from_the_start_is_504(
    model_server: FakeModelServer, *, stream: bool
) -> None:
    model_server.replies.append(replay("chat-while-stalled", first_seconds=60))
    settings = Settings(model_id="m", dmr_base_url=model_server.base_url, read_timeout_seconds=0.3)
    with running_api(settings) as url:
        answer = httpx.post(f"{url}/chat", json=HELLO | {"stream": stream})
    status, code, _, message = error_of(answer)
    assert (status, code) == (504, "model_server_timeout")
    assert message.endswith("has been silent for too long. Restart it.")


async def test_after_a_death_in_the_middle_the_model_is_loaded_before_it_is_asked_again(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("runner-killed-mid-stream"))
    await api_client.post("/chat", json=STREAMED)
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    posted = [request for request in model_server.requests if request.method == "POST"]
    assert [request in model_server.preloads for request in posted] == [True, False] * 2
