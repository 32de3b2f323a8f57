"""What a client is told for each refusal that was recorded from a real Docker Model Runner."""

import json
import re
from pathlib import Path

import pytest

from backend.errors import SmolChatError
from backend.refusal import logged_refusal, refusal

RECORDINGS = Path(__file__).parent / "recordings"
LOG_OR_PATH = re.compile(r"/models/|\.gguf|0\.00\.|slot |sha256|json\.exception|Verbose")


def recorded(case: str) -> SmolChatError:
    response = json.loads((RECORDINGS / f"{case}.json").read_text())["response"]
    return refusal(response["status"], response["body"].encode())


@pytest.mark.parametrize(
    ("case", "status", "code", "told"),
    [
        ("err-overflow", 400, "context_length_exceeded", "9031 tokens, room for 8192"),
        ("err-overflow-stream", 400, "context_length_exceeded", "start a new chat"),
        ("err-model-not-pulled", 404, "model_not_found", "docker model pull"),
        ("err-image-to-text-model", 400, "invalid_request", "reads text only"),
        ("err-n-huge", 400, "invalid_request", "at most 4 answers at once"),
        ("err-temperature-string", 400, "invalid_request", "type must be number, but is string"),
        ("err-too-large", 400, "invalid_request", "request too large"),
        ("err-bad-json", 400, "invalid_request", "invalid request"),
        ("err-no-model", 400, "invalid_request", "model is required"),
        ("err-unknown-route", 502, "model_server_failed", "DMR_BASE_URL"),
        ("err-load-broken-file", 502, "model_server_failed", "damaged"),
        ("err-load-broken-file-stream", 502, "model_server_failed", "damaged"),
        ("runner-killed-non-stream", 502, "model_server_failed", "Try again"),
    ],
)
def test_a_recorded_refusal_is_told_in_our_words(
    case: str, status: int, code: str, told: str
) -> None:
    error = recorded(case)
    assert (error.status, error.code) == (status, code)
    assert told in error.message
    assert not LOG_OR_PATH.search(error.message)


def test_an_overflow_carries_its_numbers() -> None:
    error = recorded("err-overflow").body()["error"]
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
        (500, b"unable to load runner: not enough GPU memory", "model_server_failed"),
        (
            500,
            b'{"error":{"message":"Failed to parse messages: key \'text\' not found"}}',
            "invalid_request",
        ),
        (404, b'{"error":{"message":"The model `x` does not exist."}}', "model_not_found"),
        (404, b'{"error":{"message":"nope","code":"model_not_found"}}', "model_not_found"),
        (500, b'{"error":{"message":"model: the tool was not found"}}', "model_server_failed"),
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
def test_other_servers_refusals_are_understood(status: int | None, body: bytes, code: str) -> None:
    assert refusal(status, body).code == code


@pytest.mark.parametrize("message", [None, ["a", "b"], {"a": 1}, 7])
def test_a_message_that_is_no_text_is_not_told(message: object) -> None:
    error = refusal(400, json.dumps({"error": {"message": message}}).encode())
    assert error.message == "The model server refused the request."


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
    ],
)
def test_paths_and_log_lines_are_never_told(secret: str) -> None:
    error = refusal(400, json.dumps({"error": {"message": f"failed: {secret}"}}).encode())
    assert secret not in error.message


def test_what_was_said_is_in_our_own_log(caplog: pytest.LogCaptureFixture) -> None:
    error = logged_refusal(500, b"0.00.728 I slot print_timing\nbroken")
    assert "broken" not in error.message
    assert r"print_timing\nbroken" in caplog.text


def test_what_a_client_asked_is_not_in_our_log(caplog: pytest.LogCaptureFixture) -> None:
    logged_refusal(500, b'{"error":{"message":"Failed to parse tools: my secret"}}')
    logged_refusal(400, b"my secret")
    assert "my secret" not in caplog.text


def test_what_a_reason_quotes_of_the_request_is_left_out() -> None:
    error = refusal(500, b"Failed to parse tools: Missing tool type: 5; tools = [\n  5\n]")
    assert error.message.endswith("Failed to parse tools: Missing tool type: 5.")


def test_a_reason_is_one_short_line() -> None:
    error = refusal(400, b"first line\n" + b"x" * 10_000)
    assert error.message == "The model server refused the request: first line."
    assert len(refusal(400, b"x" * 10_000).message) < 400
