import json
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

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


def text_event(text: str, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return event(choices=[choice])


def observed_at(times: Sequence[float], chunks: Sequence[bytes], usage: UsageTracker) -> None:
    """Observe each chunk at its time in seconds after the start."""
    start = usage.started_at
    for seconds, chunk in zip(times, chunks, strict=True):
        with patch("backend.completions.receipt.time.monotonic", return_value=start + seconds):
            usage.observe(chunk)


def test_speed_is_measured_here_where_the_server_reports_only_usage() -> None:
    usage = UsageTracker("m")
    counts = {"prompt_tokens": 5, "completion_tokens": 11}
    chunks = [text_event("a"), text_event("b"), event(choices=[], usage=counts)]
    observed_at([1, 3, 9], chunks, usage)
    receipt = usage.receipt()
    assert receipt.completion_tokens_per_second == 5  # ten tokens after the first, in two seconds
    assert (receipt.speed_source, receipt.text_chunks) == ("smolchat", None)


def test_speed_of_a_stopped_answer_counts_its_chunks() -> None:
    usage = UsageTracker("m")
    observed_at([1, 1.5, 2], [text_event(text) for text in "abc"], usage)
    receipt = usage.receipt()
    assert (receipt.completion_tokens, receipt.text_chunks) == (None, 3)
    assert (receipt.completion_tokens_per_second, receipt.speed_source) == (2, "smolchat")


@pytest.mark.parametrize(
    ("times", "texts"), [([1.0], "a"), ([1.0, 1.01], "ab"), ([1.0, 1.0, 1.0], "abc")]
)
def test_speed_is_null_if_there_was_too_little_to_measure(times: list[float], texts: str) -> None:
    usage = UsageTracker("m")
    observed_at(times, [text_event(text) for text in texts], usage)
    receipt = usage.receipt()
    assert (receipt.completion_tokens_per_second, receipt.speed_source) == (None, None)


def test_speed_of_the_server_is_preferred() -> None:
    usage = UsageTracker("m")
    timings = event(choices=[], timings={"predicted_per_second": 40.0, "predicted_n": 2})
    observed_at([1, 2, 3], [text_event("a"), text_event("b"), timings], usage)
    receipt = usage.receipt()
    assert (receipt.completion_tokens_per_second, receipt.speed_source) == (40, "model_server")


@pytest.mark.parametrize(
    ("finish_reason", "is_ignored"), [("stop", True), ("tool_calls", False), ("length", False)]
)
def test_tool_choice_that_the_server_ignored_is_a_warning(
    finish_reason: str, *, is_ignored: bool
) -> None:
    usage = observed(text_event("No.", finish_reason), requires_tool_call=True)
    warnings = usage.receipt().warnings
    assert ["ignored tool_choice" in warning for warning in warnings] == [True] * is_ignored
    assert observed(text_event("No.", finish_reason)).receipt().warnings == []


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
