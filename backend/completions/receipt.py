"""What a completion cost: the model server's numbers and our clock."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from backend.json_values import as_count, as_dict, as_dict_list, as_positive_number
from backend.model_server.answers.sse import parse_events

# A first event may hold only the role, or how much of the prompt was processed.
_CONTENT = re.compile(
    rb'"(?:content|reasoning_content|reasoning|text|thinking)"\s*:\s*"[^"]'
    rb'|"tool_calls"\s*:\s*\[\s*\{'
)
_TOOL_CHOICE_IGNORED = (
    "The model server ignored tool_choice: the answer has no tool call. Many small models know no "
    "tools."
)
# The last line with each of these is parsed; all others are only searched.
_MARKERS = (b'"timings"', b'"usage":{', b'"usage": {', b'"finish_reason":"', b'"finish_reason": "')
_MIN_MEASURED_SECONDS = 0.05  # a shorter time says nothing of the model's speed
# Both usage and timings have it, whatever else they hold: one search tells if a chunk has either.
USAGE_MARKER = b'"prompt_'


class ToolReceipt(BaseModel):
    """How the tools of a request were called."""

    strategy: Annotated[
        Literal["native", "constrained"],
        Field(
            description="`native`: the model's template knows tools; `constrained`: SmolChat picks "
            "the function, and the model writes the arguments under its schema."
        ),
    ]
    gate_score: Annotated[
        float | None,
        Field(description="How well the question matches the functions, from 0 to 1."),
    ] = None
    attempts: Annotated[int, Field(description="Constrained requests for arguments.")] = 0
    problems: Annotated[
        list[str], Field(description="Why calls were not made, or were made again.")
    ] = []


class ImageReceipt(BaseModel):
    """What was done with an image of a request."""

    part: Annotated[str, Field(description="Where it is, such as `messages.0.content.1`.")]
    state: Annotated[
        Literal["sent", "replaced_by_text"],
        Field(
            description="`replaced_by_text`: the model takes no images, or not so many; only those "
            "of earlier messages."
        ),
    ]
    name: str = ""
    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    changes: Annotated[
        list[str], Field(description="What was changed of it before it was sent.")
    ] = []


def _is_none(value: object) -> bool:
    return value is None


class Receipt(BaseModel):
    """What a completion cost; what was not measured is null."""

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
    speed_source: Annotated[
        Literal["model_server", "smolchat"] | None,
        Field(
            description="Who measured `completion_tokens_per_second`: SmolChat's own clock counts "
            "from the first chunk to the last, and chunks where no tokens were reported."
        ),
    ] = None
    text_chunks: Annotated[
        int | None,
        Field(
            description="Chunks with text, where no tokens were reported, as of a stopped answer; "
            "llama.cpp sends one for each token."
        ),
    ] = None
    warnings: Annotated[
        list[str], Field(description="What the model server left out of what was asked.")
    ] = []
    context_tokens: int | None = None
    context_size: int | None = None
    answered_by: Annotated[
        Literal["files"] | None,
        Field(
            description="`files`: the answer quotes files, and no model was asked.",
            exclude_if=_is_none,
        ),
    ] = None
    tools: Annotated[
        ToolReceipt | None,
        Field(description="How tools were called, in a request with tools.", exclude_if=_is_none),
    ] = None
    images: Annotated[
        list[ImageReceipt] | None,
        Field(description="The images of the request, if it has any.", exclude_if=_is_none),
    ] = None


@dataclass
class UsageTracker:
    """Collects from a completion what its receipt needs.

    `choices` is how many were requested: of several, llama.cpp counts only one, so their numbers
    are left out.
    """

    model: str
    seed: int | None = None
    choices: int = 1
    requires_tool_call: bool = False  # by `tool_choice`
    context_size: int | None = None
    model_digest: str | None = None
    started_at: float = field(default_factory=time.monotonic)
    queue_seconds: float | None = None
    load_seconds: float | None = None
    first_token_seconds: float | None = None
    finish_reason: str | None = None
    _last_text_seconds: float = 0.0
    _text_chunks: int = 0
    _reported: dict[str, dict[str, Any]] = field(default_factory=dict)  # usage and timings
    _pending: dict[bytes, bytes] = field(default_factory=dict)  # unparsed lines by marker

    def observe(self, chunk: bytes, events: Iterable[dict[str, Any]] | None = None) -> None:
        """Record a chunk of a stream, which consists of whole lines.

        Without its parsed `events`, it is parsed only once a number in it is asked for.
        """
        if texts := len(_CONTENT.findall(chunk)):
            self._text_chunks += texts
            self._last_text_seconds = time.monotonic() - self.started_at
            if self.first_token_seconds is None:
                self.first_token_seconds = self._last_text_seconds
        if events is not None:
            for event in events:
                self.update(event)
            return
        for marker in _MARKERS:
            if marker in chunk:
                self._pending.pop(marker, None)  # keeps the lines in their order
                self._pending[marker] = _last_line_with(marker, chunk)

    def update(self, response: dict[str, Any]) -> None:
        """Record one event of a stream, or a whole response."""
        for choice in as_dict_list(response.get("choices")):
            reason = choice.get("finish_reason")
            if reason and isinstance(reason, str):
                self.finish_reason = reason
        for name in ("usage", "timings"):
            self._reported[name] = as_dict(response.get(name)) or self._reported.get(name, {})

    @property
    def _usage(self) -> dict[str, Any]:
        self._parse_pending()
        return self._reported.get("usage", {})

    @property
    def _timings(self) -> dict[str, Any]:
        self._parse_pending()
        return self._reported.get("timings", {})

    def _parse_pending(self) -> None:
        lines, self._pending = self._pending, {}
        for line in dict.fromkeys(lines.values()):
            for event in parse_events(line):
                self.update(event)

    @property
    def prompt_tokens(self) -> int | None:
        tokens = as_count(self._usage.get("prompt_tokens"))
        processed, cached = as_count(self._timings.get("prompt_n")), self.cached_tokens
        if tokens is not None or processed is None or cached is None:
            return tokens
        return processed + cached

    @property
    def cached_tokens(self) -> int | None:
        details = as_dict(self._usage.get("prompt_tokens_details"))
        tokens = as_count(details.get("cached_tokens"))
        return as_count(self._timings.get("cache_n")) if tokens is None else tokens

    @property
    def completion_tokens(self) -> int | None:
        if self.choices > 1:
            return None
        tokens = as_count(self._usage.get("completion_tokens"))
        return as_count(self._timings.get("predicted_n")) if tokens is None else tokens

    @property
    def warnings(self) -> list[str]:
        """What the model server left out of what was asked."""
        is_ignored = self.requires_tool_call and self.finish_reason == "stop"
        return [_TOOL_CHOICE_IGNORED] if is_ignored else []

    def _measured_speed(self) -> float | None:
        """Return the tokens per second from the first chunk to the last, by our clock, or None.

        Where no tokens were reported, as of a stopped answer, chunks are counted.
        """
        tokens = self.completion_tokens or self._text_chunks
        if self.first_token_seconds is None or self.choices > 1 or tokens < 2:
            return None
        seconds = self._last_text_seconds - self.first_token_seconds
        return (tokens - 1) / seconds if seconds >= _MIN_MEASURED_SECONDS else None

    def receipt(self) -> Receipt:
        """Return the receipt as of now."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        is_single = self.choices == 1
        speed = as_positive_number(self._timings.get("predicted_per_second")) if is_single else None
        measured_speed = None if speed else self._measured_speed()
        return Receipt(
            model=self.model,
            model_digest=self.model_digest,
            seed=self.seed,
            finish_reason=self.finish_reason if is_single else None,
            prompt_tokens=prompt,
            cached_tokens=self.cached_tokens,
            completion_tokens=completion,
            queue_ms=_ms(self.queue_seconds),
            load_ms=_ms(self.load_seconds),
            prompt_ms=as_positive_number(self._timings.get("prompt_ms")) if is_single else None,
            first_token_ms=_ms(self.first_token_seconds),
            total_ms=(time.monotonic() - self.started_at) * 1000,
            prompt_tokens_per_second=as_positive_number(self._timings.get("prompt_per_second")),
            completion_tokens_per_second=speed or measured_speed,
            speed_source="model_server" if speed else "smolchat" if measured_speed else None,
            text_chunks=(self._text_chunks or None) if completion is None and is_single else None,
            warnings=self.warnings,
            context_tokens=None if prompt is None or completion is None else prompt + completion,
            context_size=self.context_size,
        )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _last_line_with(marker: bytes, chunk: bytes) -> bytes:
    position = chunk.rfind(marker)
    start, end = chunk.rfind(b"\n", 0, position) + 1, chunk.find(b"\n", position)
    return chunk[start:end] if end >= 0 else chunk[start:]
