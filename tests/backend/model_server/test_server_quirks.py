"""What model servers do that surprises whoever stands in front of them, and that no other test has.

Each was seen, or is in an issue of Docker Model Runner, llama.cpp or one of their clients.
"""

import json
from typing import Any

import httpx
import pytest
import respx

from backend.errors import ModelServerUnreachableError
from backend.model_server.client import open_model_server
from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.fake_model_server import (
    DONE,
    EVENTS,
    JSON,
    FakeModelServer,
    Reply,
    chunk,
    replay,
)

pytestmark = pytest.mark.anyio

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
STREAMED = HELLO | {"stream": True}
# What may reach a model server: nothing that a client said, and no name that it treats specially.
SENT = {"host", "accept", "accept-encoding", "connection", "content-length", "content-type"}
SENT |= {"user-agent"}


def events(text: str) -> list[Any]:
    lines = text.replace("\r\n", "\n").split("\n")  # a text may hold characters that end lines too
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(item) for item in data if item != "[DONE]"]


def said(status: int, **error: Any) -> Reply:
    return Reply(status, JSON, [json.dumps({"error": error}).encode()])


@pytest.mark.parametrize(
    ("url", "switch"),
    [
        ("http://localhost:12434", "docker desktop enable model-runner --tcp 12434"),
        ("http://model-runner.docker.internal", "extra_hosts"),
        ("http://engine:12434", "docker compose -f compose.embedded.yaml up -d"),
    ],
)
async def test_a_server_that_is_not_there_is_told_with_its_switch(url: str, switch: str) -> None:
    with respx.mock(using="httpx") as door:
        door.get(url__startswith=url).mock(side_effect=httpx.ConnectError("refused"))
        async with open_model_server(Settings(model_id="m", dmr_base_url=url)) as upstream:
            with pytest.raises(ModelServerUnreachableError) as failure:
                await upstream.models()
    assert switch in failure.value.message


def test_requests_are_made_from_scratch(model_server: FakeModelServer) -> None:
    """A name of Docker's own client gets plain text in front of the events."""
    settings = Settings(
        model_id="m",
        dmr_base_url=model_server.base_url,
        dmr_api_key="",  # type: ignore[arg-type]
    )
    headers = {"User-Agent": "docker-model-cli/1.0", "Accept-Language": "de", "X-Mine": "1"}
    with running_api(settings) as url:
        httpx.post(f"{url}/chat", json=STREAMED, headers=headers).raise_for_status()
    for request in model_server.requests:
        assert request.headers.keys() - {"x-preload-only"} <= SENT
        assert "docker-model-cli" not in request.headers["user-agent"]


