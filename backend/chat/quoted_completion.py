"""An answer that quotes files, in the shape of a completion. No model is asked."""

import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from backend.completions.completion import Completion
from backend.completions.queue import QueueSlot
from backend.completions.receipt import Receipt
from backend.files.answers.content import QuotedAnswer
from backend.json_values import as_dict
from backend.model_server.answers.sse import DONE

_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@dataclass(kw_only=True)
class QuotedCompletion(Completion):
    """A completion whose text comes from `prepare`, which may take a while."""

    prepare: Callable[[], Awaitable[QuotedAnswer]]

    async def stream(self, held_slot: QueueSlot | None = None) -> AsyncGenerator[bytes]:  # noqa: ARG002
        """Yield the chunks of a stream, or the whole response as one chunk.

        Raises:
            SmolChatError: The files cannot be read.
        """
        answer = await self.prepare()
        fields = {"annotations": [citation.as_dict() for citation in answer.citations]}
        retrieval = answer.retrieval.model_dump(mode="json")
        self.details = fields | {"retrieval": retrieval}
        if not self.body["stream"]:
            yield self._whole(answer.text, fields, retrieval)
            return
        for event in self._events(answer.parts, fields, retrieval):
            if self.on_event:
                self.on_event(event)
            yield _line(event)
        yield b"".join(map(_line, self._last_events())) + DONE

    def receipt(self) -> dict[str, Any]:
        return Receipt(
            model=self.body["model"],
            finish_reason="stop",
            prompt_tokens=0,
            completion_tokens=0,
            total_ms=(time.monotonic() - self.started_at) * 1000,
            answered_by="files",
        ).model_dump()

    def sent_fields(self) -> dict[str, Any]:
        return {}

    def _events(
        self, parts: list[str], fields: dict[str, Any], retrieval: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        self._envelope = _envelope("chat.completion.chunk", self.body["model"])
        yield self._envelope | {"choices": [], "smolchat": {"retrieval": retrieval}}
        yield self._chunk({"role": "assistant", "content": ""})
        for part in parts:
            yield self._chunk({"content": part})
        yield self._chunk(fields, "stop")

    def _last_events(self) -> Iterator[dict[str, Any]]:
        if as_dict(self.body.get("stream_options")).get("include_usage"):
            yield self._envelope | {"choices": [], "usage": _USAGE}
        if self.options.receipt:
            yield self._envelope | {"choices": [], "smolchat": {"receipt": self.receipt()}}

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self._envelope | {"choices": [choice]}

    def _whole(self, text: str, fields: dict[str, Any], retrieval: dict[str, Any]) -> bytes:
        message = {"role": "assistant", "content": text} | fields
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        response = _envelope("chat.completion", self.body["model"])
        response |= {"choices": [choice], "usage": _USAGE}
        if self.on_event:
            self.on_event(response)
        receipt = {"receipt": self.receipt()} if self.options.receipt else {}
        extensions = receipt | self.extensions | {"retrieval": retrieval}
        return to_json(response | {"smolchat": extensions})


def _envelope(object_name: str, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": object_name,
        "created": int(time.time()),
        "model": model,
    }


def _line(event: dict[str, Any]) -> bytes:
    return b"data: " + to_json(event) + b"\n\n"
