"""Surprising behaviour of model servers that no other test covers.

Each case was observed, or reported in an issue of Docker Model Runner, llama.cpp or a client.
"""

import json
from typing import Any

import httpx
import pytest
import respx

from backend.errors import ModelServerUnreachableError
from backend.model_server.client import open_model_server
from backend.settings import Settings
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import (
    DONE,
    EVENTS,
    JSON,
    FakeModelServer,
    Reply,
    chunk,
    replay,
)
from tests.support.requests import HELLO, STREAMED
from tests.support.sse import parse_chunks, parse_events

pytestmark = pytest.mark.anyio

# The only headers that may reach a model server: none from a client.
UPSTREAM_HEADERS = {"host", "accept", "accept-encoding", "connection", "content-length"}
UPSTREAM_HEADERS |= {"content-type", "user-agent"}


def error_reply(status: int, **error: Any) -> Reply:
    return Reply(status, JSON, [json.dumps({"error": error}).encode()])


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("http://localhost:12434", "docker desktop enable model-runner --tcp 12434"),
        ("http://model-runner.docker.internal", "extra_hosts"),
        ("http://engine:12434", "docker compose -f compose.embedded.yaml up -d"),
    ],
)
async def test_unreachable_error_has_advice_for_the_url(url: str, advice: str) -> None:
    with respx.mock(using="httpx") as router:
        router.get(url__startswith=url).mock(side_effect=httpx.ConnectError("refused"))
        async with open_model_server(Settings(model_id="m", dmr_base_url=url)) as model_server:
            with pytest.raises(ModelServerUnreachableError) as raised:
                await model_server.discovery.models()
    assert advice in raised.value.message


def test_upstream_requests_have_no_headers_of_the_client(model_server: FakeModelServer) -> None:
    """For the user agent of Docker's own client, plain text comes before the events."""
    headers = {"User-Agent": "docker-model-cli/1.0", "Accept-Language": "de", "X-Mine": "1"}
    with running_api(settings_for(model_server, dmr_api_key="")) as url:
        httpx.post(f"{url}/chat", json=STREAMED, headers=headers).raise_for_status()
    for request in model_server.requests:
        assert request.headers.keys() - {"x-preload-only"} <= UPSTREAM_HEADERS
        assert "docker-model-cli" not in request.headers["user-agent"]


async def test_only_routes_that_load_no_second_model_are_requested(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    """Probing the embeddings route would load the model a second time, and keep it loaded."""
    for path in ("/models", "/healthz", "/readyz"):
        await api_client.get(path)
    for body in (HELLO, STREAMED):
        await api_client.post("/chat", json=body)
    prefix = model_server.prefixes[0]
    paths = {request.path.partition("?")[0] for request in model_server.requests}
    own_routes = {"/models", "/engines/ps", "/engines/_configure", "/props"}
    assert paths == {prefix + "/models", prefix + "/chat/completions"} | own_routes


@pytest.mark.parametrize(
    "reply",
    [
        replay("runner-killed-non-stream"),
        replay("err-load-broken-file"),
        replay("runner-killed-before-first-byte"),
        replay("chat", end="cut"),
        Reply(502),
        Reply(503, chunks=[b"service unavailable\n"]),
        Reply(429),
    ],
)
@pytest.mark.parametrize("body", [HELLO, STREAMED])
async def test_failed_request_is_not_retried(
    body: dict[str, Any], reply: Reply, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    """A retry of a load that timed out would start the load again, and time out again."""
    model_server.replies.append(reply)
    assert (await api_client.post("/chat", json=body)).status_code in (429, 502, 503)
    assert len(model_server.chat_requests) == 1


NO_BACKEND = b'backend "vllm" is not installed; run: docker model install-runner\n'
NO_MEMORY = (
    b"unable to load runner: error waiting for runner to be ready: [llama.cpp failed: not enough "
    b"GPU memory to load the model (CUDA)\n\nVerbose output:\n/models/x.gguf]"
)
NO_LOGPROBS = "logprobs is not supported with tools + stream"
NOT_PARSED = "The model produced output that does not match the expected peg-native format"
OVERFLOW = {"type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}
OLDER_OVERFLOW = "the request exceeds the available context size. try increasing the context size"
KNOWN_ERRORS = {
    "no backend": (Reply(412, chunks=[NO_BACKEND]), 502, "docker model install-runner"),
    "no memory": (Reply(500, chunks=[NO_MEMORY]), 503, "does not fit into memory"),
    "no logprobs": (error_reply(400, message=NO_LOGPROBS), 400, NO_LOGPROBS),
    "not parsed": (error_reply(500, message=NOT_PARSED), 502, "choose other tools"),
    "overflow with 500": (error_reply(500, **OVERFLOW), 400, "(9 tokens, limit 8)"),
    "overflow without numbers": (error_reply(400, message=OLDER_OVERFLOW), 400, "start a new chat"),
}


@pytest.mark.parametrize("case", KNOWN_ERRORS)
async def test_known_error_has_advice_and_no_paths(
    case: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    reply, status, expected = KNOWN_ERRORS[case]
    model_server.replies.append(reply)
    response = await api_client.post("/chat", json=HELLO)
    assert response.status_code == status
    assert expected in response.json()["error"]["message"]
    assert "gguf" not in response.text


@pytest.mark.parametrize("chunks", [[], [chunk({"content": "Hi"})]], ids=["first", "later"])
async def test_context_length_error_in_an_event_keeps_its_numbers(
    chunks: list[bytes], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    overflow = b"data: %b\n\n" % replay("err-overflow-stream").chunks[0]
    model_server.replies.append(Reply(headers=EVENTS, chunks=[*chunks, overflow]))
    response = await api_client.post("/chat", json=STREAMED)
    error = parse_events(response.text)[-1]["error"] if chunks else response.json()["error"]
    assert response.status_code == (200 if chunks else 400)
    assert (error["code"], error["n_prompt_tokens"], error["n_ctx"]) == (
        "context_length_exceeded",
        9031,
        8192,
    )


@pytest.mark.parametrize(
    ("event", "code", "message"),
    [
        (b'{"error":{"message":"out of memory"}}', "model_server_failed", "ran out of memory."),
        (b'{"error":"the GPU is gone"}', "model_server_failed", ": the GPU is gone."),
        (b'{"error":{"message":"too hot","code":"429"}}', "too_many_requests", "busy: too hot."),
        (b'{"detail":[{"loc":["body","seed"],"msg":"no"}]}', "invalid_request", "seed: no."),
    ],
)
async def test_reason_in_an_event_reaches_the_client(
    event: bytes,
    code: str,
    message: str,
    api_client: httpx.AsyncClient,
    model_server: FakeModelServer,
) -> None:
    chunks = [chunk({"content": "Hi"}), b"data: %b\n\n" % event]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks))
    response = await api_client.post("/chat", json=STREAMED)
    error = parse_events(response.text)[-1]["error"]
    assert error["code"] == code
    assert message in error["message"]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_stream_survives_any_text_and_chunk_boundary(
    size: int, line_end: bytes, api_url: str, model_server: FakeModelServer
) -> None:
    text = "a\u2028b\u2029c\u0085d\x0be \U0001f642 é data: [DONE] error: no"
    text_json = json.dumps(text, ensure_ascii=False).encode().replace(b"\x0b", b"\\u000b")
    stream = chunk({"content": "?"}).replace(b'"?"', text_json) + chunk({}, "stop") + DONE
    raw = stream.replace(b"\n", line_end)
    chunks = [raw[start : start + size] for start in range(0, len(raw), size)]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks))
    response = httpx.post(f"{api_url}/chat", json=STREAMED)
    assert parse_events(response.text)[0]["choices"][0]["delta"]["content"] == text
    assert response.text.count("[DONE]") == 2
    assert response.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True])
