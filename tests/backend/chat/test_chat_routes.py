"""The chat route, in front of a model server that replays recorded responses."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from backend.main import create_app
from backend.settings import Settings
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import (
    DONE,
    EVENTS,
    JSON,
    RECORDINGS,
    FakeModelServer,
    RecordedRequest,
    Reply,
    chunk,
    replay,
    stream_reply,
)
from tests.support.requests import HELLO, MODEL_ID, STREAMED
from tests.support.sse import parse_events, text_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/chat", "/v1/chat/completions"])
async def test_completion_has_the_requested_model_id(
    path: str, api_client: httpx.AsyncClient
) -> None:
    response = await api_client.post(path, json=HELLO | {"model": "ai/smollm2"})
    recorded = json.loads(replay("chat").chunks[0])
    assert response.status_code == 200
    assert response.json() == recorded | {"model": "ai/smollm2"}


async def test_chat_uses_the_default_model(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    response = await api_client.post("/chat", json=HELLO)
    added = {"model": MODEL_ID, "max_tokens": 1024, "stream": False}
    assert model_server.chat_requests[0].body == HELLO | added
    assert response.json()["model"] == MODEL_ID


def recorded_completions(*, streamed: bool) -> list[str]:
    """Return the recordings of complete chat responses."""
    cases = []
    for file in sorted(RECORDINGS.glob("*.json")):
        exchange = json.loads(file.read_text())
        request, response = exchange["request"], exchange["response"]
        is_complete = response["framing"] in ("complete", "content-length or close")
        is_complete = is_complete and response["status"] == 200 and response["body"]
        is_chat = request["path"].endswith("/chat/completions")
        if is_chat and is_complete and response["body"].endswith(DONE.decode()) == streamed:
            cases.append(file.stem)
    return cases


@pytest.mark.parametrize("case", recorded_completions(streamed=False))
async def test_recorded_completion_is_passed_on_with_only_the_model_replaced(
    case: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    reply = replay(case)
    model_server.replies.append(reply)
    response = await api_client.post("/chat", json=HELLO)
    assert response.json() == json.loads(reply.chunks[0]) | {"model": MODEL_ID}


@pytest.mark.parametrize("case", recorded_completions(streamed=True))
def test_recorded_stream_is_passed_on_with_only_the_model_replaced(
    case: str, api_url: str, model_server: FakeModelServer
) -> None:
    reply = replay(case)
    model_server.replies.append(reply)
    response = httpx.post(f"{api_url}/chat", json=STREAMED)
    path = json.loads(reply.chunks[0][6:])["model"]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.content == b"".join(reply.chunks).replace(path.encode(), MODEL_ID.encode())


async def test_model_field_in_tool_arguments_is_not_rewritten(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    call = b'{"choices":[{"message":{"tool_calls":[{"arguments":{"model":"Tesla"}}]}}],'
    model_server.replies.append(Reply(chunks=[call + b'"model":"/m/x.gguf"}']))
    response = await api_client.post("/chat", json=HELLO)
    assert b"Tesla" in response.content
    assert response.json()["model"] == MODEL_ID


async def test_cookie_of_the_model_server_is_neither_stored_nor_passed_on(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    with_cookie = replay("chat", headers=[*JSON, ("Set-Cookie", "a=b")])
    model_server.replies += [with_cookie, replay("chat")]
    responses = [await api_client.post("/chat", json=HELLO) for _ in range(2)]
    assert "cookie" not in model_server.chat_requests[1].headers
    assert "set-cookie" not in responses[0].headers


async def test_proxy_from_the_environment_is_not_used(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200


async def test_client_headers_do_not_reach_the_model_server(model_server: FakeModelServer) -> None:
    settings = settings_for(
        model_server, dmr_api_key="upstream", allowed_origins=["http://localhost:8501"]
    )
    headers = {"Cookie": "a=b", "Origin": "http://localhost:8501", "X-Preload-Only": "true"}
    with running_api(settings) as url:
        httpx.post(f"{url}/chat", json=HELLO, headers=headers | {"Authorization": "Bearer mine"})
    upstream_headers = model_server.chat_requests[0].headers
    assert upstream_headers["authorization"] == "Bearer upstream"
    assert not {"cookie", "origin", "x-preload-only"} & upstream_headers.keys()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [{"role": "wizard", "content": "Hello"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages.0.content"),
        (HELLO | {"temperature": -1}, "temperature"),
        (HELLO | {"temperature": "hot"}, "temperature"),
        (HELLO | {"top_p": 1.1}, "top_p"),
        (HELLO | {"max_tokens": 0}, "max_tokens"),
        (HELLO | {"max_tokens": 1.5}, "max_tokens"),
        (HELLO | {"n": 0}, "n"),
        (HELLO | {"n_cmpl": 129}, "n_cmpl"),
        (HELLO | {"mirostat": 3}, "mirostat"),
        (HELLO | {"top_logprobs": 100_000}, "top_logprobs"),
        (HELLO | {"seed": 2**70}, "seed"),
        (HELLO | {"stop": ["x"] * 100}, "stop"),
        (HELLO | {"stop": ""}, "stop"),
        (HELLO | {"stop": ["x", ""]}, "stop.1"),
        (HELLO | {"max_tokens": 2**31}, "max_tokens"),
        (HELLO | {"n_probs": 1000}, "n_probs"),
        (HELLO | {"repeat_last_n": 2**31 - 1}, "repeat_last_n"),
        (HELLO | {"dry_penalty_last_n": 2**31 - 1}, "dry_penalty_last_n"),
        (HELLO | {"dry_sequence_breakers": []}, "dry_sequence_breakers"),
        (
            {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
            "messages.0.content.0.type",
        ),
        ({"messages": [{"role": "user", "content": {"text": "Hi"}}]}, "messages.0.content"),
        (HELLO | {"stop": {"a": 1}}, "stop"),
        (HELLO | {"mirostat_tau": 1e300}, "mirostat_tau"),
        (HELLO | {"logit_bias": [["x", {}]]}, "logit_bias.0.1"),
        (HELLO | {"model": ""}, "model"),
        (HELLO | {"model": 1001 * "m"}, "model"),
        (HELLO | {"smolchat": {"no_such_option": True}}, "smolchat.no_such_option"),
    ],
)
async def test_invalid_field_returns_400_with_its_path(
    body: dict[str, Any], param: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    response = await api_client.post("/chat", json=body)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"] == param
    assert not model_server.chat_requests


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"null", b'"text"', b"[1]", b"\xff", b"[" * 100_000, b'{"messages": [NaN]}'),
        b'{"messages": [{"role": "user", "content": "Hello"}], "tools": [{"x": [-1e400]}]}',
        b'{"messages": [{"role": "user", "content": "Hello"}], "x": 1%b.0}' % (b"0" * 400),
    ],
)
async def test_invalid_json_object_returns_400(
    content: bytes, api_client: httpx.AsyncClient
) -> None:
    response = await api_client.post(
        "/chat", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_infinity_is_accepted_inside_a_string(api_client: httpx.AsyncClient) -> None:
    body = {"messages": [{"role": "user", "content": "Infinity"}]}
    assert (await api_client.post("/chat", json=body)).status_code == 200


@pytest.mark.parametrize("fields", [{}, {"json_schema": {}}, {"grammar_lazy": True}])
async def test_raw_grammar_returns_422_with_the_alternatives(
    fields: dict[str, Any], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    """Eight bytes of grammar can take 8 GB of the model server's memory."""
    body = HELLO | {"grammar": 'root ::= "a"{1,0}'} | fields
    response = await api_client.post("/chat", json=body)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (422, "schema_unsupported")
    assert error["param"] == "grammar"
    assert "response_format" in error["message"]
    assert "SMOLCHAT_RAW_GRAMMAR" in error["message"]
    assert not model_server.requests


