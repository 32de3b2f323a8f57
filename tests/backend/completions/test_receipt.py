"""What is read off an answer that passes by, and what stays unknown."""

import json
from typing import Any

import pytest

from backend.completions.receipt import UsageTracker
from tests.support.fake_model_server import replay

NUMBERS = ("prompt_tokens", "completion_tokens", "cached_tokens", "prompt_tokens_per_second")


def watched(*pieces: bytes, **known: Any) -> UsageTracker:
    watch = UsageTracker("ai/smollm2", **known)
    for piece in pieces:
        watch.observe(piece)
    return watch


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def test_a_recorded_stream_tells_its_numbers_in_its_timings() -> None:
    receipt = watched(*replay("stream").pieces, seed=3).receipt()
    last = json.loads(replay("stream").pieces[-2][6:])["timings"]
    assert receipt.prompt_tokens == last["prompt_n"] + last["cache_n"]
    assert receipt.completion_tokens == last["predicted_n"]
    assert receipt.context_tokens == last["prompt_n"] + last["cache_n"] + last["predicted_n"]
    assert (receipt.finish_reason, receipt.seed) == ("length", 3)
    assert receipt.first_token_ms is not None


def test_a_recorded_stream_with_usage_tells_the_same() -> None:
    receipt = watched(*replay("stream-usage").pieces).receipt()
    usage = json.loads(replay("stream-usage").pieces[-2][6:])["usage"]
    assert receipt.prompt_tokens == usage["prompt_tokens"]
    assert receipt.completion_tokens == usage["completion_tokens"]


def test_a_whole_recorded_answer_has_no_first_token() -> None:
    watch = UsageTracker("ai/smollm2")
    watch.update(json.loads(replay("chat").pieces[0]))
    assert watch.receipt().first_token_ms is None
    assert watch.receipt().completion_tokens


def test_what_a_server_does_not_tell_is_null() -> None:
    delta = {"role": "assistant", "content": "Hi"}
    choice = {"index": 0, "delta": delta, "finish_reason": "stop"}
    receipt = watched(event(choices=[choice])).receipt()
    assert all(getattr(receipt, name) is None for name in NUMBERS)
    assert receipt.context_tokens is None
    assert receipt.context_size is None
    assert receipt.total_ms >= 0


def test_a_role_or_progress_is_not_yet_a_token() -> None:
    silent = replay("stream-return-progress").pieces  # of an answer with nothing in it
    assert watched(*silent).receipt().first_token_ms is None
    pieces = replay("stream").pieces
    first = next(n for n, piece in enumerate(pieces) if b'"content":"' in piece)
    assert watched(*pieces[:first]).first_token_seconds is None
    assert watched(*pieces[: first + 1]).first_token_seconds is not None


@pytest.mark.parametrize("delta", [{"reasoning_content": "x"}, {"tool_calls": [{"index": 0}]}])
def test_a_thought_or_a_tool_call_is_a_token(delta: dict[str, Any]) -> None:
    told = event(choices=[{"index": 0, "delta": delta}])
    assert watched(told).first_token_seconds is not None


def test_one_token_leaves_no_speed() -> None:
    watch = UsageTracker("ai/smollm2")
    watch.update(json.loads(replay("chat-max-tokens-1").pieces[0]))
    receipt = watch.receipt()
    assert receipt.completion_tokens == 1
    assert receipt.completion_tokens_per_second is None


def test_of_several_answers_a_server_counts_one_only_so_none_is_told() -> None:
    watch = UsageTracker("ai/smollm2", choices=2)
    watch.update(json.loads(replay("chat-n-2").pieces[0]))
    receipt = watch.receipt()
    assert receipt.prompt_tokens
    assert receipt.prompt_ms is None
    assert receipt.completion_tokens is None
    assert receipt.completion_tokens_per_second is None
    assert receipt.finish_reason is None


def test_hostile_numbers_are_no_numbers() -> None:
    usage = {"prompt_tokens": -1, "completion_tokens": True, "prompt_tokens_details": 7}
    timings = {"predicted_per_second": "fast", "prompt_per_second": 1e999, "cache_n": 1.5}
    choices = [{"finish_reason": 7, "delta": []}, "x"]
    watch = UsageTracker("ai/smollm2")
    watch.update({"usage": usage, "timings": timings, "choices": choices})
    watch.update({"usage": "x", "timings": [], "choices": {}})
    receipt = watch.receipt()
    assert all(getattr(receipt, name) is None for name in (*NUMBERS, "context_tokens"))
    assert receipt.finish_reason is None


def test_the_last_numbers_count_wherever_they_come() -> None:
    early, late = {"prompt_tokens": 1}, {"prompt_tokens": 3, "completion_tokens": 2}
    watch = watched(
        event(choices=[{"finish_reason": "stop"}], usage=early),
        event(choices=[], usage=late),
        event(choices=[], timings={"cache_n": 1}),
        b": ping\n\n",
        b": ping\n\n",
        b"data: [DONE]\n\n",
    )
    receipt = watch.receipt()
    assert (receipt.prompt_tokens, receipt.completion_tokens) == (3, 2)
    assert (receipt.cached_tokens, receipt.finish_reason) == (1, "stop")


def test_an_empty_reason_is_none() -> None:
    assert watched(event(choices=[{"finish_reason": ""}])).receipt().finish_reason is None


@pytest.mark.parametrize("number", [10**400, 2**63, -(10**400)])
def test_a_number_that_nothing_holds_is_none(number: int) -> None:
    watch = UsageTracker("ai/smollm2")
    usage = {"prompt_tokens": number, "completion_tokens": number}
    timings = {"predicted_per_second": number, "prompt_per_second": number, "cache_n": number}
    watch.update({"usage": usage, "timings": timings})
    receipt = watch.receipt()
    assert all(getattr(receipt, name) is None for name in NUMBERS)