async def test_response_with_only_reasoning_is_valid(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, *, stream: bool
) -> None:
    message = {"role": "assistant", "content": "", "reasoning_content": "Hm."}
    choice = {"index": 0, "finish_reason": "length", "message": message}
    completion = Reply(chunks=[json.dumps({"choices": [choice]}).encode()])
    chunks = [chunk(message), chunk({}, "length"), DONE]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks) if stream else completion)
    response = await api_client.post("/chat", json=HELLO | {"stream": stream})
    assert response.status_code == 200
    if stream:
        assert parse_events(response.text)[0]["choices"][0]["delta"] == message
    else:
        assert response.json()["choices"][0] == choice


@pytest.mark.parametrize(
    "call",
    [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "look"}},
        {"index": 0, "function": {"name": "look"}},  # without an id
        {"function": {"name": "look", "arguments": {"model": "Tesla"}}},
        {"index": 1, "id": "c1", "function": {"name": "look", "arguments": ""}},
    ],
)
async def test_tool_call_leaves_in_the_form_of_openai(
    call: dict[str, Any], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    chunks = [chunk({"tool_calls": [call]}), chunk({}, "stop"), DONE]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks))
    response = await api_client.post("/chat", json=STREAMED)
    first, last = [event["choices"][0] for event in parse_chunks(response.text)]
    [sent] = first["delta"]["tool_calls"]
    assert (sent["index"], sent["type"], sent["function"]["name"]) == (0, "function", "look")
    assert isinstance(sent["id"], str)
    assert sent["id"]
    arguments = '{"model":"Tesla"}' if "id" not in call and "index" not in call else ""
    assert sent["function"]["arguments"] == arguments
    assert last["finish_reason"] == "tool_calls"


async def test_interleaved_choices_are_passed_on(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("stream-n-2"))
    body = STREAMED | {"n": 2, "smolchat": {"receipt": True}}
    *chunks, last = parse_chunks((await api_client.post("/chat", json=body)).text)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    finished = {choice["index"] for choice in choices if choice["finish_reason"]}
    assert finished == {0, 1}
    # The server counted the tokens of one choice only.
    assert last["smolchat"]["receipt"]["completion_tokens"] is None


async def test_stream_that_reaches_the_context_limit_finishes_with_length(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("stream-runs-into-the-context"))
    response = await api_client.post("/chat", json=STREAMED | {"smolchat": {"receipt": True}})
    receipt = parse_chunks(response.text)[-1]["smolchat"]["receipt"]
    assert receipt["finish_reason"] == "length"
    assert receipt["context_tokens"] == 1024
