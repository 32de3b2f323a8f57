"""An answer that fits its schema: drawn under a narrower one, judged, if need be drawn again."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from backend.answering import Ask
from backend.capabilities import Capabilities
from backend.errors import (
    ModelServerTimeoutError,
    OutputTruncatedError,
    ValidationFailedError,
)
from backend.event_stream import DONE, events
from backend.openai_types import SmolchatOptions
from backend.receipt import Receipt, Watch
from backend.schema.prepare import Prepared, prepare
from backend.schema.validate import ABSENT, Fault, Judge, Verdict, provisional
from backend.schema.worker import Worker
from backend.structured_types import Answer, Attempt, Sent, StructuredReply, Unenforced, Usage
from backend.vetting import at_work

CHARACTERS_PER_TOKEN = 2  # what a token of JSON is at least worth, as a rule
TIGHTEST = 3  # narrowing knows no level beyond it
AT_ONCE = 4  # answers of one request that are drawn at a time
MAX_REPAIRED_CHARACTERS = 2000

_OURS = ("n", "response_format", "response_type")


@dataclass(frozen=True)
class Form:
    """What an answer has to be: a JSON Schema, and the Pydantic model that it was made from."""

    name: str
    schema: dict[str, Any] | bool
    model: type[BaseModel] | None = None


@dataclass(frozen=True)
class Limits:
    attempts: int
    seconds: float


@dataclass(frozen=True)
class Means:
    """What it takes to draw an answer."""

    ask: Ask
    worker: Worker
    capabilities: Capabilities


@dataclass
class _Reading:
    """What has been read of an attempt."""

    watch: Watch
    text: str = ""
    receipt: Receipt | None = None

    def take(self, event: dict[str, Any]) -> bool:
        """Take an event of the stream; tell whether there is more text."""
        self.watch.read(event)
        before = len(self.text)
        for choice in event.get("choices") or ():
            delta = choice.get("delta") if isinstance(choice, dict) else None
            said = delta.get("content") if isinstance(delta, dict) else None
            self.text += said if isinstance(said, str) else ""
        ours = event.get("smolchat")
        if isinstance(ours, dict) and "receipt" in ours:
            self.receipt = Receipt.model_validate(ours["receipt"])
        return len(self.text) > before


@dataclass
class _Draft:
    """One of the answers while it is drawn."""

    index: int
    attempts: list[Attempt] = field(default_factory=list)
    text: str = ""
    answer: Answer | None = None


class Structuring:
    """Draws the answers to one request."""

    def __init__(
        self,
        body: dict[str, Any],
        form: Form,
        options: SmolchatOptions,
        limits: Limits,
        means: Means,
    ) -> None:
        self._answers = body.get("n", 1)
        self._is_stream = bool(body.get("stream"))
        kept = {name: value for name, value in body.items() if name not in _OURS}
        self._body = kept | {"stream": True, "stream_options": {"include_usage": True}}
        self._form = form
        self._options = options
        self._limits = limits
        self._ask = means.ask
        self._worker = means.worker
        self._capabilities = means.capabilities
        self._has_grammar = False
        self._unenforced: list[Unenforced] = []

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Give the reply; in a stream, before it, what is already certain of the answers.

        Raises:
            SmolChatError: an answer that fits could not be had. Nothing of what was written is
                lost: it is in the error's details.
        """
        await self._prepared(0)  # a schema is vetted before anything else has to do with it
        judge = Judge(self._form.schema)
        self._has_grammar = await self._capabilities.has_grammar(self._body["model"])
        drafts = [_Draft(index) for index in range(self._answers)]
        queue: asyncio.Queue[dict[str, Any] | BaseException | None] = asyncio.Queue()
        places = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.create_task(self._run(draft, judge, places, queue)) for draft in drafts]
        try:
            unfinished = len(tasks)
            while unfinished:
                event = await queue.get()
                if event is None:
                    unfinished -= 1
                elif isinstance(event, BaseException):
                    raise event
                elif self._is_stream:
                    yield b"data: " + to_json(event) + b"\n\n"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        reply = to_json(self._reply(drafts))
        yield b'data: {"result":' + reply + b"}\n\n" + DONE if self._is_stream else reply

    async def _run(
        self,
        draft: _Draft,
        judge: Judge,
        places: asyncio.Semaphore,
        queue: asyncio.Queue[dict[str, Any] | BaseException | None],
    ) -> None:
        try:
            async with places, aclosing(self._draw(draft, judge)) as drawn:
                async for event in drawn:
                    queue.put_nowait(event)
            queue.put_nowait(None)
        except Exception as error:  # handed on to whoever waits
            queue.put_nowait(error)

    async def _draw(self, draft: _Draft, judge: Judge) -> AsyncGenerator[dict[str, Any]]:
        deadline = asyncio.get_running_loop().time() + self._limits.seconds
        level, complaint = 0, list[dict[str, Any]]()
        for number in range(1, self._limits.attempts + 1):
            prepared = await self._prepared(level)
            began = time.monotonic()
            body = self._asked(
                prepared, complaint, draft.index * self._limits.attempts + number - 1
            )
            reading = _Reading(Watch(body["model"]))
            shown: Any = ABSENT
            pieces = self._ask(body, self._options).pieces()
            async with aclosing(pieces):
                while piece := await self._next(pieces, deadline, draft, reading):
                    for event in events(piece):
                        if "progress" in event.get("smolchat", ()):
                            yield {"smolchat": event["smolchat"], "answer": draft.index}
                        has_grown = reading.take(event)
                        if has_grown and self._is_stream:
                            certain = provisional(reading.text)
                            if certain is not ABSENT and certain != shown:
                                shown = certain
                                yield {
                                    "partial": certain,
                                    "attempt": number,
                                    "answer": draft.index,
                                }
            verdict = self._judged(reading.text, judge)
            draft.text = reading.text
            draft.attempts.append(_attempt(reading, verdict, level, began))
            if not verdict.errors:
                draft.answer = Answer(
                    parsed=verdict.parsed,
                    text=reading.text,
                    finish_reason=reading.watch.finish_reason,
                    attempts=draft.attempts,
                    sent=Sent(schema_=prepared.schema, instruction=prepared.instruction),
                    receipt=reading.receipt,
                )
                return
            is_cut_off = reading.watch.finish_reason == "length"
            if is_cut_off or prepared.unenforced:  # the same again would end the same
                level = min(level + 1, TIGHTEST)
            complaint = [] if is_cut_off else _complaint(reading.text, verdict.errors)
        raise self._failure(draft)

    async def _next(
        self,
        pieces: AsyncGenerator[bytes],
        deadline: float,
        draft: _Draft,
        reading: _Reading,
    ) -> bytes | None:
        try:
            async with asyncio.timeout_at(deadline):
                return await anext(pieces, None)
        except TimeoutError:
            raise ModelServerTimeoutError(
                f"There was no whole answer within {self._limits.seconds:.0f} seconds. Ask for "
                "less, or raise SMOLCHAT_STRUCTURED_SECONDS.",
                text=reading.text or draft.text,
                attempts=_dumped(draft.attempts),
            ) from None

    async def _prepared(self, level: int) -> Prepared:
        characters = self._body["max_tokens"] * CHARACTERS_PER_TOKEN
        schema = self._form.schema
        prepared = await at_work(
            self._worker, "response_format", prepare, schema, characters, level
        )
        self._unenforced = [
            Unenforced(pointer=pointer, keyword=keyword) for pointer, keyword in prepared.unenforced
        ]
        return prepared

    def _asked(
        self, prepared: Prepared, complaint: list[dict[str, Any]], number: int
    ) -> dict[str, Any]:
        """Make the request for one attempt; a seed moves on with each."""
        messages = _with_instruction(self._body["messages"], prepared.instruction)
        body = self._body | {"messages": [*messages, *complaint]}
        if (seed := body.get("seed", -1)) >= 0:
            body["seed"] = (seed + number) % 2**32
        if self._has_grammar:
            schema = {"name": self._form.name, "schema": prepared.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _judged(self, text: str, judge: Judge) -> Verdict:
        verdict = judge.judge(text)
        if verdict.errors or self._form.model is None:
            return verdict
        try:
            self._form.model.model_validate(verdict.parsed)
        except ValidationError as error:
            faults = [
                Fault("".join(f"/{part}" for part in found["loc"]), found["type"], found["msg"])
                for found in error.errors()
            ]
            return Verdict(parsed=None, errors=faults)
        return verdict

    def _failure(self, draft: _Draft) -> OutputTruncatedError | ValidationFailedError:
        last = draft.attempts[-1]
        lost: dict[str, Any] = {"text": draft.text, "attempts": _dumped(draft.attempts)}
        if last.finish_reason == "length":
            return OutputTruncatedError(
                f"The answer did not end within {self._body['max_tokens']} tokens, in "
                f"{len(draft.attempts)} attempts. Raise max_tokens, or ask for less.",
                **lost,
            )
        first = last.errors[0]
        return ValidationFailedError(
            f"No answer fits the schema, in {len(draft.attempts)} attempts. The last one, at "
            f"{first.pointer or 'its root'}: {first.message}.",
            **lost,
        )

    def _reply(self, drafts: list[_Draft]) -> StructuredReply:
        answers = [draft.answer for draft in drafts if draft.answer]
        attempts = [attempt.usage for answer in answers for attempt in answer.attempts]
        return StructuredReply(
            model=self._body["model"],
            answers=answers,
            parsed=answers[0].parsed,
            text=answers[0].text,
            usage=Usage.of(
                _sum([usage.prompt_tokens for usage in attempts]),
                _sum([usage.completion_tokens for usage in attempts]),
            ),
            unenforced=self._unenforced,
            has_grammar=self._has_grammar,
        )


def _attempt(reading: _Reading, verdict: Verdict, level: int, began: float) -> Attempt:
    watch = reading.watch
    return Attempt(
        finish_reason=watch.finish_reason,
        errors=verdict.errors,
        level=level,
        usage=Usage.of(watch.prompt_tokens, watch.completion_tokens),
        ms=(time.monotonic() - began) * 1000,
    )


def _with_instruction(messages: list[dict[str, Any]], instruction: str) -> list[dict[str, Any]]:
    """Show the form to the model where it reads it first."""
    first = messages[0]
    if first["role"] == "system" and isinstance(first["content"], str):
        return [first | {"content": f"{first['content']}\n\n{instruction}"}, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


def _complaint(text: str, errors: Sequence[Fault]) -> list[dict[str, Any]]:
    """Tell the model what was wrong with its answer."""
    said = "\n".join(f"- at {fault.pointer or 'the root'}: {fault.message}" for fault in errors[:5])
    return [
        {"role": "assistant", "content": text[:MAX_REPAIRED_CHARACTERS]},
        {"role": "user", "content": f"That is wrong:\n{said}\nAnswer again, with that put right."},
    ]


def _dumped(attempts: list[Attempt]) -> list[dict[str, Any]]:
    return [attempt.model_dump() for attempt in attempts]


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
