"""One answer that fits: drawn under a narrower schema, judged, if need be drawn again."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from backend.completions.completion import Completion
from backend.completions.queue import QueueSlot
from backend.completions.receipt import Receipt, UsageTracker
from backend.errors import OutputTruncatedError, SmolChatError, ValidationFailedError
from backend.json_schema.prepare import Prepared
from backend.json_schema.validator import ABSENT, ValidationIssue, ValidationResult, parse_partial
from backend.model_server.sse import parse_events
from backend.protocol import ExtensionOptions
from backend.structured.protocol import (
    Attempt,
    Extensions,
    PromptSent,
    StructuredAnswer,
    Unenforced,
    Usage,
)
from backend.structured.target_schema import TargetSchema

StartCompletion = Callable[[dict[str, Any], ExtensionOptions], Completion]

MAX_NARROWING_LEVEL = 3  # narrowing knows no level beyond it
MAX_QUOTED_CHARACTERS = 2000


@dataclass(frozen=True, kw_only=True)
class GenerationSpec:
    """What is the same for all answers to a request."""

    body: dict[str, Any]
    options: ExtensionOptions
    schema: TargetSchema
    has_grammar: bool
    attempts: int
    is_stream: bool  # somebody looks on while they are drawn


class StructuredGenerator:
    """One answer while it is drawn; `text` is what was written last, whatever it was worth."""

    def __init__(self, order: GenerationSpec, index: int) -> None:
        self.text = ""
        self.answer: StructuredAnswer | None = None
        self._order = order
        self._index = index
        self._attempts: list[Attempt] = []
        self._prepared: Prepared | None = None
        self._narrowing_level = 0
        self._repair_messages: list[dict[str, Any]] = []

    @property
    def unenforced(self) -> list[tuple[str, str]]:
        """Say what the judge alone held this answer to, as pointers and keywords."""
        return self._prepared.unenforced if self._prepared else []

    async def stream(
        self, ask: StartCompletion, place: QueueSlot
    ) -> AsyncGenerator[dict[str, Any]]:
        """Draw in a place of the line, and give what a stream tells meanwhile.

        Raises:
            SmolChatError: there is no answer that fits; what was written is in its details.
        """
        try:
            while not self.answer and len(self._attempts) < self._order.attempts:
                async with aclosing(self._run_attempt(ask, place)) as told:
                    async for event in told:
                        yield event
        except SmolChatError as error:
            raise error.copy_with(**self.failure_details()) from error
        if not self.answer:
            raise self._final_error()

    def failure_details(self) -> dict[str, Any]:
        """Give what was written, though nothing came of it; of an answer not begun nothing."""
        if not self._prepared or not (self.text or self._attempts):
            return {}
        return {
            "text": self.text,
            "attempts": [attempt.model_dump() for attempt in self._attempts],
            "sent": _sent(self._prepared).model_dump(),
            "unenforced": [one.model_dump() for one in Unenforced.of(self.unenforced)],
        }

    async def _run_attempt(
        self, ask: StartCompletion, place: QueueSlot
    ) -> AsyncGenerator[dict[str, Any]]:
        self._prepared = await self._order.schema.prepare(self._narrowing_level)
        reading = _AttemptState(UsageTracker(self._order.body["model"]))
        answering = ask(self._attempt_request(self._prepared), self._order.options)
        async with aclosing(answering.stream(place)) as pieces:
            async for piece in pieces:
                for event in self._read_chunk(piece, reading):
                    yield event
        self._finish_attempt(reading, self._prepared)

    def _attempt_request(self, prepared: Prepared) -> dict[str, Any]:
        """Make the request for one attempt; a seed moves on with each."""
        order = self._order
        messages = _with_instruction(order.body["messages"], prepared.instruction)
        body = order.body | {"messages": [*messages, *self._repair_messages]}
        if (seed := body.get("seed", -1)) >= 0:
            number = self._index * order.attempts + len(self._attempts)
            body["seed"] = (seed + number) % 2**32
        if order.has_grammar:
            schema = {"name": order.schema.name, "schema": prepared.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _read_chunk(self, piece: bytes, reading: "_AttemptState") -> Iterator[dict[str, Any]]:
        """Take a piece of the stream; give what is worth telling of it."""
        for event in parse_events(piece):
            has_grown = reading.add_event(event)
            self.text = reading.text or self.text
            if self._order.is_stream and "progress" in event.get("smolchat", ()):
                yield {"smolchat": event["smolchat"], "answer": self._index}
            if self._order.is_stream and has_grown and reading.update_partial():
                attempt = len(self._attempts) + 1
                yield {"partial": reading.partial, "attempt": attempt, "answer": self._index}

    def _finish_attempt(self, reading: "_AttemptState", prepared: Prepared) -> None:
        """Take the text for the answer, or see to it that the next attempt is another one."""
        verdict = self._order.schema.validate(reading.text)
        self.text = reading.text
        self._attempts.append(_attempt(reading, verdict, self._narrowing_level))
        if not verdict.errors:
            self.answer = self._to_answer(reading, verdict, prepared)
            return
        is_cut_off = reading.watch.finish_reason == "length"
        if is_cut_off or prepared.unenforced:  # the same again would end the same
            self._narrowing_level = min(self._narrowing_level + 1, MAX_NARROWING_LEVEL)
        self._repair_messages = [] if is_cut_off else _repair_messages(reading.text, verdict.errors)

    def _to_answer(
        self, reading: "_AttemptState", verdict: ValidationResult, prepared: Prepared
    ) -> StructuredAnswer:
        return StructuredAnswer(
            parsed=verdict.parsed,
            text=reading.text,
            finish_reason=reading.watch.finish_reason,
            attempts=self._attempts,
            sent=_sent(prepared),
            smolchat=Extensions(receipt=reading.receipt) if reading.receipt else None,
        )

    def _final_error(self) -> OutputTruncatedError | ValidationFailedError:
        last, count = self._attempts[-1], len(self._attempts)
        if last.finish_reason == "length":
            return OutputTruncatedError(
                f"The answer did not end within {self._order.body['max_tokens']} tokens, in "
                f"{count} attempts. Raise max_tokens, or ask for less.",
                **self.failure_details(),
            )
        first = last.errors[0]
        return ValidationFailedError(
            f"No answer fits the schema, in {count} attempts. The last one, at "
            f"{first.pointer or 'its root'}: {first.message}.",
            **self.failure_details(),
        )


@dataclass
class _AttemptState:
    """What has been read of an attempt, and what was shown of it."""

    watch: UsageTracker
    text: str = ""
    receipt: Receipt | None = None
    partial: Any = ABSENT

    def add_event(self, event: dict[str, Any]) -> bool:
        """Take an event of the stream; tell whether there is more text."""
        self.watch.update(event)
        before = len(self.text)
        for choice in event.get("choices") or ():
            delta = choice.get("delta") if isinstance(choice, dict) else None
            said = delta.get("content") if isinstance(delta, dict) else None
            self.text += said if isinstance(said, str) else ""
        ours = event.get("smolchat")
        if isinstance(ours, dict) and "receipt" in ours:
            self.receipt = Receipt.model_validate(ours["receipt"])
        return len(self.text) > before

    def update_partial(self) -> bool:
        """Put what is certain now into `shown`; tell whether it is more than before."""
        certain = parse_partial(self.text)
        if certain is ABSENT or certain == self.partial:
            return False
        self.partial = certain
        return True


def _attempt(reading: _AttemptState, verdict: ValidationResult, level: int) -> Attempt:
    watch = reading.watch
    return Attempt(
        finish_reason=watch.finish_reason,
        errors=verdict.errors,
        level=level,
        usage=Usage.of(watch.prompt_tokens, watch.completion_tokens),
        ms=(time.monotonic() - watch.started) * 1000,
    )


def _sent(prepared: Prepared) -> PromptSent:
    return PromptSent(schema_=prepared.schema, instruction=prepared.instruction)


def _with_instruction(messages: list[dict[str, Any]], instruction: str) -> list[dict[str, Any]]:
    """Show the form to the model where it reads it first."""
    first = messages[0]
    if first["role"] == "system" and isinstance(first["content"], str):
        return [first | {"content": f"{first['content']}\n\n{instruction}"}, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


def _repair_messages(text: str, errors: Sequence[ValidationIssue]) -> list[dict[str, Any]]:
    """Tell the model what was wrong with its answer."""
    said = "\n".join(f"- at {fault.pointer or 'the root'}: {fault.message}" for fault in errors[:5])
    return [
        {"role": "assistant", "content": text[:MAX_QUOTED_CHARACTERS]},
        {"role": "user", "content": f"That is wrong:\n{said}\nAnswer again, with that put right."},
    ]
