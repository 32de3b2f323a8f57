"""All answers to one request of /structured: how many are generated at once, and the response."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic_core import to_json

from backend.completions.completion import Completion
from backend.completions.queue import QueueSlot
from backend.completions.upstream_request import build_upstream_request, token_limit
from backend.errors import (
    ModelLoadFailedError,
    ModelLoadingError,
    ModelServerError,
    ModelServerTimeoutError,
    ModelServerUnreachableError,
    SmolChatError,
)
from backend.json_schema.pruning.mentions import MAX_PROMPT_CHARACTERS
from backend.json_values import user_text
from backend.model_server.answers.sse import DONE
from backend.model_server.constraint_probe import Constraint
from backend.protocol import ExtensionOptions, StructuredExtensionOptions
from backend.state import AppState
from backend.structured.generator import GenerationSpec, StructuredGenerator
from backend.structured.protocol import StructuredRequest, StructuredResponse, Unenforced, Usage
from backend.structured.target_schema import TargetSchema

MAX_PARALLEL = 4  # answers of one request that are generated at once
EVENT_QUEUE_SIZE = 4  # while so many events wait for the reader, nothing more is generated

# Errors of the model server that every further answer would have too.
_SHARED_ERRORS = (ModelServerUnreachableError, ModelLoadingError, ModelLoadFailedError)
_OWN_FIELDS = ("n", "response_format", "response_type")
_EventQueue = asyncio.Queue[dict[str, Any] | StructuredResponse | Exception]


class StructuredBatch:
    """Generates the answers to one request."""

    def __init__(self, request: StructuredRequest, state: AppState) -> None:
        body = build_upstream_request(request, state.settings)
        self._count = body.get("n", 1)
        self._is_stream = bool(body.get("stream"))
        fields = {name: value for name, value in body.items() if name not in _OWN_FIELDS}
        self._body = fields | {"stream": True}
        self._options = request.smolchat or StructuredExtensionOptions()
        self._max_tokens = token_limit(body) or state.settings.max_tokens
        uses_mentions = self._options.fields == "mentioned"
        self._schema = TargetSchema(
            request,
            state.schema_workers,
            max_tokens=self._max_tokens,
            prompt=user_text(fields["messages"], MAX_PROMPT_CHARACTERS) if uses_mentions else "",
        )
        self._state = state
        self._constraint: Constraint | None = None
        self._generators: list[StructuredGenerator] = []
        self._pending = deque[StructuredGenerator]()
        self._errors: dict[StructuredGenerator, SmolChatError] = {}
        self._events = _EventQueue(EVENT_QUEUE_SIZE)
        self._extra_workers = 0

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield the response; in a stream, first what is already certain of the answers.

        Raises:
            SmolChatError: An answer could not be generated. Its details have everything that was:
                the text, the attempts, the answers that do fit, and why each other one does not.
        """
        running = asyncio.create_task(self._run())
        try:
            while not isinstance(event := await self._events.get(), StructuredResponse):
                if isinstance(event, Exception):
                    raise event
                yield b"data: " + to_json(event) + b"\n\n"
        finally:
            running.cancel()
            await asyncio.wait([running])
        response = to_json(event)
        yield b'data: {"result":' + response + b"}\n\n" + DONE if self._is_stream else response

    async def _run(self) -> None:
        """Generate all answers within one deadline; the last event is the response or an error."""
        seconds = self._state.settings.structured_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._generate_all()
            result: StructuredResponse | Exception = (
                self._error() if self._errors else self._response()
            )
        except TimeoutError:
            result = self._timeout_error(seconds)
        except Exception as error:  # raised by `stream`
            result = error
        await self._events.put(result)

    async def _generate_all(self) -> None:
        await self._state.images.prepare(self._body["model"], self._body["messages"])
        await self._schema.prepare(0)  # checks the schema before anything else handles it
        self._constraint = await self._state.capabilities.constraint(
            self._body["model"], self._complete
        )
        spec = GenerationSpec(
            body=self._body,
            max_tokens=self._max_tokens,
            options=self._options,
            schema=self._schema,
            constraint=self._constraint,
            attempts=self._state.settings.structured_attempts,
            is_stream=self._is_stream,
            limits=self._state.model_server.limits.shared_by(self._count),
        )
        self._generators = [StructuredGenerator(spec, index) for index in range(self._count)]
        self._pending.extend(self._generators)
        try:
            async with asyncio.TaskGroup() as workers:
                workers.create_task(self._worker(workers))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _worker(self, workers: asyncio.TaskGroup) -> None:
        """Generate one answer after another in the one slot that this request waits for and keeps.

        So its own further answers, and retries, are never refused by a full queue.
        """
        slot = self._state.queue.enqueue(exclusive=self._options.deterministic)
        try:
            while self._pending:
                generator = self._pending.popleft()
                for _ in range(self._extra_workers, min(MAX_PARALLEL - 1, len(self._pending))):
                    self._extra_workers += 1
                    workers.create_task(self._extra_worker())
                await self._generate(generator, slot)
        finally:
            slot.release()

    async def _extra_worker(self) -> None:
        """Generate answers in slots that nobody waits for, as long as there are any."""
        while self._pending and (slot := self._state.queue.try_acquire()):
            try:
                await self._generate(self._pending.popleft(), slot)
            finally:
                slot.release()
        self._extra_workers -= 1

    async def _generate(self, generator: StructuredGenerator, slot: QueueSlot) -> None:
        """Generate one answer. Its error is its own: the others go on.

        Only what would fail in the same way is not started.
        """
        try:
            async with aclosing(generator.stream(self._completion, slot)) as events:
                async for event in events:
                    await self._events.put(event)
        except SmolChatError as error:
            self._errors[generator] = error
            if not isinstance(error, ModelServerError) or isinstance(error, _SHARED_ERRORS):
                for pending in self._pending:
                    self._errors[pending] = error
                self._pending.clear()

    def _completion(self, body: dict[str, Any], options: ExtensionOptions) -> Completion:
        return Completion(
            body=body,
            options=options,
            model_server=self._state.model_server,
            queue=self._state.queue,
            metrics=self._state.metrics,
            wants_usage=True,
        )

    async def _complete(self, body: dict[str, Any]) -> bytes:
        return await self._completion(body, ExtensionOptions()).read()

    def _timeout_error(self, seconds: float) -> SmolChatError:
        error = ModelServerTimeoutError(
            f"There was no complete answer within {seconds:.0f} seconds. Ask for less, or raise "
            "SMOLCHAT_STRUCTURED_SECONDS."
        )
        for generator in self._generators:
            if not generator.answer and generator not in self._errors:
                self._errors[generator] = error.copy_with(**generator.failure_details())
        return self._error() if self._errors else error

    def _error(self) -> SmolChatError:
        """Return the first answer's error, with the answers that fit and the reason of each other.

        Their `answer` is their number, as in the events of a stream.
        """
        answers = [
            {"answer": index} | generator.answer.model_dump()
            for index, generator in enumerate(self._generators)
            if generator.answer
        ]
        failures = [
            {"answer": index, "message": error.message, "code": error.code}
            | generator.failure_details()
            for index, generator in enumerate(self._generators)
            if (error := self._errors.get(generator))
        ]
        details: dict[str, Any] = {"answers": answers} if answers else {}
        details |= {"failures": failures} if self._count > 1 else {}
        first = next(each for each in self._generators if each in self._errors)
        return self._errors[first].copy_with(**details)

    def _response(self) -> StructuredResponse:
        answers = [each.answer for each in self._generators if each.answer]
        usages = [attempt.usage for answer in answers for attempt in answer.attempts]
        unenforced = dict.fromkeys(
            keyword for each in self._generators for keyword in each.unenforced
        )
        return StructuredResponse(
            model=self._body["model"],
            answers=answers,
            parsed=answers[0].parsed,
            text=answers[0].text,
            usage=Usage.of(
                _sum([usage.prompt_tokens for usage in usages]),
                _sum([usage.completion_tokens for usage in usages]),
            ),
            unenforced=Unenforced.of(unenforced),
            mentioned=list(
                dict.fromkeys(name for each in self._generators for name in each.mentioned)
            ),
            has_grammar=self._constraint and self._constraint is not Constraint.NONE,
            smolchat=answers[0].smolchat,
        )


def _sum(counts: list[int | None]) -> int | None:
    """Return the sum, or None if any count is unknown."""
    known_counts = [count for count in counts if count is not None]
    return sum(known_counts) if len(known_counts) == len(counts) else None
