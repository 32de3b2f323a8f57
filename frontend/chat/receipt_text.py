"""What an answer cost, in words: measured numbers and no others."""

from typing import Any

from api.chat_chunk import Receipt
from controls import parameters

NOT_MEASURED = "not measured"
CONTEXT_WARNING_SHARE = 0.8  # of the context: the next question may be the one that no longer fits
_HIDDEN_PARAMETERS = {"seed", "max_tokens", "logprobs", "top_logprobs"}  # left to the details
_SENT_CHARACTERS = 120
_DIGEST_CHARACTERS = len("sha256:") + 12  # as many as Docker shows
_ENDINGS = {
    "stop": "the model had said what it had to say",
    "length": "cut off at the token limit",
    "tool_calls": "the model wants to call a tool",
    "content_filter": "the model server held it back",
}
_STATES = {"stopped": "stopped", "interrupted": "interrupted", "failed": "broken off"}


def summary_line(
    receipt: Receipt, *, state: str | None, is_empty: bool, sent: dict[str, Any] | None = None
) -> str:
    """Say the most important in one line, with the parameters that were `sent`."""
    found = [(receipt.model or "").removeprefix("ai/")]
    if (speed := receipt.completion_tokens_per_second) is not None:
        found.append(f"{speed:.1f} tokens/s")
    if (first := receipt.first_token_ms) is not None:
        found.append(f"first token {first / 1000:.2f} s")
    found.append(_counted(receipt.prompt_tokens, "in"))
    found.append(_counted(receipt.completion_tokens, "out"))
    if (share := context_share(receipt)) is not None:
        found.append("context under 1%" if share < 0.01 else f"context {share:.0%}")
    found.append(_short_finish_label(receipt, state=state, is_empty=is_empty))
    found.append(_short_parameters(sent or {}))
    return " · ".join(part for part in found if part)


def detail_rows(
    receipt: Receipt, *, state: str | None, sent: dict[str, Any] | None, about: str
) -> list[tuple[str, str]]:
    """Say everything that can be measured; what was not is called so.

    `sent` are the parameters of the request, as far as they were kept.
    """
    new = _difference(receipt.prompt_tokens, receipt.cached_tokens)
    return [
        ("Model", receipt.model or NOT_MEASURED),
        ("Size, quantisation", about or NOT_MEASURED),
        ("Digest", (receipt.model_digest or NOT_MEASURED)[:_DIGEST_CHARACTERS]),
        ("Waiting in line", _seconds(receipt.queue_ms)),
        ("Loading the model", _seconds(receipt.load_ms)),
        ("Reading the prompt", _seconds(receipt.prompt_ms)),
        ("Prompt", _tokens(receipt.prompt_tokens)),
        ("… of it from the cache", _tokens(receipt.cached_tokens)),
        ("… of it read anew", _with_speed(new, receipt.prompt_tokens_per_second)),
        ("First token after", _seconds(receipt.first_token_ms)),
        (
            "Answer",
            _with_speed(receipt.completion_tokens, receipt.completion_tokens_per_second),
        ),
        ("All of it after", _seconds(receipt.total_ms)),
        ("Context", context_label(receipt)),
        ("Ended because", finish_label(receipt, state)),
        ("Seed", NOT_MEASURED if receipt.seed is None else str(receipt.seed)),
        ("Parameters sent", NOT_MEASURED if sent is None else parameters.summarize(sent) or "none"),
    ]


def context_label(receipt: Receipt) -> str:
    used, size = receipt.context_tokens, receipt.context_size
    if used is None:
        return NOT_MEASURED
    if size is None:
        return f"{used:,} tokens; its size was not told"
    return f"{used:,} of {size:,} tokens ({used / size:.0%})"


def context_share(receipt: Receipt | None) -> float | None:
    """Tell how much of the context is filled; nothing where it was not measured."""
    if receipt is None or receipt.context_tokens is None or not receipt.context_size:
        return None
    return min(1.0, receipt.context_tokens / receipt.context_size)


def finish_label(receipt: Receipt, state: str | None) -> str:
    reason = receipt.finish_reason
    if reason is None:
        return f"{_STATES[state]} before the model ended it" if state in _STATES else NOT_MEASURED
    return _ENDINGS.get(reason, f"the model server said {reason!r}")


def _short_finish_label(receipt: Receipt, *, state: str | None, is_empty: bool) -> str:
    if state in _STATES:
        return _STATES[state]
    if is_empty:
        return "the model wrote nothing"
    reason = receipt.finish_reason
    return "" if reason in (None, "stop") else _ENDINGS.get(reason, f"ended by {reason}")


def _short_parameters(sent: dict[str, Any]) -> str:
    told = {name: value for name, value in sent.items() if name not in _HIDDEN_PARAMETERS}
    described = parameters.summarize(told)
    if len(described) <= _SENT_CHARACTERS:
        return described
    return described[: _SENT_CHARACTERS - 1] + "…"


def _counted(tokens: int | None, way: str) -> str:
    return "" if tokens is None else f"{tokens:,} {way}"


def _tokens(count: int | None) -> str:
    if count is None:
        return NOT_MEASURED
    return "1 token" if count == 1 else f"{count:,} tokens"


def _with_speed(count: int | None, speed: float | None) -> str:
    at = "" if speed is None else f" at {speed:,.1f} tokens/s"
    return _tokens(count) + at


def _difference(all_of_it: int | None, part: int | None) -> int | None:
    return None if all_of_it is None or part is None else max(0, all_of_it - part)


def _seconds(ms: float | None) -> str:
    if ms is None:
        return NOT_MEASURED
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.2f} s"
