"""One answer: what each attempt sends to constrain the model, and what follows a refusal."""

import json
from typing import Any

import pytest

from tests.support.fake_model_server import FakeModelServer, replay
from tests.support.structured_requests import (
    ANN,
    PROBE_PASSED,
    post,
    stream_text,
    structured_request,
)

REFUSED = replay("grammar-bad")


@pytest.fixture
def model_server(model_server: FakeModelServer) -> FakeModelServer:
    model_server.takes_grammar = True
    model_server.replies.append(PROBE_PASSED)
    return model_server


def sent_bodies(model_server: FakeModelServer) -> list[dict[str, Any]]:
    """Return the requests after the probe."""
    return [chat.body for chat in model_server.chat_requests[1:]]


def test_grammar_of_the_narrowed_schema_is_sent(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_text(ANN))
    status, response = post(api_url, structured_request(max_tokens=50))
    assert (status, response["has_grammar"]) == (200, True)
    [body] = sent_bodies(model_server)
    assert "response_format" not in body
    assert body["grammar"].startswith("root ::= ")
    for name in response["answers"][0]["sent"]["schema"]["properties"]:
        assert json.dumps(name).replace('"', '\\"') in body["grammar"]


def test_answer_under_a_grammar_is_validated(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [stream_text('{"name": "Ann", "age": -1}'), stream_text(ANN)]
    status, response = post(api_url, structured_request())
    assert (status, len(response["answers"][0]["attempts"])) == (200, 2)


def test_truncated_answer_is_retried_with_a_narrower_grammar(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_text('{"name": "An', "length"), stream_text(ANN)]
    assert post(api_url, structured_request())[0] == 200
    first, second = sent_bodies(model_server)
    assert first["grammar"] != second["grammar"]


def test_refused_grammar_is_replaced_by_the_schema_for_this_request_only(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [REFUSED, stream_text("{}"), stream_text(ANN), stream_text(ANN)]
    status, response = post(api_url, structured_request())
    assert (status, len(response["answers"][0]["attempts"])) == (200, 2)
    assert post(api_url, structured_request())[0] == 200
    sent = ["grammar" in body for body in sent_bodies(model_server)]
    assert sent == [True, False, False, True]
    assert all("grammar" in body or "response_format" in body for body in sent_bodies(model_server))


def test_schema_that_is_refused_after_the_grammar_is_an_error(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [REFUSED, REFUSED]
    status, response = post(api_url, structured_request())
    assert (status, response["error"]["code"]) == (400, "invalid_request")
    assert len(sent_bodies(model_server)) == 2


def test_refusal_for_another_reason_is_not_tried_without_the_grammar(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("err-overflow"))
    status, response = post(api_url, structured_request())
    assert (status, response["error"]["code"]) == (400, "context_length_exceeded")
    assert len(sent_bodies(model_server)) == 1


def test_schema_whose_grammar_is_too_large_is_sent_itself(
    api_url: str, model_server: FakeModelServer
) -> None:
    long = {"type": "string", "minLength": 950}
    model_server.replies.append(stream_text(json.dumps("a" * 960)))
    assert post(api_url, structured_request(long, max_tokens=2000))[0] == 200
    [body] = sent_bodies(model_server)
    assert "grammar" not in body
    assert body["response_format"]["json_schema"]["schema"]["minLength"] == 950