def test_raw_grammar_is_passed_on_if_the_settings_allow_it(model_server: FakeModelServer) -> None:
    with running_api(settings_for(model_server, raw_grammar=True)) as url:
        httpx.post(f"{url}/chat", json=HELLO | {"grammar": 'root ::= "a"'}).raise_for_status()
    assert model_server.chat_requests[0].body["grammar"] == 'root ::= "a"'


@pytest.mark.parametrize(
    "reply",
    [
        Reply(chunks=[b"<html>hello</html>"]),
        Reply(chunks=[b'{"choices": []}']),
        Reply(chunks=[b'{"choices": 5}']),
        Reply(chunks=[b'{"choices": "abc"}']),
        Reply(chunks=[b'{"error": {"message": "boom"}}']),
        Reply(headers=[("X-Odd", "\udcff")], chunks=[b"{}"]),
        Reply(chunks=[b'{"choices": [{"message"'], end="cut"),
        Reply(chunks=[b""]),
        Reply(chunks=[b"[" * 100_000]),
        Reply(status=302),
        Reply(end="cut"),
    ],
)
@pytest.mark.parametrize("body", [HELLO, STREAMED])
async def test_invalid_upstream_response_returns_502(
    body: dict[str, Any], reply: Reply, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(reply)
    response = await api_client.post("/chat", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "model_server_failed")


async def test_chat_returns_503_when_the_model_server_is_down() -> None:
    app = create_app(Settings(model_id="m", dmr_base_url="http://127.0.0.1:9/v1"))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as api,
    ):
        response = await api.post("/chat", json=HELLO)
    assert response.status_code == 503
    assert response.headers["retry-after"]
    message = response.json()["error"]["message"]
    assert "Can't reach the model server at http://127.0.0.1:9/v1" in message


