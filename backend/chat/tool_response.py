"""The response of a turn with tools: OpenAI chunks or one completion."""

import time
import uuid
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from typing import Any

from pydantic_core import to_json

from backend.chat.tool_receipt import turn_receipt, turn_usage
from backend.json_values import as_dict
from backend.model_server.answers.response_shape import from_chunks
from backend.model_server.answers.sse import DONE
from backend.tools.model_answer import TurnContext
from backend.tools.steps import (
    AnswerStarted,
    Delta,
    StepChanged,
    ToolCall,
    TurnEvent,
    TurnFinished,
)

_DELTA_CHARACTERS = 24  # of arguments in a stream


class ToolResponse:
    """Converts the events of a turn to chunks or a completion."""

    def __init__(
        self,
        context: TurnContext,
        *,
        includes_usage: bool,
        includes_receipt: bool,
        is_legacy: bool,
        extensions: dict[str, Any] | None = None,
    ) -> None:
        """With `is_legacy`, a call is sent as `function_call`; `extensions` begin `smolchat`."""
        self._context = context
        self._includes_usage = includes_usage
        self._includes_receipt = includes_receipt
        self._is_legacy = is_legacy
        self._extensions = extensions or {}
        self._envelope = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": context.body["model"],
        }

    async def stream(self, events: AsyncGenerator[TurnEvent]) -> AsyncGenerator[bytes]:
        """Yield the chunks of a stream, none before the first event: it may be an error."""
        first = _line(self._chunk({"role": "assistant", "content": None}))
        if self._extensions:
            first = _line(self._envelope | {"choices": [], "smolchat": self._extensions}) + first
        async with aclosing(events):
            async for event in events:
                lines = first + b"".join(map(_line, self._chunks(event)))
                first = b""
                if isinstance(event, TurnFinished):
                    lines += DONE
                if lines:
                    yield lines

    async def complete(self, events: AsyncGenerator[TurnEvent]) -> AsyncGenerator[bytes]:
        """Yield the complete response when the turn has finished."""
        chunks = [self._chunk({"role": "assistant", "content": None})]
        steps: dict[str, dict[str, Any]] = {}
        answer_start = 0
        async with aclosing(events):
            async for event in events:
                if isinstance(event, StepChanged):
                    steps[event.step.id] = event.step.model_dump()
                elif isinstance(event, AnswerStarted):
                    answer_start = len(chunks)
                elif (reasoning := _reasoning_so_far(event)) is not None:
                    _remove_text(chunks[answer_start:])
                    chunks.append(self._chunk({"reasoning_content": reasoning}))
                elif isinstance(event, Delta | TurnFinished):
                    chunks += [chunk for chunk in self._chunks(event) if chunk["choices"]]
        response = from_chunks(chunks)
        response.pop("smolchat", None)
        if usage := turn_usage(self._context):
            response["usage"] = usage
        extensions = dict(self._extensions)
        if self._includes_receipt:
            extensions["receipt"] = turn_receipt(self._context)
        if steps:
            extensions["steps"] = list(steps.values())
        yield to_json(response | ({"smolchat": extensions} if extensions else {}))

    def _chunks(self, event: TurnEvent) -> Iterator[dict[str, Any]]:
        if isinstance(event, Delta):
            yield event.chunk | self._envelope
        elif isinstance(event, StepChanged):
            yield self._envelope | {"choices": [], "smolchat": {"step": event.step.model_dump()}}
        elif isinstance(event, TurnFinished):
            yield from self._last_chunks(event)

    def _last_chunks(self, event: TurnFinished) -> Iterator[dict[str, Any]]:
        reason = event.finish_reason
        if self._is_legacy and event.calls:
            call, reason = event.calls[0], "function_call"
            function = {"name": call.name, "arguments": call.arguments}
            yield self._chunk({"function_call": function})
        else:
            for index, call in enumerate(event.calls):
                yield from self._call_chunks(index, call)
        yield self._chunk({}, reason)
        if self._includes_receipt:
            receipt = {"receipt": turn_receipt(self._context)}
            yield self._envelope | {"choices": [], "smolchat": receipt}
        if self._includes_usage and (usage := turn_usage(self._context)):
            yield self._envelope | {"choices": [], "usage": usage}

    def _call_chunks(self, index: int, call: ToolCall) -> Iterator[dict[str, Any]]:
        head = {"index": index, "id": call.id, "type": "function"}
        yield self._chunk(
            {"tool_calls": [head | {"function": {"name": call.name, "arguments": ""}}]}
        )
        for start in range(0, len(call.arguments), _DELTA_CHARACTERS):
            delta = call.arguments[start : start + _DELTA_CHARACTERS]
            yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": delta}}]})

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self._envelope | {"choices": [choice]}


def _reasoning_so_far(event: TurnEvent) -> str | None:
    """Return the text of an answer so far if an event shows that all of it was reasoning."""
    extensions = as_dict(event.chunk.get("smolchat")) if isinstance(event, Delta) else {}
    text: str | None = as_dict(extensions.get("reasoning_so_far")).get("text")
    return text


def _remove_text(chunks: Iterable[dict[str, Any]]) -> None:
    for chunk in chunks:
        for choice in chunk["choices"]:
            for name in ("content", "reasoning_content"):
                choice["delta"].pop(name, None)


def _line(chunk: dict[str, Any]) -> bytes:
    return b"data: " + to_json(chunk) + b"\n\n"
