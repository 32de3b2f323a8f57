"""Generate one answer that fits: under a narrower schema, validated, again if need be."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from backend.completions.completion import Completion
from backend.completions.queue import QueueSlot
from backend.completions.receipt import UsageTracker
from backend.errors import (
    InvalidRequestError,
    OutputTruncatedError,
    SmolChatError,
    ValidationFailedError,
)
from backend.json_schema.prepare import PreparedSchema
from backend.json_schema.validator import ValidationIssue, ValidationResult
from backend.model_server.answers.message_builder import MessageBuilder
from backend.model_server.answers.sse import parse_events
from backend.model_server.constraint_probe import Constraint
from backend.model_server.response_limits import ResponseLimits
from backend.protocol import ExtensionOptions
from backend.structured.attempt_reader import AttemptReader
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

MAX_NARROWING_LEVEL = 3  # the tightest
MAX_QUOTED_CHARACTERS = 2000


@dataclass(frozen=True, kw_only=True)
class GenerationSpec:
    """What all answers to one request have in common."""

    body: dict[str, Any]
    max_tokens: int  # the limit that the answers are to fit
    options: ExtensionOptions
    schema: TargetSchema
    constraint: Constraint | None  # None if it is not known: then a JSON Schema is tried
    attempts: int
    is_stream: bool  # the client sees partial answers
    limits: ResponseLimits  # of what is kept of an attempt


class StructuredGenerator:
    """Generates one answer; `text` is what the model wrote last, valid or not."""

    def __init__(self, spec: GenerationSpec, index: int) -> None:
        self._state: AttemptReader | None = None  # of the last attempt
        self._earlier_text = ""
        self.answer: StructuredAnswer | None = None
        self._spec = spec
        self._index = index
        self._attempts: list[Attempt] = []
        self._prepared: PreparedSchema | None = None
        self._level = 0
        self._sends_grammar = spec.constraint is Constraint.GRAMMAR
        self._repair_messages: list[dict[str, Any]] = []

    @property
    def text(self) -> str:
        """What the model wrote last."""
        return (self._state.text if self._state else "") or self._earlier_text

    @property
    def unenforced(self) -> list[tuple[str, str]]:
        """The pointers and keywords that only validation enforced."""
        return self._prepared.unenforced if self._prepared else []

    @property
    def mentioned(self) -> list[str]:
        """The optional properties that were required, as the messages mention them."""
        return self._prepared.mentioned if self._prepared else []

    async def stream(
        self, start_completion: StartCompletion, slot: QueueSlot
    ) -> AsyncGenerator[dict[str, Any]]:
        """Generate until an answer fits; yield the events of a stream.

        Raises:
            SmolChatError: No answer fits. Its details have what was generated.
        """
        try:
            while not self.answer and len(self._attempts) < self._spec.attempts:
                try:
                    async with aclosing(self._run_attempt(start_completion, slot)) as events:
                        async for event in events:
                            yield event
                except InvalidRequestError as error:
                    if not self._drop_grammar(error):
                        raise
        except SmolChatError as error:
            raise error.copy_with(**self.failure_details()) from error
        if not self.answer:
            raise self._final_error()

    def failure_details(self) -> dict[str, Any]:
        """Return what was generated without success, or an empty dict before the first attempt."""
        if not self._prepared or not (self.text or self._attempts):
            return {}
        return {
            "text": self.text,
            "attempts": [attempt.model_dump() for attempt in self._attempts],
            "sent": _prompt_sent(self._prepared).model_dump(),
            "unenforced": [keyword.model_dump() for keyword in Unenforced.of(self.unenforced)],
        }

    async def _run_attempt(
        self, start_completion: StartCompletion, slot: QueueSlot
    ) -> AsyncGenerator[dict[str, Any]]:
        self._prepared = await self._spec.schema.prepare(self._level)
        message = MessageBuilder(limits=self._spec.limits)
        self._earlier_text = self.text
        self._state = state = AttemptReader(UsageTracker(self._spec.body["model"]), message)
        completion = start_completion(self._attempt_request(self._prepared), self._spec.options)
        async with aclosing(completion.stream(slot)) as chunks:
            async for chunk in chunks:
                for event in self._read_chunk(chunk, state):
                    yield event
        self._finish_attempt(state, self._prepared)

    def _attempt_request(self, prepared: PreparedSchema) -> dict[str, Any]:
        """Return the request of one attempt; a seed moves on with each."""
        spec = self._spec
        messages = _with_instruction(spec.body["messages"], prepared.instruction)
        body = spec.body | {"messages": [*messages, *self._repair_messages]}
        if (seed := body.get("seed", -1)) >= 0:
            number = self._index * spec.attempts + len(self._attempts)
            body["seed"] = (seed + number) % 2**63
        return body | self._constraint_fields(prepared)

    def _constraint_fields(self, prepared: PreparedSchema) -> dict[str, Any]:
        if self._spec.constraint is Constraint.NONE:
            return {}
        if self._sends_grammar and prepared.grammar:
            return {"grammar": prepared.grammar}
        schema = {"name": self._spec.schema.name, "schema": prepared.schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}

    def _drop_grammar(self, error: InvalidRequestError) -> bool:
        """Send the schema from now on if the model server refused the grammar; else return False.

        It may have limits of its own, which other grammars keep to.
        """
        is_refused = self._sends_grammar and "grammar" in error.refusal.lower()
        self._sends_grammar = self._sends_grammar and not is_refused
        return is_refused

    def _read_chunk(self, chunk: bytes, state: AttemptReader) -> Iterator[dict[str, Any]]:
        """Add a chunk of the stream; yield events for the client."""
        for event in parse_events(chunk):
            has_grown = state.add_event(event)
            if self._spec.is_stream and "progress" in event.get("smolchat", ()):
                yield {"smolchat": event["smolchat"], "answer": self._index}
            if self._spec.is_stream and has_grown and state.update_partial():
                attempt = len(self._attempts) + 1
                yield {"partial": state.partial, "attempt": attempt, "answer": self._index}

    def _finish_attempt(self, state: AttemptReader, prepared: PreparedSchema) -> None:
        """Keep the answer if it is valid, else change what the next attempt is asked."""
        result = state.validate(self._spec.schema.validate)
        self._earlier_text = ""
        self._attempts.append(_to_attempt(state, result, self._level))
        if not result.errors:
            self.answer = self._to_answer(state, result, prepared)
            return
        is_truncated = state.usage.finish_reason == "length"
        if is_truncated or prepared.unenforced:  # the same schema would fail the same way
            self._level = min(self._level + 1, MAX_NARROWING_LEVEL)
        self._repair_messages = (
            [] if is_truncated else _repair_messages(state.answer_text, result.errors)
        )

    def _to_answer(
        self, state: AttemptReader, result: ValidationResult, prepared: PreparedSchema
    ) -> StructuredAnswer:
        return StructuredAnswer(
            parsed=result.parsed,
            text=state.text,
            finish_reason=state.usage.finish_reason,
            attempts=self._attempts,
            sent=_prompt_sent(prepared),
            smolchat=Extensions(receipt=state.receipt) if state.receipt else None,
        )

    def _final_error(self) -> OutputTruncatedError | ValidationFailedError:
        last, count = self._attempts[-1], len(self._attempts)
        if last.finish_reason == "length":
            return OutputTruncatedError(
                f"The answer did not end within {self._spec.max_tokens} tokens, in "
                f"{count} attempts. Raise max_tokens, or ask for less.",
                **self.failure_details(),
            )
        issue = last.errors[0]
        return ValidationFailedError(
            f"No answer fits the schema, in {count} attempts. The last one, at "
            f"{issue.pointer or 'its root'}: {issue.message}.",
            **self.failure_details(),
        )


def _to_attempt(state: AttemptReader, result: ValidationResult, level: int) -> Attempt:
    usage = state.usage
    return Attempt(
        finish_reason=usage.finish_reason,
        errors=result.errors,
        level=level,
        usage=Usage.of(usage.prompt_tokens, usage.completion_tokens),
        ms=(time.monotonic() - usage.started_at) * 1000,
    )


def _prompt_sent(prepared: PreparedSchema) -> PromptSent:
    return PromptSent(schema_=prepared.schema, instruction=prepared.instruction)


def _with_instruction(messages: list[dict[str, Any]], instruction: str) -> list[dict[str, Any]]:
    """Return the messages with the instruction at the end of the system message."""
    first = messages[0]
    if first["role"] == "system" and isinstance(first["content"], str):
        return [first | {"content": f"{first['content']}\n\n{instruction}"}, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


def _repair_messages(text: str, errors: Sequence[ValidationIssue]) -> list[dict[str, Any]]:
    """Return the messages that show the model its answer and what is wrong with it."""
    issues = "\n".join(
        f"- at {issue.pointer or 'the root'}: {issue.message}" for issue in errors[:5]
    )
    return [
        {"role": "assistant", "content": text[:MAX_QUOTED_CHARACTERS]},
        {
            "role": "user",
            "content": f"That is wrong:\n{issues}\nAnswer again, with that put right.",
        },
    ]