def early_stream_settings(model_server: FakeModelServer) -> Settings:
    return settings_for(model_server, first_event_seconds=0.2, keep_alive_seconds=0.05)


def test_stream_sends_comments_until_the_first_event(model_server: FakeModelServer) -> None:
    model_server.replies.append(stream_reply(["Hi"], delay_seconds=0.5))
    with running_api(early_stream_settings(model_server)) as url:
        response = httpx.post(f"{url}/chat", json=STREAMED)
    assert response.text.startswith(": ")
    events = parse_events(response.text)
    assert text_of(events) == "Hi"
    assert events[-1] == "[DONE]"


def test_late_upstream_error_is_an_error_event(model_server: FakeModelServer) -> None:
    model_server.replies.append(replay("err-overflow", delay_seconds=0.5))
    with running_api(early_stream_settings(model_server)) as url:
        response = httpx.post(f"{url}/chat", json=STREAMED)
    assert response.status_code == 200
    assert parse_events(response.text)[-1]["error"]["code"] == "context_length_exceeded"


async def test_validation_errors_over_100_are_counted_not_listed(
    api_client: httpx.AsyncClient,
) -> None:
    fields = {"logit_bias": {str(token): 1000 for token in range(5000)}}
    error = (await api_client.post("/chat", json=HELLO | fields)).json()["error"]
    assert error["code"] == "invalid_request"
    assert "5,001 errors" in error["message"]


async def test_incomplete_logit_bias_pair_returns_400_with_its_path(
    api_client: httpx.AsyncClient,
) -> None:
    response = await api_client.post("/chat", json=HELLO | {"logit_bias": [[0]]})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "logit_bias.0.1")


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        (HELLO, Reply(delay_seconds=60)),
        (STREAMED, Reply(delay_seconds=60)),
        (STREAMED, Reply(headers=EVENTS, chunks=[chunk({"content": "Hi"})], end="hang")),
    ],
    ids=["not streamed", "before the first event", "after the first event"],
)
def test_disconnect_cancels_the_upstream_request(
    body: dict[str, Any], reply: Reply, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(reply)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{api_url}/chat", json=body, timeout=httpx.Timeout(1.5))
    assert model_server.chat_requests[0].disconnected.wait(1)


def list_requests(model_server: FakeModelServer) -> list[RecordedRequest]:
    return [request for request in model_server.requests if request.method == "GET"]


@pytest.mark.parametrize(
    "models",
    [Reply(end="hang"), Reply(chunks=[b" "] * 200, interval_seconds=0.1)],
    ids=["hangs", "drips"],
)
def test_slow_model_list_delays_chats_only_until_its_timeout(
    models: Reply, model_server: FakeModelServer
) -> None:
    model_server.models = models
    settings = settings_for(model_server, connect_timeout_seconds=0.5)
    with running_api(settings) as url, ThreadPoolExecutor() as pool:
        pending = [pool.submit(httpx.post, f"{url}/chat", json=HELLO) for _ in range(4)]
        assert [response.result().status_code for response in pending] == [200] * 4
    assert len(list_requests(model_server)) == 1


async def test_server_without_a_model_list_is_searched_for_once(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = replay("err-unknown-route")
    for _ in range(3):
        assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    assert len(list_requests(model_server)) == 3


async def test_server_with_a_new_prefix_is_found_again(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    model_server.prefixes = ["/v1"]
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    assert model_server.chat_requests[-1].path == "/v1/chat/completions"
    model_server.prefixes = ["/engines/v1"]
    assert (await api_client.get("/models")).status_code == 200
