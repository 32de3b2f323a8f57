"""Where model servers put the reasons of their errors."""

import json
import time
from typing import Any

import pytest

from backend.model_server.error_mapping.body import read_error_body

REASON = "This is the reason"
EXTRA = {
    "type": "extra_forbidden",
    "loc": ["body", "seed"],
    "msg": "Extra inputs are not permitted",
}
TOO_LARGE = {"type": "less_than", "loc": ["body", "top_p"], "msg": "Input should be less than 1"}
OPENAI = {"error": {"message": REASON, "type": "invalid_request_error", "param": None, "code": 4}}
PLACES: dict[str, Any] = {
    "openai": OPENAI,
    "ollama": {"error": REASON},
    "vllm": {"object": "error", "message": REASON, "type": "BadRequestError", "code": 400},
    "anthropic": {"type": "error", "error": {"type": "api_error", "message": REASON}},
    "google": [{"error": {"code": 400, "message": REASON, "status": "INVALID_ARGUMENT"}}],
    "fastapi text": {"detail": REASON},
    "fastapi object": {"detail": {"error": {"message": REASON}}},
    "mistral": {"object": "error", "message": {"detail": [{"msg": REASON}]}, "type": "x"},
    "rfc 9457": {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": REASON},
    "rfc 9457 title": {"title": REASON, "status": 400},
    "errors": {"success": False, "errors": [{"code": 7000, "message": REASON}]},
    "errors as texts": {"errors": [REASON]},
    "errors by field": {"errors": {"": [REASON]}},
    "error list": {"error": [{"message": REASON}]},
    "error list of texts": {"error": [REASON]},
    "root list": [{"message": REASON}],
    "root list of texts": [REASON],
    "root text": REASON,
    "oauth": {"error": "invalid_request", "error_description": REASON},
    "nest": {"statusCode": 400, "error": "Bad Request", "message": [REASON]},
    "spring": {"status": 400, "error": "Bad Request", "message": REASON, "path": "/v1/chat"},
    "msg": {"code": 20015, "msg": REASON, "data": None},
    "fault": {"fault": {"faultstring": REASON, "detail": {"errorcode": "x"}}},
    "aws": {"__type": "ValidationException", "Message": REASON},
    "camel case": {"errorMessage": REASON},
    "responses api": {"type": "response.failed", "response": {"error": {"message": REASON}}},
    "json in text": {"error": {"message": json.dumps(OPENAI)}},
    "json in json in text": {"error": json.dumps({"error": json.dumps(OPENAI)})},
    "json after words": {"error": f"upstream said 400: {json.dumps(OPENAI)} (request id: 7)"},
    "python in text": {"message": f"Error code: 400 - {OPENAI}"},
    "openrouter": {
        "error": {"message": "", "code": 400, "metadata": {"raw": json.dumps(OPENAI)}},
    },
}


def read(payload: object) -> list[str]:
    return [str(reason) for reason in read_error_body(json.dumps(payload).encode()).reasons]


@pytest.mark.parametrize("place", PLACES)
def test_reason_is_found(place: str) -> None:
    assert read(PLACES[place]) == [REASON]


@pytest.mark.parametrize(
    "body",
    [
        b"This is the reason\n",
        b"\xef\xbb\xbf" + json.dumps(OPENAI).encode(),
        b"event: error\ndata: " + json.dumps(OPENAI).encode() + b"\n\n",
        b"data: " + json.dumps(OPENAI).encode() + b"\n\ndata: [DONE]\n\n",
        b'{"error":{"message":"This is the reason","type":"cut o',
        b'{"detail":"This is the reason","x":"' + b"1" * 500_000 + b'"}',
        b'{"detail":"This is the reason","x":"\\ud83d"}',
    ],
    ids=["text", "byte order mark", "named event", "event", "cut", "long", "half a character"],
)
def test_reason_is_found_in_other_bodies(body: bytes) -> None:
    assert [str(reason) for reason in read_error_body(body).reasons] == [REASON]


@pytest.mark.parametrize(
    ("payload", "reasons", "param"),
    [
        ({"detail": [EXTRA]}, ["seed: Extra inputs are not permitted"], "seed"),
        (
            {"detail": [EXTRA, TOO_LARGE]},
            ["seed: Extra inputs are not permitted", "top_p: Input should be less than 1"],
            None,
        ),
        ({"detail": [EXTRA | {"loc": ["body"]}]}, ["Extra inputs are not permitted"], None),
        (
            {"detail": [EXTRA | {"loc": ["body", "messages", 0, "content"], "msg": "Required"}]},
            ["messages.0.content: Required"],
            "messages.0.content",
        ),
        (
            {
                "detail": [
                    EXTRA | {"loc": ["body", "messages", 0, "content", "str"], "msg": "Not a str"},
                    EXTRA
                    | {"loc": ["body", "messages", 0, "content", "list[x]"], "msg": "No list"},
                ]
            },
            ["messages.0.content.str: Not a str", "messages.0.content: No list"],
            "messages",
        ),
        (
            {"object": "error", "message": {"detail": [EXTRA]}},
            ["seed: Extra inputs are not permitted"],
            "seed",
        ),
        (
            {
                "message": str(
                    [EXTRA | {"loc": ("body", "seed"), "ctx": {"error": ValueError("x")}}]
                )
            },
            ["seed: Extra inputs are not permitted"],
            "seed",
        ),
        (
            {
                "message": "1 validation error for ChatCompletionRequest\nseed\n  Extra inputs are "
                "not permitted [type=extra_forbidden, input_value={'top_p': 1}, input_type=int]\n"
                "    For further information visit https://errors.pydantic.dev/2.10/v/x"
            },
            ["seed: Extra inputs are not permitted"],
            "seed",
        ),
        (
            {"detail": "messages -> 0 -> role\n  field required (type=value_error.missing)"},
            ["messages.0.role: field required"],
            "messages.0.role",
        ),
        ({"error": {"message": "It is wrong", "param": "seed"}}, ["seed: It is wrong"], "seed"),
        ({"error": {"message": "seed is wrong", "param": "seed"}}, ["seed is wrong"], "seed"),
        ({"error": {"code": "unknown_parameter", "param": "seed"}}, [], "seed"),
        ({"error": {"message": "It is wrong", "param": "400"}}, ["It is wrong"], None),
        ({"error": {"message": "It is wrong", "param": "/etc x"}}, ["It is wrong"], None),
        ({"max_tokens": ["Not a number."]}, ["max_tokens: Not a number."], "max_tokens"),
        (
            {"title": "One or more faults.", "errors": {"seed": ["Not a number."]}},
            ["One or more faults.", "seed: Not a number."],
            "seed",
        ),
        (
            {"detail": "Invalid.", "errors": [{"detail": "too large", "pointer": "#/top_p"}]},
            ["Invalid.", "top_p: too large"],
            "top_p",
        ),
        (
            {"errors": [{"path": ["stop", 2], "message": "Required"}]},
            ["stop.2: Required"],
            "stop.2",
        ),
    ],
)
def test_fields_are_named(payload: object, reasons: list[str], param: str | None) -> None:
    assert read(payload) == reasons
    assert read_error_body(json.dumps(payload).encode()).param == param


def test_reasons_are_few_and_each_is_given_once() -> None:
    assert read({"error": {"message": REASON}, "message": REASON}) == [REASON]
    assert len(read({"detail": [{"msg": f"reason {number}"} for number in range(1000)]})) == 5


@pytest.mark.parametrize("value", [None, 7, True, [], {}, "", " ", [None], {"a": 1}, {"a": "b c"}])
def test_body_without_a_reason_has_none(value: object) -> None:
    assert read({"error": {"message": value}}) == []


def test_text_has_names_and_decoded_strings() -> None:
    body = (
        rb'{"error":{"message":"\u0027max_tokens\u0027 no","param":"n"},"errors":{"top_k":["x"]}}'
    )
    assert read_error_body(body).text.split("\n") == [
        *("error", "message", "'max_tokens' no", "param", "n", "errors", "top_k", "x"),
    ]


@pytest.mark.parametrize(
    "payload",
    [
        {"detail": [EXTRA | {"input": {"max_tokens": 1}}]},
        {"detail": "Wrong", "body": {"max_tokens": 1}},
        {"error": {"message": "Wrong", "failed_generation": "max_tokens"}},
        {"message": f"{[EXTRA | {'input': {'max_tokens': 1}}]}"},
        {"message": "seed\n  Wrong [type=x, input_value={'max_tokens': 1}, input_type=dict]"},
    ],
)
def test_text_omits_what_the_server_quotes_from_the_request(payload: object) -> None:
    assert "max_tokens" not in read_error_body(json.dumps(payload).encode()).text


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"error":' * 20_000,
        b'{"error":' * 150 + b'{"message":"deep"}' + b"}" * 150,
        b'{"error":[' * 60 + b"1" + b"]}" * 60,
        json.dumps({"message": "{'" * 20_000}).encode(),
        json.dumps({"message": "{'" + "\\'" * 20_000}).encode(),
        json.dumps({"message": '{"' + '\\"' * 20_000 + "}"}).encode(),
        json.dumps({"message": "{'a': f(" + "g(" * 5000 + "}"}).encode(),
        json.dumps({"message": "a\n  b" * 10_000}).encode(),
        json.dumps({"detail": [{"loc": ["body", ["x"] * 1000], "msg": "a"}] * 1000}).encode(),
        json.dumps([[[["x y"] * 50] * 10] * 10]).encode(),
        b"\xff" * 400_000,
        b"",
    ],
)
def test_hostile_body_is_read_fast(body: bytes) -> None:
    start = time.perf_counter()
    said = read_error_body(body)
    assert len(said.reasons) <= 5
    assert len(said.text) <= 10_000
    assert said.param is None
    assert said.counts == {}
    assert time.perf_counter() - start < 1
