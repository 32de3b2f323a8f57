"""/structured: answers that fit, errors that say why not, and nothing that was written lost."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.engine_process import EngineProcess, running_engine
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk, replay
from tests.support.requests import MODEL_ID
from tests.support.structured_requests import ANN, PROBED, UNPROBED, asked, post, said


def test_an_answer_that_fits_is_given_with_its_keys_as_they_came(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBED, said(ANN)]
    status, reply = post(api_url, asked(smolchat={"receipt": True}))
    assert status == 200
    assert list(reply["parsed"]) == ["age", "name"]
    assert (reply["parsed"], reply["text"]) == ({"age": 31, "name": "Ann"}, ANN)
    assert reply["model"] == MODEL_ID
    assert (reply["unenforced"], reply["has_grammar"]) == ([], True)
    [answer] = reply["answers"]
    [attempt] = answer["attempts"]
    assert (attempt["finish_reason"], attempt["errors"], attempt["level"]) == ("stop", [], 0)
    assert attempt["ms"] > 0
    assert reply["usage"]["completion_tokens"] == attempt["usage"]["completion_tokens"] > 0
    receipt = answer["smolchat"]["receipt"]
    assert receipt["completion_tokens"] == attempt["usage"]["completion_tokens"]
    assert reply["smolchat"] == answer["smolchat"]


def test_what_was_not_asked_for_is_not_told(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [PROBED, said(ANN)]
    _, reply = post(api_url, asked())
    assert "smolchat" not in reply
    assert "smolchat" not in reply["answers"][0]


def test_the_model_is_held_to_a_narrower_schema_and_shown_the_form(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBED, said(ANN)]
    _, reply = post(api_url, asked(max_tokens=50))
    sent = model_server.chats[1].body
    narrowed = sent["response_format"]["json_schema"]["schema"]
    assert narrowed == reply["answers"][0]["sent"]["schema"]
    assert narrowed["additionalProperties"] is False
    assert narrowed["properties"]["name"]["maxLength"] <= 100
    shown = sent["messages"][0]
    assert shown["role"] == "system"
    assert '"name"' in shown["content"]
    assert reply["answers"][0]["sent"]["instruction"] in shown["content"]
    assert "response_type" not in sent


def test_what_does_not_fit_is_drawn_again_with_what_was_wrong(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBED, said('{"name": "Ann", "age": -1}'), said(ANN)]
    status, reply = post(api_url, asked(seed=5))
    assert status == 200
    first, second = reply["answers"][0]["attempts"]
    [error] = first["errors"]
    assert (error["pointer"], error["keyword"]) == ("/age", "minimum")
    assert second["errors"] == []
    again = model_server.chats[2].body
    assert [message["role"] for message in again["messages"][-2:]] == ["assistant", "user"]
    assert "/age" in again["messages"][-1]["content"]
    assert (model_server.chats[1].body["seed"], again["seed"]) == (5, 6)


def test_what_is_cut_off_is_drawn_again_in_less_room_and_not_blamed(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBED, said('{"name": "Annnnnnnn', "length"), said(ANN)]
    status, reply = post(api_url, asked())
    assert status == 200
    assert [attempt["level"] for attempt in reply["answers"][0]["attempts"]] == [0, 1]
    first, second = (chat.body for chat in model_server.chats[1:])
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
def test_what_never_fits_is_a_failure_that_keeps_all_that_was_written(
    text: str,
    finish_reason: str,
    code: str,
    *,
    is_stream: bool,
    api_url: str,
    model_server: FakeModelServer,
) -> None:
    model_server.replies += [PROBED, *[said(text, finish_reason)] * 3]
    answer = httpx.post(f"{api_url}/structured", json=asked(stream=is_stream), timeout=60)
    # Of what is no JSON a stream has nothing to show, so that it can still have its status.
    is_begun = is_stream and text.startswith(("{", "```"))
    assert answer.status_code == (200 if is_begun else 502)
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    error = json.loads(lines[-1] if is_begun else answer.text)["error"]
    assert (error["code"], error["text"]) == (code, text)
    assert [attempt["finish_reason"] for attempt in error["attempts"]] == [finish_reason] * 3
    assert all(attempt["errors"] for attempt in error["attempts"])
    assert "parsed" not in answer.text


def test_a_fence_around_the_whole_is_taken_off(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [PROBED, said(f"```json\n{ANN}\n```")]
    status, reply = post(api_url, asked())
    assert (status, reply["parsed"]) == (200, {"age": 31, "name": "Ann"})


def test_a_stream_shows_only_what_is_certain(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [PROBED, said('{"age": 31, "name": "Ann", "more": [1, 25]}')]
    answer = httpx.post(f"{api_url}/structured", json=asked(stream=True), timeout=60)
    events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    *partials, result = (json.loads(event) for event in events[:-1])
    shown = [event["partial"] for event in partials]
    assert {event["attempt"] for event in partials} == {1}
    assert shown == [
        {},
        {"age": 31},
        {"age": 31, "name": "Ann"},
        {"age": 31, "name": "Ann", "more": []},
        {"age": 31, "name": "Ann", "more": [1]},
        {"age": 31, "name": "Ann", "more": [1, 25]},
    ]
    assert result["result"]["parsed"] == shown[-1]


def test_a_server_without_grammars_works_by_prompt_and_judge(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [UNPROBED, said("Sure! Ann is 31."), said(ANN), said(ANN)]
    status, reply = post(api_url, asked())
    assert (status, reply["has_grammar"]) == (200, False)
    assert len(reply["answers"][0]["attempts"]) == 2
    assert "response_format" not in model_server.chats[1].body
    assert post(api_url, asked())[0] == 200
    assert len(model_server.chats) == 4  # it was asked once what it can do


def test_a_server_that_refuses_the_field_has_no_grammar(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [replay("err-bad-json"), said(ANN)]
    status, reply = post(api_url, asked())
    assert (status, reply["has_grammar"]) == (200, False)


def test_several_answers_have_seeds_of_their_own(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBED, *[said(ANN)] * 5]
    status, reply = post(api_url, asked(n=5, seed=1))
    assert status == 200
    assert len(reply["answers"]) == 5
    assert reply["parsed"] == reply["answers"][0]["parsed"]
    assert len({chat.body["seed"] for chat in model_server.chats[1:]}) == 5
    assert all("n" not in chat.body for chat in model_server.chats[1:])
    tokens = [answer["attempts"][0]["usage"]["completion_tokens"] for answer in reply["answers"]]
    assert reply["usage"]["completion_tokens"] == sum(tokens)


def test_one_deadline_is_over_all(model_server: FakeModelServer) -> None:
    begun = Reply(headers=EVENTS, pieces=[chunk({"content": '{"name"'})], end="hang")
    model_server.replies += [PROBED, begun]
    settings = Settings(
        model_id=MODEL_ID, dmr_base_url=model_server.base_url, structured_seconds=2.5
    )
    with running_api(settings) as url:
        status, reply = post(url, asked())
    assert (status, reply["error"]["code"]) == (504, "model_server_timeout")
    assert reply["error"]["text"].startswith("{")
    assert model_server.chats[1].left.wait(5)


def test_the_doors_own_errors_are_told_as_by_the_door(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBED, replay("err-overflow")]
    status, reply = post(api_url, asked())
    assert (status, reply["error"]["code"]) == (400, "context_length_exceeded")


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
def test_a_schema_that_cannot_be_used_is_a_422_before_the_model_is_asked(
    schema: Any, code: str, pointer: str, api_url: str, model_server: FakeModelServer
) -> None:
    status, reply = post(api_url, asked(schema))
    assert (status, reply["error"]["code"]) == (422, code)
    assert (reply["error"]["param"], reply["error"]["pointer"]) == ("response_format", pointer)
    assert not model_server.chats


@pytest.mark.parametrize(
    "wrong",
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
def test_a_request_that_says_no_or_two_forms_is_refused(
    wrong: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    status, reply = post(api_url, asked() | wrong)
    assert (status, reply["error"]["code"]) == (400, "invalid_request")
    assert not model_server.chats


def test_a_registered_type_is_asked_for_by_its_name(
    api_url: str, model_server: FakeModelServer
) -> None:
    fits = '{"label": "positive", "score": 0.9, "reason": "praise"}'
    model_server.replies += [PROBED, said(fits)]
    body = asked() | {"response_format": None, "response_type": "sentiment"}
    status, reply = post(api_url, body)
    assert (status, reply["parsed"]["label"]) == (200, "positive")
    listed = httpx.get(f"{api_url}/structured/types").json()["data"]
    assert {one["name"] for one in listed} >= {"recipe", "event", "contact", "invoice", "sentiment"}
    assert all(one["schema"]["type"] == "object" and one["description"] for one in listed)


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
def test_no_schema_reaches_the_model_server_unseen_by_chat_either(
    body: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    messages = [{"role": "user", "content": "Hello"}]
    answer = httpx.post(f"{api_url}/chat", json={"messages": messages} | body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"].startswith("schema_")
    assert not model_server.chats


# With the real model


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with running_engine() as engine:
        yield engine


@pytest.fixture
def real(engine: EngineProcess) -> Iterator[str]:
    with running_api(Settings(model_id=MODEL_ID, dmr_base_url=engine.base_url)) as url:
        yield url


@pytest.mark.parametrize("name", ["recipe", "event", "contact", "invoice", "sentiment"])
def test_each_registered_type_is_filled_by_the_real_model(name: str, real: str) -> None:
    messages = [{"role": "user", "content": "Invoice 7 of 2026-03-01 to Ann: 2 teas at 1.50."}]
    body = {"messages": messages, "response_type": name, "max_tokens": 300, "seed": 3}
    status, reply = post(real, body)
    assert status == 200, reply
    assert reply["has_grammar"] is True


def test_schemas_that_kill_a_model_server_leave_it_alive(real: str) -> None:
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
    status, _ = post(real, asked(schema, max_tokens=60))
    assert status == 200
    answer = httpx.post(f"{real}/chat", json=asked(schema), timeout=60)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"].startswith("schema_")
    assert post(real, asked(max_tokens=60))[0] == 200
