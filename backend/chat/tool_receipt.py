"""The usage and receipt of a turn with tools, summed over its model requests."""

import time
from typing import Any

from backend.completions.completion import Completion
from backend.completions.receipt import ToolReceipt
from backend.tools.model_answer import TurnContext


def turn_usage(context: TurnContext) -> dict[str, int] | None:
    """Return the `usage` of all requests, or None if some did not report theirs."""
    usages = [completion.usage for completion in _begun(context)]
    prompt = _sum([usage.prompt_tokens for usage in usages])
    completion = _sum([usage.completion_tokens for usage in usages])
    if prompt is None or completion is None:
        return None
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def turn_receipt(context: TurnContext) -> dict[str, Any]:
    """Return the receipt of a turn.

    Its tokens and times are those of all requests; its speed, context and finish reason are those
    of the last one.
    """
    begun = _begun(context)
    if not begun:
        return {}
    receipt = begun[-1].receipt()
    receipts = [completion.usage.receipt() for completion in begun]
    for name in ("prompt_tokens", "cached_tokens", "completion_tokens", "prompt_ms"):
        receipt[name] = _sum([getattr(each, name) for each in receipts])
    for name in ("queue_ms", "load_ms"):
        receipt[name] = sum(getattr(each, name) or 0 for each in receipts) or receipt[name]
    receipt["first_token_ms"] = receipts[0].first_token_ms
    receipt["total_ms"] = (time.monotonic() - context.started_at) * 1000
    receipt["tools"] = ToolReceipt(
        strategy=context.strategy,
        gate_score=context.score,
        attempts=context.attempts,
        problems=context.problems,
    ).model_dump()
    return receipt


def _begun(context: TurnContext) -> list[Completion]:
    return [completion for completion in context.completions if hasattr(completion, "usage")]


def _sum(values: list[Any]) -> Any:
    """Return the sum of values, or None if there are none or one is None."""
    return None if not values or None in values else sum(values)