async def test_only_lists_and_chats_are_ever_asked_for(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    """A probe of the embeddings would load the model a second time, and keep it."""
    for path in ("/models", "/healthz", "/readyz"):
        await api_client.get(path)
    for body in (HELLO, STREAMED):
        await api_client.post("/chat", json=body)
    asked = {
        request.path.removeprefix(model_server.prefixes[0]) for request in model_server.requests
    }
    assert asked == {"/models", "/chat/completions"}


@pytest.mark.parametrize(
    "reply",
    [
        replay("runner-killed-non-stream"),
        replay("err-load-broken-file"),
        replay("runner-killed-before-first-byte"),
        replay("chat", end="cut"),
        Reply(502),
        Reply(503, pieces=[b"service unavailable\n"]),
        Reply(429),
    ],
)
@pytest.mark.parametrize("body", [HELLO, STREAMED])
async def test_what_failed_is_not_asked_again(
    body: dict[str, Any], reply: Reply, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    """Asked again, a load that took too long begins anew, and again takes too long."""
    model_server.replies.append(reply)
    assert (await api_client.post("/chat", json=body)).status_code in (429, 502)
    assert len(model_server.chats) == 1


NO_BACKEND = b'backend "vllm" is not installed; run: docker model install-runner\n'
NO_MEMORY = (
    b"unable to load runner: error waiting for runner to be ready: [llama.cpp failed: not enough "
    b"GPU memory to load the model (CUDA)\n\nVerbose output:\n/models/x.gguf]"
)
NO_LOGPROBS = "logprobs is not supported with tools + stream"
NOT_PARSED = "The model produced output that does not match the expected peg-native format"
OVERFLOW = {"type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}
OLDER_OVERFLOW = "the request exceeds the available context size. try increasing the context size"
KNOWN = {
    "no backend": (Reply(412, pieces=[NO_BACKEND]), 400, "docker model install-runner"),
    "no memory": (Reply(500, pieces=[NO_MEMORY]), 502, "does not fit into memory"),
    "no logprobs": (said(400, message=NO_LOGPROBS), 400, NO_LOGPROBS),
    "not parsed": (said(500, message=NOT_PARSED), 502, "failed with status 500"),
    "overflow with 500": (said(500, **OVERFLOW), 400, "(9 tokens, room for 8)"),
    "overflow without numbers": (said(400, message=OLDER_OVERFLOW), 400, "start a new chat"),
}


@pytest.mark.parametrize("case", KNOWN)
async def test_a_known_refusal_is_told_with_its_remedy(
    case: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    reply, status, told = KNOWN[case]
    model_server.replies.append(reply)
    answer = await api_client.post("/chat", json=HELLO)
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]
    assert "gguf" not in answer.text


@pytest.mark.parametrize("begun", [[], [chunk({"content": "Hi"})]], ids=["first", "later"])
async def test_an_overflow_that_is_an_event_keeps_its_numbers(
    begun: list[bytes], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    overflow = replay("err-overflow-stream").pieces[0]
    model_server.replies.append(Reply(headers=EVENTS, pieces=[*begun, b"data: %b\n\n" % overflow]))
    answer = await api_client.post("/chat", json=STREAMED)
    error = events(answer.text)[-1]["error"] if begun else answer.json()["error"]
    assert answer.status_code == (200 if begun else 400)
    assert (error["code"], error["n_prompt_tokens"], error["n_ctx"]) == (
        "context_length_exceeded",
        9031,
        8192,
    )


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_no_text_and_no_cut_breaks_a_stream(
    size: int, line_end: bytes, api_url: str, model_server: FakeModelServer
) -> None:
    text = "a\u2028b\u2029c\u0085d\x0be \U0001f642 é data: [DONE] error: no"
    said = json.dumps(text, ensure_ascii=False).encode().replace(b"\x0b", b"\\u000b")
    told = chunk({"content": "?"}).replace(b'"?"', said) + chunk({}, "stop") + DONE
    raw = told.replace(b"\n", line_end)
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    model_server.replies.append(Reply(headers=EVENTS, pieces=pieces))
    answer = httpx.post(f"{api_url}/chat", json=STREAMED)
    assert events(answer.text)[0]["choices"][0]["delta"]["content"] == text
    assert answer.text.count("[DONE]") == 2
    assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_is_only_thought_is_one(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, *, stream: bool
) -> None:
    thought = {"role": "assistant", "content": "", "reasoning_content": "Hm."}
    choice = {"index": 0, "finish_reason": "length", "message": thought}
    whole = Reply(pieces=[json.dumps({"choices": [choice]}).encode()])
    pieces = [chunk(thought), chunk({}, "length"), DONE]
    model_server.replies.append(Reply(headers=EVENTS, pieces=pieces) if stream else whole)
    answer = await api_client.post("/chat", json=HELLO | {"stream": stream})
    assert answer.status_code == 200
    told = events(answer.text)[0]["choices"][0]["delta"] if stream else answer.json()["choices"][0]
    assert told == (thought if stream else choice)


@pytest.mark.parametrize(
    "call",
    [
        {"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"mod'}},
        {"index": 0, "function": {"arguments": 'el":"x"}'}},  # without an id
        {"index": 1, "function": {"name": "look", "arguments": {"model": "Tesla"}}},
        {"index": 0, "function": {"name": "look", "arguments": ""}},
    ],
)
async def test_a_tool_call_is_passed_on_as_it_is(
    call: dict[str, Any], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    pieces = [chunk({"tool_calls": [call]}), chunk({}, "tool_calls"), DONE]
    model_server.replies.append(Reply(headers=EVENTS, pieces=pieces))
    answer = await api_client.post("/chat", json=STREAMED)
    assert events(answer.text)[0]["choices"][0]["delta"] == {"tool_calls": [call]}
    assert "error" not in answer.text


async def test_several_answers_may_come_in_any_order(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("stream-n-2"))
    answer = await api_client.post("/chat", json=STREAMED | {"n": 2, "smolchat": {"receipt": True}})
    *told, last = events(answer.text)
    choices = [choice for event in told for choice in event["choices"]]
    ended = {choice["index"] for choice in choices if choice["finish_reason"]}
    assert ended == {0, 1}
    assert last["smolchat"]["receipt"]["completion_tokens"] is None  # it counted one only


async def test_running_into_the_context_while_answering_is_an_ordinary_end(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("stream-runs-into-the-context"))
    answer = await api_client.post("/chat", json=STREAMED | {"smolchat": {"receipt": True}})
    receipt = events(answer.text)[-1]["smolchat"]["receipt"]
    assert receipt["finish_reason"] == "length"
    assert receipt["context_tokens"] == 1024
