"""Each model server's words for a prompt that is too long, and similar words for other faults."""

import json
import time

import pytest

from backend.errors import ContextLengthExceededError
from backend.model_server.error_mapping.context_overflow import context_overflow
from backend.model_server.error_mapping.mapping import error_from_response
from tests.support.paths import DATA

# Of each server, its words and the numbers in them; `server` is null for words of other faults.
CASES = [json.loads(line) for line in (DATA / "context_overflows.jsonl").read_text().splitlines()]
OVERFLOWS = {case["server"]: case for case in CASES if case["server"]}
OTHERS = [case["text"] for case in CASES if not case["server"]]


def numbers_of(case: str) -> dict[str, int]:
    """Return the numbers of a case that its text has."""
    numbers = {name: OVERFLOWS[case][name] for name in ("n_prompt_tokens", "n_ctx")}
    return {name: number for name, number in numbers.items() if number is not None}


@pytest.mark.parametrize("case", OVERFLOWS)
def test_overflow_is_recognized_with_its_numbers(case: str) -> None:
    error = context_overflow(OVERFLOWS[case]["text"], {})
    assert error is not None
    numbers = numbers_of(case)
    assert error.details == numbers
    assert error.param == "messages"
    assert ("tokens, limit" in error.message) == (len(numbers) == 2)


@pytest.mark.parametrize("text", OTHERS)
def test_other_fault_is_not_an_overflow(text: str) -> None:
    assert context_overflow(text, {}) is None


@pytest.mark.parametrize("status", [400, 413, 422, 500, 503, None])
@pytest.mark.parametrize("case", ["vLLM", "LM Studio event", "Anthropic", "llama.cpp", "TGI"])
def test_overflow_is_recognized_at_any_status(status: int | None, case: str) -> None:
    text = OVERFLOWS[case]["text"]
    body = json.dumps({"error": {"message": text}, "message": text}).encode()
    error = error_from_response(status, body)
    assert (error.status, error.code) == (400, "context_length_exceeded")
    assert error.details == numbers_of(case)


@pytest.mark.parametrize(
    "text",
    [
        (
            "maximum context length is 512 tokens. However, you requested 1024 output tokens and "
            "your prompt contains at least 20 input tokens, for a total of at least 1044 tokens."
        ),
        (
            "'max_tokens' is too large: 1024. This model's maximum context length is 512 tokens "
            "and your request has 20 input tokens (1024 > 512 - 20)."
        ),
        (
            "This model's maximum context length is 512 tokens. However, you requested 1044 tokens "
            "(20 in the messages, 1024 in the completion)."
        ),
        "input length and `max_tokens` exceed context limit: 20 + 1024 > 512",
        "`inputs` tokens + `max_new_tokens` must be <= 512. Given: 20 `inputs` tokens and 1024 `m`",
    ],
    ids=["vllm", "older vllm", "openai", "anthropic", "tgi"],
)
def test_prompt_that_fits_without_max_tokens_is_about_max_tokens(text: str) -> None:
    error = context_overflow(text, {})
    assert isinstance(error, ContextLengthExceededError)
    assert error.details == {"n_prompt_tokens": 20, "n_ctx": 512}
    assert error.param == "max_tokens"
    assert "together with max_tokens (20 tokens, limit 512). Lower max_tokens" in error.message


@pytest.mark.parametrize(
    "text",
    [
        (
            "max_tokens=5000 cannot be greater than max_model_len=512. Please request fewer output "
            "tokens."
        ),
        "max_completion_tokens is too large: it exceeds the maximum context length of 512",
    ],
)
def test_max_tokens_beyond_the_context_is_about_max_tokens(text: str) -> None:
    error = context_overflow(text, {})
    assert isinstance(error, ContextLengthExceededError)
    assert error.param == "max_tokens"


def test_numbers_of_their_own_fields_replace_those_in_the_text() -> None:
    error = context_overflow("request (1 tokens) exceeds the available context size", {"n_ctx": 8})
    assert error is not None
    assert error.details == {"n_prompt_tokens": 1, "n_ctx": 8}


@pytest.mark.parametrize(
    "text",
    [
        "maximum context length is " + "9" * 9000,
        "exceeds " * 2500,
        "prompt (" * 2500,
        "model " + "a" * 20_000,
        "input " * 3000 + "tokens",
        "1," * 10_000,
    ],
)
def test_hostile_text_is_matched_fast(text: str) -> None:
    start = time.perf_counter()
    error = context_overflow(text[:10_000], {})
    assert time.perf_counter() - start < 0.5
    assert error is None or "n_ctx" not in error.details
