"""The /structured route: valid answers, retries, streaming and errors."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from backend.settings import Settings
from tests.support.api_server import running_api, settings_for
from tests.support.engine_process import EngineProcess, running_engine
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk, replay
from tests.support.requests import HELLO, MODEL_ID
from tests.support.sse import parse_chunks, parse_events
from tests.support.structured_requests import (
    ANN,
    PROBE_FAILED,
    PROBE_PASSED,
    post,
    stream_text,
    structured_request,
)


def test_valid_answer_keeps_the_order_of_its_keys(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, stream_text(ANN)]
    status, response = post(api_url, structured_request(smolchat={"receipt": True}))
    assert status == 200
    assert list(response["parsed"]) == ["age", "name"]
    assert (response["parsed"], response["text"]) == ({"age": 31, "name": "Ann"}, ANN)
    assert response["model"] == MODEL_ID
    assert (response["unenforced"], response["has_grammar"]) == ([], True)
    [answer] = response["answers"]
    [attempt] = answer["attempts"]
    assert (attempt["finish_reason"], attempt["errors"], attempt["level"]) == ("stop", [], 0)
    assert attempt["ms"] > 0
    assert response["usage"]["completion_tokens"] == attempt["usage"]["completion_tokens"] > 0
    receipt = answer["smolchat"]["receipt"]
    assert receipt["completion_tokens"] == attempt["usage"]["completion_tokens"]
    assert response["smolchat"] == answer["smolchat"]


def test_response_without_options_has_no_extensions(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, stream_text(ANN)]
    _, response = post(api_url, structured_request())
    assert "smolchat" not in response
    assert "smolchat" not in response["answers"][0]


def test_upstream_request_has_the_narrowed_schema_and_the_instruction(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, stream_text(ANN)]
    _, response = post(api_url, structured_request(max_tokens=50))
    upstream, sent = model_server.chat_requests[1].body, response["answers"][0]["sent"]
    narrowed = upstream["response_format"]["json_schema"]["schema"]
    assert narrowed == sent["schema"]
    assert narrowed["additionalProperties"] is False
    assert narrowed["properties"]["name"]["maxLength"] <= 100
    system = upstream["messages"][0]
    assert system["role"] == "system"
    assert '"name"' in system["content"]
    assert sent["instruction"] in system["content"]
    assert "response_type" not in upstream


def test_invalid_answer_is_retried_with_its_validation_errors(
    api_url: str, model_server: FakeModelServer
) -> None:
    invalid = '{"name": "Ann", "age": -1}'
    model_server.replies += [PROBE_PASSED, stream_text(invalid), stream_text(ANN)]
    status, response = post(api_url, structured_request(seed=5))
    assert status == 200
    first, second = response["answers"][0]["attempts"]
    [error] = first["errors"]
    assert (error["pointer"], error["keyword"]) == ("/age", "minimum")
    assert second["errors"] == []
    retry = model_server.chat_requests[2].body
    assert [message["role"] for message in retry["messages"][-2:]] == ["assistant", "user"]
    assert "/age" in retry["messages"][-1]["content"]
    assert (model_server.chat_requests[1].body["seed"], retry["seed"]) == (5, 6)


def test_truncated_answer_is_retried_with_a_narrower_schema_and_no_complaint(
    api_url: str, model_server: FakeModelServer
) -> None:
    truncated = stream_text('{"name": "Annnnnnnn', "length")
    model_server.replies += [PROBE_PASSED, truncated, stream_text(ANN)]
    status, response = post(api_url, structured_request())
    assert status == 200
    assert [attempt["level"] for attempt in response["answers"][0]["attempts"]] == [0, 1]
    first, second = (chat.body for chat in model_server.chat_requests[1:])
    assert len(second["messages"]) == len(first["messages"])
    limits = [
        body["response_format"]["json_schema"]["schema"]["properties"]["name"]["maxLength"]
        for body in (first, second)
    ]
    assert limits[1] < limits[0]


@pytest.mark.parametrize(
    ("text", "finish_reason", "code"),
    [
        ('{"name": "Ann"}', "stop", "validation_failed"),
        ("I would rather not.", "stop", "validation_failed"),
        ('{"name": "Ann", "age": NaN}', "stop", "validation_failed"),
        ('{"name": "Ann", "name": "Bob", "age": 3}', "stop", "validation_failed"),
        ('{"name": "Ann', "length", "output_truncated"),
        ('```json\n{"name": "An', "length", "output_truncated"),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_failure_after_the_last_attempt_keeps_the_text_of_the_answer(
    text: str,
    finish_reason: str,
    code: str,
    *,
    is_stream: bool,
    api_url: str,
    model_server: FakeModelServer,
) -> None:
    model_server.replies += [PROBE_PASSED, *[stream_text(text, finish_reason)] * 3]
    body = structured_request(stream=is_stream)
    response = httpx.post(f"{api_url}/structured", json=body, timeout=60)
    # A stream without any JSON has nothing to send before the error, which then sets the status.
    is_started = is_stream and text.startswith(("{", "```"))
    assert response.status_code == (200 if is_started else 502)
    payload = parse_events(response.text)[-1] if is_started else response.json()
    error = payload["error"]
    assert (error["code"], error["text"]) == (code, text)
    assert [attempt["finish_reason"] for attempt in error["attempts"]] == [finish_reason] * 3
    assert all(attempt["errors"] for attempt in error["attempts"])
    assert "parsed" not in response.text


def test_code_fence_around_the_answer_is_removed(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, stream_text(f"```json\n{ANN}\n```")]
    status, response = post(api_url, structured_request())
    assert (status, response["parsed"]) == (200, {"age": 31, "name": "Ann"})


def test_stream_sends_only_complete_values(api_url: str, model_server: FakeModelServer) -> None:
    text = '{"age": 31, "name": "Ann", "more": [1, 25]}'
    model_server.replies += [PROBE_PASSED, stream_text(text)]
    body = structured_request(stream=True)
    response = httpx.post(f"{api_url}/structured", json=body, timeout=60)
    *events, result = parse_chunks(response.text)
    partials = [event["partial"] for event in events]
    assert {event["attempt"] for event in events} == {1}
    assert partials == [
        {},
        {"age": 31},
        {"age": 31, "name": "Ann"},
        {"age": 31, "name": "Ann", "more": []},
        {"age": 31, "name": "Ann", "more": [1]},
        {"age": 31, "name": "Ann", "more": [1, 25]},
    ]
    assert result["result"]["parsed"] == partials[-1]


def test_server_without_grammar_support_gets_only_the_instruction(
    api_url: str, model_server: FakeModelServer
) -> None:
    invalid = stream_text("Sure! Ann is 31.")
    model_server.replies += [PROBE_FAILED, invalid, stream_text(ANN), stream_text(ANN)]
    status, response = post(api_url, structured_request())
    assert (status, response["has_grammar"]) == (200, False)
    assert len(response["answers"][0]["attempts"]) == 2
    assert "response_format" not in model_server.chat_requests[1].body
    assert post(api_url, structured_request())[0] == 200
    assert len(model_server.chat_requests) == 4  # the second request sends no probe


def test_server_that_rejects_response_format_has_no_grammar_support(
    api_url: str, model_server: FakeModelServer
) -> None:
    refusal = b'{"error": {"message": "response_format.type must be text or json_object"}}'
    model_server.replies += [Reply(400, chunks=[refusal]), stream_text(ANN)]
    status, response = post(api_url, structured_request())
    assert (status, response["has_grammar"]) == (200, False)


def test_answers_have_distinct_seeds(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [PROBE_PASSED, *[stream_text(ANN)] * 5]
    status, response = post(api_url, structured_request(n=5, seed=1))
    assert status == 200
    assert len(response["answers"]) == 5
    assert response["parsed"] == response["answers"][0]["parsed"]
    assert len({chat.body["seed"] for chat in model_server.chat_requests[1:]}) == 5
    assert all("n" not in chat.body for chat in model_server.chat_requests[1:])
    attempts = [answer["attempts"][0] for answer in response["answers"]]
    tokens = sum(attempt["usage"]["completion_tokens"] for attempt in attempts)
    assert response["usage"]["completion_tokens"] == tokens


def test_request_over_the_deadline_returns_504_with_its_text(model_server: FakeModelServer) -> None:
    stalled = Reply(headers=EVENTS, chunks=[chunk({"content": '{"name"'})], end="hang")
    model_server.replies += [PROBE_PASSED, stalled]
    with running_api(settings_for(model_server, structured_seconds=2.5)) as url:
        status, response = post(url, structured_request())
    assert (status, response["error"]["code"]) == (504, "model_server_timeout")
    assert response["error"]["text"].startswith("{")
    assert model_server.chat_requests[1].disconnected.wait(5)


def test_upstream_error_keeps_its_status_and_code(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, replay("err-overflow")]
    status, response = post(api_url, structured_request())
    assert (status, response["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize(
    ("schema", "code", "pointer"),
    [
        ({"type": "foo"}, "schema_invalid", "/type"),
        ({"$ref": "http://127.0.0.1:9/x"}, "schema_unsupported", ""),
        ({"anyOf": [{"const": n} for n in range(5000)]}, "schema_too_large", ""),
        ({"type": "integer", "minimum": 2, "maximum": 1}, "schema_unsatisfiable", ""),
        ({"type": "string", "minLength": 900_000}, "schema_too_large", ""),
    ],
)
def test_unusable_schema_returns_422_without_an_upstream_request(
    schema: Any, code: str, pointer: str, api_url: str, model_server: FakeModelServer
) -> None:
    status, response = post(api_url, structured_request(schema))
    error = response["error"]
    assert (status, error["code"]) == (422, code)
    assert (error["param"], error["pointer"]) == ("response_format", pointer)
    assert not model_server.chat_requests


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": None},
        {"response_type": "recipe"},
        {"response_format": None, "response_type": "novel"},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
        {"tools": [{"type": "function"}]},
        {"grammar": "root ::= x"},
        {"n": 99},
        {"n_cmpl": 99},
        {"json_schema": {}, "grammar": "root ::= x"},
        {"messages": []},
    ],
    ids=str,
)
def test_invalid_request_returns_400_without_an_upstream_request(
    fields: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    status, response = post(api_url, structured_request() | fields)
    assert (status, response["error"]["code"]) == (400, "invalid_request")
    assert not model_server.chat_requests


def test_registered_type_is_requested_by_its_name(
    api_url: str, model_server: FakeModelServer
) -> None:
    valid = '{"label": "positive", "score": 0.9, "reason": "praise"}'
    model_server.replies += [PROBE_PASSED, stream_text(valid)]
    body = structured_request() | {"response_format": None, "response_type": "sentiment"}
    status, response = post(api_url, body)
    assert (status, response["parsed"]["label"]) == (200, "positive")


def test_registered_types_are_listed_with_schema_and_description(api_url: str) -> None:
    types = httpx.get(f"{api_url}/structured/types").json()["data"]
    names = {item["name"] for item in types}
    assert names >= {"recipe", "event", "contact", "invoice", "sentiment"}
    assert all(item["schema"]["type"] == "object" and item["description"] for item in types)


@pytest.mark.parametrize(
    "body",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}}},
        {"response_format": {"type": "json_object", "schema": {"$ref": "#"}}},
        {"json_schema": {"$ref": "file:///etc/passwd"}},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"$ref": "#"}}}]},
    ],
    ids=str,
)
def test_chat_with_an_unusable_schema_returns_422_without_an_upstream_request(
    body: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    response = httpx.post(f"{api_url}/chat", json=HELLO | body)
    assert response.status_code == 422
    assert response.json()["error"]["code"].startswith("schema_")
    assert not model_server.chat_requests


# With a real model


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with running_engine() as engine:
        yield engine


@pytest.fixture
def real_api_url(engine: EngineProcess) -> Iterator[str]:
    with running_api(Settings(model_id=MODEL_ID, dmr_base_url=engine.base_url)) as url:
        yield url


@pytest.mark.parametrize("name", ["recipe", "event", "contact", "invoice", "sentiment"])
def test_real_model_fills_each_registered_type(name: str, real_api_url: str) -> None:
    messages = [{"role": "user", "content": "Invoice 7 of 2026-03-01 to Ann: 2 teas at 1.50."}]
    body = {"messages": messages, "response_type": name, "max_tokens": 300, "seed": 3}
    status, response = post(real_api_url, body)
    assert status == 200, response
    assert response["has_grammar"] is True


def test_real_model_answers_on_one_line(real_api_url: str) -> None:
    tags = {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2}
    item = {"type": "object", "properties": {"name": {"type": "string"}, "tags": tags}}
    item["required"] = ["name", "tags"]
    schema = {"type": "object", "properties": {"items": {"type": "array", "items": item}}}
    schema["required"] = ["items"]
    for seed in range(4):
        fields = {"max_tokens": 200, "seed": seed, "temperature": 1.3}
        status, response = post(real_api_url, structured_request(schema, **fields))
        assert status == 200, response
        assert len(response["answers"][0]["attempts"]) == 1
        assert len(response["text"].splitlines()) == 1


def test_schema_that_would_crash_llama_cpp_does_not_crash_it(real_api_url: str) -> None:
    node = {
        "properties": {"next": {"allOf": [{"$ref": "#/definitions/node"}, {"type": "object"}]}},
        "type": "object",
    }
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"node": node},
        "type": "object",
        "properties": {"node": {"$ref": "#/definitions/node"}},
    }
    status, _ = post(real_api_url, structured_request(schema, max_tokens=60))
    assert status == 200
    body = structured_request(schema, max_tokens=60)
    response = httpx.post(f"{real_api_url}/chat", json=body, timeout=60)
    assert response.status_code == 200
    assert response.json()["choices"][0]["message"]["content"].lstrip().startswith(("{", "`"))
    assert post(real_api_url, structured_request(max_tokens=60))[0] == 200
