"""The chat route, in front of a model server that answers as a real one was recorded to."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from backend.main import create_app
from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.fake_model_server import (
    EVENTS,
    JSON,
    RECORDINGS,
    FakeModelServer,
    Reply,
    chunk,
    replay,
    stream_of,
)
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
STREAMED = HELLO | {"stream": True}


def events(text: str) -> list[Any]:
    data = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    return [json.loads(item) if item != "[DONE]" else item for item in data]


def written(text: str) -> str:
    """The text that a streamed answer's events make."""
    choices = [event["choices"] for event in events(text) if "choices" in event]
    return "".join(choice[0]["delta"].get("content") or "" for choice in choices if choice)


@pytest.mark.parametrize("path", ["/chat", "/v1/chat/completions"])
async def test_an_answer_is_passed_on_under_the_id_that_was_asked_for(
    path: str, api_client: httpx.AsyncClient
) -> None:
    answer = await api_client.post(path, json=HELLO | {"model": "ai/smollm2"})
    sent = json.loads(replay("chat").pieces[0])
    assert answer.status_code == 200
    assert answer.json() == sent | {"model": "ai/smollm2"}


async def test_the_default_model_is_asked_and_named(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    answer = await api_client.post("/chat", json=HELLO)
    assert model_server.chats[0].body == HELLO | {"model": MODEL_ID, "max_tokens": 1024}
    assert answer.json()["model"] == MODEL_ID


def recorded_answers(*, streamed: bool) -> list[str]:
    """The cases in which a real model server answered a chat as a whole."""
    cases = []
    for file in sorted(RECORDINGS.glob("*.json")):
        exchange = json.loads(file.read_text())
        request, response = exchange["request"], exchange["response"]
        is_whole = response["framing"] in ("complete", "content-length or close")
        is_whole = is_whole and response["status"] == 200 and response["body"]
        is_chat = request["path"].endswith("/chat/completions")
        if is_chat and is_whole and response["body"].endswith("data: [DONE]\n\n") == streamed:
            cases.append(file.stem)
    return cases


@pytest.mark.parametrize("case", recorded_answers(streamed=False))
async def test_every_recorded_answer_is_passed_on_save_the_models_name(
    case: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    reply = replay(case)
    model_server.replies.append(reply)
    answer = await api_client.post("/chat", json=HELLO)
    assert answer.json() == json.loads(reply.pieces[0]) | {"model": MODEL_ID}


@pytest.mark.parametrize("case", recorded_answers(streamed=True))
def test_every_recorded_stream_is_passed_on_byte_by_byte_save_the_models_name(
    case: str, api_url: str, model_server: FakeModelServer
) -> None:
    reply = replay(case)
    model_server.replies.append(reply)
    answer = httpx.post(f"{api_url}/chat", json=STREAMED)
    path = json.loads(reply.pieces[0][6:])["model"]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.content == b"".join(reply.pieces).replace(path.encode(), MODEL_ID.encode())


async def test_what_a_tool_is_called_with_is_not_renamed(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    call = b'{"choices":[{"message":{"tool_calls":[{"arguments":{"model":"Tesla"}}]}}],'
    model_server.replies.append(Reply(pieces=[call + b'"model":"/m/x.gguf"}']))
    answer = await api_client.post("/chat", json=HELLO)
    assert b"Tesla" in answer.content
    assert answer.json()["model"] == MODEL_ID


def test_an_answer_that_comes_packed_is_unpacked(
    api_url: str, model_server: FakeModelServer
) -> None:
    packed = gzip.compress(b"".join(stream_of(["Hi"]).pieces))
    headers = [*EVENTS, ("Content-Encoding", "gzip")]
    model_server.replies.append(Reply(headers=headers, pieces=[packed]))
    assert written(httpx.post(f"{api_url}/chat", json=STREAMED).text) == "Hi"


async def test_what_a_model_server_sets_is_not_kept(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    cookie = replay("chat", headers=[*JSON, ("Set-Cookie", "a=b")])
    model_server.replies += [cookie, replay("chat")]
    answers = [await api_client.post("/chat", json=HELLO) for _ in range(2)]
    assert "cookie" not in model_server.chats[1].headers
    assert "set-cookie" not in answers[0].headers


async def test_no_proxy_of_the_environment_is_used(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200


async def test_nothing_of_the_client_but_its_request_reaches_the_model_server(
    model_server: FakeModelServer,
) -> None:
    settings = Settings(
        model_id="m",
        dmr_base_url=model_server.base_url,
        dmr_api_key="upstream",  # type: ignore[arg-type]
        allowed_origins=["http://localhost:8501"],  # type: ignore[arg-type]
    )
    headers = {"Cookie": "a=b", "Origin": "http://localhost:8501", "X-Preload-Only": "true"}
    with running_api(settings) as url:
        httpx.post(f"{url}/chat", json=HELLO, headers=headers | {"Authorization": "Bearer mine"})
    received = model_server.chats[0].headers
    assert received["authorization"] == "Bearer upstream"
    assert not {"cookie", "origin", "x-preload-only"} & received.keys()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [{"role": "wizard", "content": "Hello"}]}, "messages.0"),
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
        ({"messages": [{"role": "assistant"}]}, "messages.0"),
        (HELLO | {"stop": {"a": 1}}, "stop"),
        (HELLO | {"mirostat_tau": 1e300}, "mirostat_tau"),
        (HELLO | {"logit_bias": [["x", {}]]}, "logit_bias.0.1"),
        (HELLO | {"model": ""}, "model"),
        (HELLO | {"smolchat": {"no_such_option": True}}, "smolchat.no_such_option"),
    ],
)
async def test_bad_input_is_a_typed_error_that_names_its_place(
    body: dict[str, Any], param: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    answer = await api_client.post("/chat", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"] == param
    assert not model_server.chats


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"{", b"null", b'"text"', b"[1]", b"\xff", b"[" * 100_000, b'{"messages": [NaN]}'),
        b'{"messages": [{"role": "user", "content": "Hello"}], "tools": [{"x": [-1e400]}]}',
        b'{"messages": [{"role": "user", "content": "Hello"}], "x": 1%b.0}' % (b"0" * 400),
    ],
)
async def test_what_is_no_json_object_is_a_typed_error(
    raw: bytes, api_client: httpx.AsyncClient
) -> None:
    answer = await api_client.post(
        "/chat", content=raw, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_a_word_that_looks_like_a_number_is_a_word(api_client: httpx.AsyncClient) -> None:
    said = {"messages": [{"role": "user", "content": "Infinity"}]}
    assert (await api_client.post("/chat", json=said)).status_code == 200


@pytest.mark.parametrize("more", [{}, {"json_schema": {}}, {"grammar_lazy": True}])
async def test_a_raw_grammar_is_refused_with_the_next_step(
    more: dict[str, Any], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    """Eight bytes of it take 8 GB of the model server."""
    answer = await api_client.post("/chat", json=HELLO | {"grammar": 'root ::= "a"{1,0}'} | more)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "schema_unsupported")
    assert error["param"] == "grammar"
    assert "response_format" in error["message"]
    assert "SMOLCHAT_RAW_GRAMMAR" in error["message"]
    assert not model_server.requests


def test_a_raw_grammar_passes_where_every_client_is_trusted(model_server: FakeModelServer) -> None:
    settings = Settings(model_id="m", dmr_base_url=model_server.base_url, raw_grammar=True)
    with running_api(settings) as url:
        httpx.post(f"{url}/chat", json=HELLO | {"grammar": 'root ::= "a"'}).raise_for_status()
    assert model_server.chats[0].body["grammar"] == 'root ::= "a"'


@pytest.mark.parametrize(
    "reply",
    [
        Reply(pieces=[b"<html>hello</html>"]),
        Reply(pieces=[b'{"choices": []}']),
        Reply(pieces=[b'{"choices": 5}']),
        Reply(pieces=[b'{"choices": "abc"}']),
        Reply(pieces=[b'{"error": {"message": "boom"}}']),
        Reply(headers=[("X-Odd", "\udcff")], pieces=[b"{}"]),
        Reply(pieces=[b'{"choices": [{"message"'], end="cut"),
        Reply(pieces=[b""]),
        Reply(pieces=[b"[" * 100_000]),
        Reply(status=302),
        Reply(end="cut"),
    ],
)
@pytest.mark.parametrize("body", [HELLO, STREAMED])
async def test_nonsense_from_the_model_server_is_its_failure(
    body: dict[str, Any], reply: Reply, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(reply)
    answer = await api_client.post("/chat", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "model_server_failed")


async def test_a_model_server_that_is_down_is_503_with_the_next_step() -> None:
    app = create_app(Settings(model_id="m", dmr_base_url="http://127.0.0.1:9/v1"))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as api,
    ):
        answer = await api.post("/chat", json=HELLO)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "Nothing answers at http://127.0.0.1:9/v1" in answer.json()["error"]["message"]


def patient(model_server: FakeModelServer) -> Settings:
    return Settings(
        model_id=MODEL_ID,
        dmr_base_url=model_server.base_url,
        first_event_seconds=0.2,
        keep_alive_seconds=0.05,
    )


def test_comments_keep_the_line_open_while_the_first_event_is_awaited(
    model_server: FakeModelServer,
) -> None:
    model_server.replies.append(stream_of(["Hi"], first_seconds=0.5))
    with running_api(patient(model_server)) as url:
        answer = httpx.post(f"{url}/chat", json=STREAMED)
    assert answer.text.startswith(": ")
    assert written(answer.text) == "Hi"
    assert events(answer.text)[-1] == "[DONE]"


def test_a_refusal_that_comes_late_is_an_error_event(model_server: FakeModelServer) -> None:
    model_server.replies.append(replay("err-overflow", first_seconds=0.5))
    with running_api(patient(model_server)) as url:
        answer = httpx.post(f"{url}/chat", json=STREAMED)
    assert answer.status_code == 200
    assert events(answer.text)[-1]["error"]["code"] == "context_length_exceeded"


async def test_very_many_mistakes_are_counted_and_not_listed(api_client: httpx.AsyncClient) -> None:
    wrong = {"logit_bias": {str(token): 1000 for token in range(5000)}}
    error = (await api_client.post("/chat", json=HELLO | wrong)).json()["error"]
    assert error["code"] == "invalid_request"
    assert "5,001 mistakes" in error["message"]


async def test_half_a_pair_is_told_with_its_place(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.post("/chat", json=HELLO | {"logit_bias": [[0]]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "logit_bias.0.1")


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        (HELLO, Reply(first_seconds=60)),
        (STREAMED, Reply(first_seconds=60)),
        (STREAMED, Reply(headers=EVENTS, pieces=[chunk({"content": "Hi"})], end="hang")),
    ],
    ids=["not streamed", "before the first event", "in the answer"],
)
def test_a_client_that_leaves_ends_the_work_of_the_model_server(
    body: dict[str, Any], reply: Reply, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(reply)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{api_url}/chat", json=body, timeout=httpx.Timeout(1.5))
    assert model_server.chats[0].left.wait(1)


@pytest.mark.parametrize(
    "models",
    [Reply(end="hang"), Reply(pieces=[b" "] * 200, gap_seconds=0.1)],
    ids=["hangs", "drips"],
)
def test_a_slow_model_list_delays_no_chat_for_ever(
    models: Reply, model_server: FakeModelServer
) -> None:
    model_server.models = models
    settings = Settings(
        model_id="m", dmr_base_url=model_server.base_url, connect_timeout_seconds=0.5
    )
    with running_api(settings) as url, ThreadPoolExecutor() as threads:
        asked = [threads.submit(httpx.post, f"{url}/chat", json=HELLO) for _ in range(4)]
        assert [answer.result().status_code for answer in asked] == [200] * 4
    assert len([there for there in model_server.requests if there.method == "GET"]) == 1


async def test_a_server_without_a_model_list_is_looked_for_once(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.models = replay("err-unknown-route")
    for _ in range(3):
        assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    assert len([there for there in model_server.requests if there.method == "GET"]) == 3


async def test_a_server_that_moved_is_found_again(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    model_server.prefixes = ["/v1"]
    assert (await api_client.post("/chat", json=HELLO)).status_code == 200
    assert model_server.chats[-1].path == "/v1/chat/completions"
    model_server.prefixes = ["/engines/v1"]
    assert (await api_client.get("/models")).status_code == 200
