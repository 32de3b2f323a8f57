"""What an answer cost: the model server's numbers and our clock; nothing is guessed."""

import re
import time
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from backend.json_values import as_count, as_dict, as_dict_list, as_positive_number
from backend.model_server.sse import parse_events

# A first event may hold the role alone, or how much of the prompt has been read.
_CONTENT = re.compile(
    rb'"(?:content|reasoning_content|reasoning)"\s*:\s*"[^"]|"tool_calls"\s*:\s*\[\s*\{'
)
# The last chunk with each of these is read; all others are only passed by.
_MARKERS = (b'"timings"', b'"usage":{', b'"usage": {', b'"finish_reason":"', b'"finish_reason": "')
# In usage and in timings, whatever else they hold: one look tells whether a piece has either.
USAGE_MARKER = b'"prompt_'


class Receipt(BaseModel):
    """What an answer cost; what was not measured is null."""

    model: str
    model_digest: str | None = None
    seed: int | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    queue_ms: float | None = None
    load_ms: float | None = None
    prompt_ms: float | None = None
    first_token_ms: float | None = None
    total_ms: float
    prompt_tokens_per_second: float | None = None
    completion_tokens_per_second: float | None = None
    context_tokens: int | None = None
    context_size: int | None = None


@dataclass
class UsageTracker:
    """Sees an answer pass by and remembers what is needed for its receipt.

    `choices` is how many answers were asked for: of several, llama.cpp counts one only, so that
    their numbers are left out.
    """

    model: str
    seed: int | None = None
    choices: int = 1
    context_size: int | None = None
    model_digest: str | None = None
    started: float = field(default_factory=time.monotonic)
    queue_seconds: float | None = None
    load_seconds: float | None = None
    first_token_seconds: float | None = None
    finish_reason: str | None = None
    _reported: dict[str, dict[str, Any]] = field(default_factory=dict)  # usage and timings
    _pending: dict[bytes, bytes] = field(default_factory=dict)  # by what each was kept for

    def observe(self, piece: bytes) -> None:
        """Look at a piece of a stream, made of whole lines; it is read when a number is wanted."""
        if self.first_token_seconds is None and _CONTENT.search(piece):
            self.first_token_seconds = time.monotonic() - self.started
        for mark in _MARKERS:
            if mark in piece:
                self._pending.pop(mark, None)  # so that they are read in the order they came in
                self._pending[mark] = piece

    def update(self, answer: dict[str, Any]) -> None:
        """Read a chunk of a stream, or a whole answer."""
        for choice in as_dict_list(answer.get("choices")):
            reason = choice.get("finish_reason")
            if reason and isinstance(reason, str):
                self.finish_reason = reason
        for name in ("usage", "timings"):
            self._reported[name] = as_dict(answer.get(name)) or self._reported.get(name, {})

    @property
    def _usage(self) -> dict[str, Any]:
        self._parse_pending()
        return self._reported.get("usage", {})

    @property
    def _timings(self) -> dict[str, Any]:
        self._parse_pending()
        return self._reported.get("timings", {})

    def _parse_pending(self) -> None:
        pieces, self._pending = self._pending, {}
        for piece in dict.fromkeys(pieces.values()):
            for event in parse_events(piece):
                self.update(event)

    @property
    def prompt_tokens(self) -> int | None:
        counted = as_count(self._usage.get("prompt_tokens"))
        new, cached = as_count(self._timings.get("prompt_n")), self.cached_tokens
        if counted is not None or new is None or cached is None:
            return counted
        return new + cached

    @property
    def cached_tokens(self) -> int | None:
        details = as_dict(self._usage.get("prompt_tokens_details"))
        counted = as_count(details.get("cached_tokens"))
        return as_count(self._timings.get("cache_n")) if counted is None else counted

    @property
    def completion_tokens(self) -> int | None:
        if self.choices > 1:
            return None
        counted = as_count(self._usage.get("completion_tokens"))
        return as_count(self._timings.get("predicted_n")) if counted is None else counted

    def receipt(self) -> Receipt:
        """Draw it up, now that the answer has ended."""
        prompt, written = self.prompt_tokens, self.completion_tokens
        is_one = self.choices == 1
        return Receipt(
            model=self.model,
            model_digest=self.model_digest,
            seed=self.seed,
            finish_reason=self.finish_reason if is_one else None,
            prompt_tokens=prompt,
            cached_tokens=self.cached_tokens,
            completion_tokens=written,
            queue_ms=_ms(self.queue_seconds),
            load_ms=_ms(self.load_seconds),
            prompt_ms=as_positive_number(self._timings.get("prompt_ms")) if is_one else None,
            first_token_ms=_ms(self.first_token_seconds),
            total_ms=(time.monotonic() - self.started) * 1000,
            prompt_tokens_per_second=as_positive_number(self._timings.get("prompt_per_second")),
            completion_tokens_per_second=(
                as_positive_number(self._timings.get("predicted_per_second")) if is_one else None
            ),
            context_tokens=None if prompt is None or written is None else prompt + written,
            context_size=self.context_size,
        )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
