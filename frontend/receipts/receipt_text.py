"""The stats of an answer as text. What SmolChat measured or counted itself is marked with ≈."""

from typing import Any

from api.chat_chunk import Receipt
from controls import parameters

NOT_MEASURED = "n/a"
FILES = "files"  # answered without a model
SMOLCHAT = "smolchat"  # the speed was measured by the API
CONTEXT_WARNING_SHARE = 0.8  # of the context window: the next message may no longer fit
_HIDDEN_PARAMETERS = {"seed", "max_tokens", "logprobs", "top_logprobs"}  # only in the details
_PARAMETER_CHARACTERS = 120
_DIGEST_CHARACTERS = len("sha256:") + 12  # as many as Docker shows
_FINISH_LABELS = {
    "length": "token limit reached",
    "tool_calls": "tool call",
    "content_filter": "filtered by the model server",
}
_INCOMPLETE_STATES = ("stopped", "interrupted", "failed")


def summary_line(
    receipt: Receipt, *, state: str | None, is_empty: bool, sent: dict[str, Any] | None = None
) -> str:
    """Format the main stats and the `sent` parameters that are to be shown as one line."""
    if receipt.answered_by == FILES:
        return " · ".join(("no model was asked", _duration(receipt.total_ms)))
    model = (receipt.model or "").rpartition("/")[2]
    parts = [model, _short_finish_label(receipt, state=state, is_empty=is_empty)]
    if (speed := receipt.completion_tokens_per_second) is not None:
        about = "≈" if receipt.speed_source == SMOLCHAT else ""
        parts.append(f"{about}{speed:.1f} tokens/s")
    if (first := receipt.first_token_ms) is not None:
        parts.append(f"first token {first / 1000:.2f} s")
    parts.append(_token_counts(receipt))
    if (share := context_share(receipt)) is not None:
        parts.append("context <1%" if share < 0.01 else f"context {share:.0%}")
    parts.append(_short_parameters(sent or {}))
    return " · ".join(part for part in parts if part)


def detail_rows(
    receipt: Receipt, *, state: str | None, sent: dict[str, Any] | None, about: str
) -> list[tuple[str, str]]:
    """Return all stats as rows of name and value; what was not measured is n/a.

    `sent` are the parameters of the request, if they were stored.
    """
    processed = _difference(receipt.prompt_tokens, receipt.cached_tokens)
    return [
        ("Model", receipt.model or NOT_MEASURED),
        ("Model details", about or NOT_MEASURED),
        ("Digest", (receipt.model_digest or NOT_MEASURED)[:_DIGEST_CHARACTERS]),
        ("Queue time", _duration(receipt.queue_ms)),
        ("Load time", _duration(receipt.load_ms)),
        ("Prompt processing", _duration(receipt.prompt_ms)),
        ("Time to first token", _duration(receipt.first_token_ms)),
        ("Total time", _duration(receipt.total_ms)),
        ("Prompt", _tokens(receipt.prompt_tokens)),
        ("Cached", _tokens(receipt.cached_tokens)),
        ("Processed", _with_speed(processed, receipt.prompt_tokens_per_second)),
        ("Completion", _completion(receipt)),
        ("Speed measured by", _speed_source(receipt)),
        ("Context", context_label(receipt)),
        ("Finish reason", finish_label(receipt, state)),
        ("Seed", NOT_MEASURED if receipt.seed is None else str(receipt.seed)),
        ("Parameters sent", NOT_MEASURED if sent is None else parameters.summarize(sent) or "none"),
    ]


def context_label(receipt: Receipt) -> str:
    used, size = receipt.context_tokens, receipt.context_size
    if used is None:
        return NOT_MEASURED
    if size is None:
        return f"{used:,} tokens (context size unknown)"
    return f"{used:,} of {size:,} tokens ({used / size:.0%})"


def context_share(receipt: Receipt | None) -> float | None:
    """Return the used share of the context window, or None if it was not measured."""
    if receipt is None or receipt.context_tokens is None or not receipt.context_size:
        return None
    return min(1.0, receipt.context_tokens / receipt.context_size)


def finish_label(receipt: Receipt, state: str | None) -> str:
    reason = receipt.finish_reason
    if reason is None:
        return f"{state} before finishing" if state in _INCOMPLETE_STATES else NOT_MEASURED
    return f"{reason} ({_FINISH_LABELS[reason]})" if reason in _FINISH_LABELS else reason


def _short_finish_label(receipt: Receipt, *, state: str | None, is_empty: bool) -> str:
    if state in _INCOMPLETE_STATES:
        return state or ""
    if is_empty:
        return "empty response"
    reason = receipt.finish_reason
    return "" if reason in (None, "stop") else _FINISH_LABELS.get(reason, f"finish reason {reason}")


def _short_parameters(sent: dict[str, Any]) -> str:
    visible = {name: value for name, value in sent.items() if name not in _HIDDEN_PARAMETERS}
    summary = parameters.summarize(visible)
    if len(summary) <= _PARAMETER_CHARACTERS:
        return summary
    return summary[: _PARAMETER_CHARACTERS - 1] + "…"


def _token_counts(receipt: Receipt) -> str:
    prompt, completion = receipt.prompt_tokens, receipt.completion_tokens
    about = "" if completion is not None else "≈"
    completion = receipt.text_chunks if completion is None else completion
    if completion is None:
        return "" if prompt is None else f"{prompt:,} prompt token{'' if prompt == 1 else 's'}"
    prefix = "" if prompt is None else f"{prompt:,} prompt · "
    return f"{prefix}{about}{completion:,} completion token{'' if completion == 1 else 's'}"


def _completion(receipt: Receipt) -> str:
    speed = receipt.completion_tokens_per_second
    if receipt.completion_tokens is None and receipt.text_chunks is not None:
        return _with_speed(receipt.text_chunks, speed, about="≈") + ", by the chunks received"
    return _with_speed(receipt.completion_tokens, speed)


def _speed_source(receipt: Receipt) -> str:
    if receipt.completion_tokens_per_second is None:
        return NOT_MEASURED
    is_ours = receipt.speed_source == SMOLCHAT
    return "SmolChat, from the first chunk to the last" if is_ours else "the model server"


def _tokens(count: int | None) -> str:
    if count is None:
        return NOT_MEASURED
    return "1 token" if count == 1 else f"{count:,} tokens"


def _with_speed(count: int | None, speed: float | None, *, about: str = "") -> str:
    at = "" if speed is None else f" at {speed:,.1f} tokens/s"
    return about + _tokens(count) + at


def _difference(total: int | None, part: int | None) -> int | None:
    return None if total is None or part is None else max(0, total - part)


def _duration(ms: float | None) -> str:
    if ms is None:
        return NOT_MEASURED
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.2f} s"
