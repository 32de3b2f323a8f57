import json
from typing import Any

import pytest

from backend.completions.receipt import UsageTracker
from tests.support.fake_model_server import replay

NUMBERS = ("prompt_tokens", "completion_tokens", "cached_tokens", "prompt_tokens_per_second")


def observed(*chunks: bytes, **options: Any) -> UsageTracker:
    usage = UsageTracker("ai/smollm2", **options)
    for chunk in chunks:
        usage.observe(chunk)
    return usage


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def test_receipt_of_a_recorded_stream_has_the_counts_of_its_timings() -> None:
    receipt = observed(*replay("stream").chunks, seed=3).receipt()
    timings = json.loads(replay("stream").chunks[-2][6:])["timings"]
    prompt_tokens = timings["prompt_n"] + timings["cache_n"]
    assert receipt.prompt_tokens == prompt_tokens
    assert receipt.completion_tokens == timings["predicted_n"]
    assert receipt.context_tokens == prompt_tokens + timings["predicted_n"]
    assert (receipt.finish_reason, receipt.seed) == ("length", 3)
    assert receipt.first_token_ms is not None


def test_receipt_of_a_recorded_stream_with_usage_has_its_counts() -> None:
    receipt = observed(*replay("stream-usage").chunks).receipt()
    usage = json.loads(replay("stream-usage").chunks[-2][6:])["usage"]
    assert receipt.prompt_tokens == usage["prompt_tokens"]
    assert receipt.completion_tokens == usage["completion_tokens"]


def test_receipt_of_a_recorded_completion_has_no_first_token_time() -> None:
    usage = UsageTracker("ai/smollm2")
    usage.update(json.loads(replay("chat").chunks[0]))
    assert usage.receipt().first_token_ms is None
    assert usage.receipt().completion_tokens


def test_receipt_fields_that_the_server_does_not_report_are_null() -> None:
    delta = {"role": "assistant", "content": "Hi"}
    choice = {"index": 0, "delta": delta, "finish_reason": "stop"}
    receipt = observed(event(choices=[choice])).receipt()
    assert all(getattr(receipt, name) is None for name in NUMBERS)
    assert receipt.context_tokens is None
    assert receipt.context_size is None
    assert receipt.total_ms >= 0


def test_role_and_progress_do_not_count_as_the_first_token() -> None:
    empty_stream = replay("stream-return-progress").chunks  # a completion without content
    assert observed(*empty_stream).receipt().first_token_ms is None
    chunks = replay("stream").chunks
    first = next(index for index, chunk in enumerate(chunks) if b'"content":"' in chunk)
    assert observed(*chunks[:first]).first_token_seconds is None
    assert observed(*chunks[: first + 1]).first_token_seconds is not None


@pytest.mark.parametrize("delta", [{"reasoning_content": "x"}, {"tool_calls": [{"index": 0}]}])
def test_reasoning_and_tool_calls_count_as_the_first_token(delta: dict[str, Any]) -> None:
    chunk = event(choices=[{"index": 0, "delta": delta}])
    assert observed(chunk).first_token_seconds is not None


def test_receipt_of_a_single_token_has_no_speed() -> None:
    usage = UsageTracker("ai/smollm2")
    usage.update(json.loads(replay("chat-max-tokens-1").chunks[0]))
    receipt = usage.receipt()
    assert receipt.completion_tokens == 1
    assert receipt.completion_tokens_per_second is None


def test_receipt_of_several_choices_has_no_counts_of_a_single_one() -> None:
    """The server counts only one of them."""
    usage = UsageTracker("ai/smollm2", choices=2)
    usage.update(json.loads(replay("chat-n-2").chunks[0]))
    receipt = usage.receipt()
    assert receipt.prompt_tokens
    assert receipt.prompt_ms is None
    assert receipt.completion_tokens is None
    assert receipt.completion_tokens_per_second is None
    assert receipt.finish_reason is None


def test_malformed_usage_and_timings_are_ignored() -> None:
    malformed = {"prompt_tokens": -1, "completion_tokens": True, "prompt_tokens_details": 7}
    timings = {"predicted_per_second": "fast", "prompt_per_second": 1e999, "cache_n": 1.5}
    choices = [{"finish_reason": 7, "delta": []}, "x"]
    usage = UsageTracker("ai/smollm2")
    usage.update({"usage": malformed, "timings": timings, "choices": choices})
    usage.update({"usage": "x", "timings": [], "choices": {}})
    receipt = usage.receipt()
    assert all(getattr(receipt, name) is None for name in (*NUMBERS, "context_tokens"))
    assert receipt.finish_reason is None


def test_receipt_has_the_last_usage_of_the_stream() -> None:
    first, last = {"prompt_tokens": 1}, {"prompt_tokens": 3, "completion_tokens": 2}
    usage = observed(
        event(choices=[{"finish_reason": "stop"}], usage=first),
        event(choices=[], usage=last),
        event(choices=[], timings={"cache_n": 1}),
        b": ping\n\n",
        b": ping\n\n",
        b"data: [DONE]\n\n",
    )
    receipt = usage.receipt()
    assert (receipt.prompt_tokens, receipt.completion_tokens) == (3, 2)
    assert (receipt.cached_tokens, receipt.finish_reason) == (1, "stop")


def test_empty_finish_reason_is_null() -> None:
    assert observed(event(choices=[{"finish_reason": ""}])).receipt().finish_reason is None


@pytest.mark.parametrize("number", [10**400, 2**63, -(10**400)])
def test_numbers_over_63_bits_are_null(number: int) -> None:
    usage = UsageTracker("ai/smollm2")
    counts = {"prompt_tokens": number, "completion_tokens": number}
    timings = {"predicted_per_second": number, "prompt_per_second": number, "cache_n": number}
    usage.update({"usage": counts, "timings": timings})
    receipt = usage.receipt()
    assert all(getattr(receipt, name) is None for name in NUMBERS)
