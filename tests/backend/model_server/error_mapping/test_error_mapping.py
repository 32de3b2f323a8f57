"""Error mapping of responses that were not recorded; see `test_recorded_errors` for the others."""

import json

import pytest

from backend.errors import InvalidRequestError
from backend.model_server.error_mapping.mapping import error_from_response, log_and_map_error
from tests.support.fake_model_server import replay


def test_context_length_error_has_its_numbers() -> None:
    reply = replay("err-overflow")
    error = error_from_response(reply.status, reply.chunks[0]).payload()["error"]
    assert (error["n_prompt_tokens"], error["n_ctx"]) == (9031, 8192)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (503, b'{"error":{"message":"Loading model","code":503}}', "model_loading"),
        (404, b'{"error":{"message":"model \'x\' not found"}}', "model_not_found"),
        (
            500,
            b'{"error":{"message":"Jinja Exception: System role not supported"}}',
            "invalid_request",
        ),
        (
            400,
            b'{"error":{"message":"JSON schema error at #: unrecognized type"}}',
            "invalid_request",
        ),
        (500, b"unable to load runner: not enough GPU memory", "model_load_failed"),
        (
            500,
            b'{"error":{"message":"Failed to parse messages: key \'text\' not found"}}',
            "invalid_request",
        ),
        (404, b'{"error":{"message":"The model `x` does not exist."}}', "model_not_found"),
        (404, b'{"error":{"message":"nope","code":"model_not_found"}}', "model_not_found"),
        (500, b'{"error":{"message":"model: the tool was not found"}}', "model_server_failed"),
        (500, b'{"error":{"message":"Unknown reasoning format: x"}}', "invalid_request"),
        (
            500,
            b'{"error":{"message":"Cannot use both json_schema and grammar"}}',
            "invalid_request",
        ),
        (
            500,
            b'{"error":{"message":"Cannot use custom grammar constraints with tools."}}',
            "invalid_request",
        ),
        (
            500,
            b'{"error":{"message":"Failed to initialize samplers: failed to parse grammar"}}',
            "invalid_request",
        ),
        (
            400,
            b'{"error":{"message":"This model\'s maximum context length is 8 tokens"}}',
            "context_length_exceeded",
        ),
        (429, b"", "too_many_requests"),
        (408, b"", "too_many_requests"),
        (None, b'{"message": "boom"}', "model_server_failed"),
        (400, b'{"error": {"n_prompt_tokens": true, "n_ctx": 8}}', "context_length_exceeded"),
        (401, b"", "model_server_failed"),
        (500, b"", "model_server_failed"),
        (502, b"<html>Bad Gateway</html>", "model_server_failed"),
        (302, b"", "model_server_failed"),
        (400, b'{"error": "a plain string"}', "invalid_request"),
        (400, b'{"error": {"message": null}}', "invalid_request"),
        (400, b"\xff\xfe[1, 2", "invalid_request"),
        (400, b"[" * 100_000, "invalid_request"),
    ],
)
def test_error_response_has_the_code(status: int | None, body: bytes, code: str) -> None:
    assert error_from_response(status, body).code == code


@pytest.mark.parametrize("message", [None, ["a", "b"], {"a": 1}, 7])
def test_message_that_is_not_a_string_is_omitted(message: object) -> None:
    error = error_from_response(400, json.dumps({"error": {"message": message}}).encode())
    assert error.message == "The model server rejected the request."


@pytest.mark.parametrize(
    "secret",
    [
        "/home/ann/models/tiny.gguf failed",
        "C:\\models\\x",
        "0.00.728.681 I slot print_timing",
        "file=/home/ann/x",
        "`/home/ann/x`",
        "file:///home/ann/x",
        "models/bundles/sha256",
        "slot launch_slot_: id 0 | task 12",
        "<html>",
        "/etc",
        "models/x.bin",
        "db.internal:5432",
        "[::1]:80",
        "\x1b[31m",
        "a\x00b",
    ],
)
def test_reason_with_a_path_or_log_line_is_omitted(secret: str) -> None:
    error = error_from_response(
        400, json.dumps({"error": {"message": f"failed: {secret}"}}).encode()
    )
    assert secret not in error.message


def test_crash_of_a_runner_is_logged_in_full(caplog: pytest.LogCaptureFixture) -> None:
    body = b"llama.cpp terminated unexpectedly: 0.00.728 I slot print_timing\nbroken"
    error = log_and_map_error(500, body)
    assert "broken" not in error.message
    assert r"print_timing\nbroken" in caplog.text


def test_other_error_bodies_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    log_and_map_error(500, b'{"error":{"message":"Failed to parse tools: my secret"}}')
    log_and_map_error(400, b"my secret")
    log_and_map_error(500, b'{"error":{"message":"Failed to parse input at pos 3: my secret"}}')
    log_and_map_error(None, b'{"error":{"message":"my secret"}}')
    assert "my secret" not in caplog.text


def test_reason_omits_what_it_quotes_from_the_request() -> None:
    error = error_from_response(
        500, b"Failed to parse tools: Missing tool type: 5; tools = [\n  5\n]"
    )
    assert error.message.endswith("Failed to parse tools: Missing tool type: 5.")


@pytest.mark.parametrize(
    "body", [b"<p>model</p>\n" * 500_000, b'{"error":{"message":"' + b"1" * 5_000_000 + b'"}}']
)
def test_long_error_body_is_truncated_before_matching(body: bytes) -> None:
    """Matching it in full would take hours."""
    for status in (400, 404):
        assert len(error_from_response(status, body).message) < 400


def test_context_length_error_omits_numbers_out_of_range() -> None:
    for digits in (b"1" * 400, b"1" * 4300, b"-1"):
        body = b'{"error":{"n_prompt_tokens":%b,"n_ctx":8}}' % digits
        error = error_from_response(400, body).payload()["error"]
        assert error["code"] == "context_length_exceeded"
        assert "n_prompt_tokens" not in error


def test_reason_is_one_short_line() -> None:
    error = error_from_response(400, b"first line\n" + b"x" * 10_000)
    assert error.message == "The model server rejected the request: first line."
    assert len(error_from_response(400, b"x" * 10_000).message) < 400


def test_refusal_is_kept_by_a_copy_and_never_sent() -> None:
    body = b'{"error":{"message":"Unsupported parameter","param":"max_tokens"}}'
    error = error_from_response(400, body).copy_with(attempts=[])
    assert isinstance(error, InvalidRequestError)
    assert "max_tokens" in error.refusal
    assert "refusal" not in json.dumps(error.payload())
