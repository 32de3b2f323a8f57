"""The answers to one request of /structured: how many are drawn at a time, and their reply."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic_core import to_json

from backend.completions.completion import Completion
from backend.completions.queue import QueueSlot
from backend.completions.upstream_request import build_upstream_request
from backend.errors import ModelServerTimeoutError, SmolChatError
from backend.model_server.sse import DONE
from backend.protocol import ExtensionOptions
from backend.state import AppState
from backend.structured.generator import GenerationSpec, StructuredGenerator
from backend.structured.protocol import StructuredRequest, StructuredResponse, Unenforced, Usage
from backend.structured.target_schema import TargetSchema

CHARACTERS_PER_TOKEN = 2  # what a token of JSON is at least worth, as a rule
MAX_PARALLEL = 4  # answers of one request that are drawn at a time
EVENT_QUEUE_SIZE = 4  # events that wait for the reader; while there are more, nothing is drawn

_OWN_FIELDS = ("n", "response_format", "response_type")
_EventQueue = asyncio.Queue[dict[str, Any] | StructuredResponse | Exception]


class StructuredBatch:
    """Draws the answers to one request."""

    def __init__(self, request: StructuredRequest, state: AppState) -> None:
        body = build_upstream_request(request, state.settings)
        self._answers = body.get("n", 1)
        self._is_stream = bool(body.get("stream"))
        kept = {name: value for name, value in body.items() if name not in _OWN_FIELDS}
        self._body = kept | {"stream": True, "stream_options": {"include_usage": True}}
        self._options = request.smolchat or ExtensionOptions()
        self._schema = TargetSchema(
            request, state.schema_workers, characters=body["max_tokens"] * CHARACTERS_PER_TOKEN
        )
        self._state = state
        self._has_grammar = False
        self._generators: list[StructuredGenerator] = []
        self._pending = deque[StructuredGenerator]()
        self._events = _EventQueue(EVENT_QUEUE_SIZE)
        self._extra_workers = 0

    async def stream(self) -> AsyncGenerator[bytes]:
        """Give the reply; in a stream, before it, what is already certain of the answers.

        Raises:
            SmolChatError: an answer that fits could not be had. Nothing of what was written is
                lost: it is in the error's details, and so are the answers that do fit.
        """
        working = asyncio.create_task(self._run())
        try:
            while not isinstance(told := await self._events.get(), StructuredResponse):
                if isinstance(told, Exception):
                    raise told
                yield b"data: " + to_json(told) + b"\n\n"
        finally:
            working.cancel()
            await asyncio.wait([working])
        reply = to_json(told)
        yield b'data: {"result":' + reply + b"}\n\n" + DONE if self._is_stream else reply

    async def _run(self) -> None:
        """Do all of it, and tell the end of it last; one deadline is over everything."""
        seconds = self._state.settings.structured_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._generate_all()
            end: StructuredResponse | Exception = self._reply()
        except TimeoutError:
            end = ModelServerTimeoutError(
                f"There was no whole answer within {seconds:.0f} seconds. Ask for less, or raise "
                "SMOLCHAT_STRUCTURED_SECONDS.",
                **next(
                    filter(
                        None, (one.failure_details() for one in self._generators if not one.answer)
                    ),
                    {},
                ),
                **self._valid_answers(),
            )
        except SmolChatError as error:
            end = error.copy_with(**self._valid_answers())
        except Exception as error:  # raised where it is waited for
            end = error
        await self._events.put(end)

    async def _generate_all(self) -> None:
        await self._schema.prepare(0)  # a schema is vetted before anything else has to do with it
        self._has_grammar = await self._state.capabilities.supports_json_schema(
            self._body["model"], self._complete
        )
        order = GenerationSpec(
            body=self._body,
            options=self._options,
            schema=self._schema,
            has_grammar=self._has_grammar,
            attempts=self._state.settings.structured_attempts,
            is_stream=self._is_stream,
        )
        self._generators = [StructuredGenerator(order, index) for index in range(self._answers)]
        self._pending.extend(self._generators)
        try:
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(self._worker(lanes))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _worker(self, lanes: asyncio.TaskGroup) -> None:
        """Draw one after another in the one place that this request waits for, and keeps.

        So it is not sent away for what it asks itself, nor after it has begun.
        """
        place = self._state.queue.enqueue(is_alone=self._options.deterministic)
        try:
            while self._pending:
                drawing = self._pending.popleft()
                for _ in range(self._extra_workers, min(MAX_PARALLEL - 1, len(self._pending))):
                    self._extra_workers += 1
                    lanes.create_task(self._extra_worker())
                await self._generate(drawing, place)
        finally:
            place.release()

    async def _extra_worker(self) -> None:
        """Draw in places that nobody waits for, as long as there are any."""
        while self._pending and (place := self._state.queue.try_acquire()):
            try:
                await self._generate(self._pending.popleft(), place)
            finally:
                place.release()
        self._extra_workers -= 1

    async def _generate(self, drawing: StructuredGenerator, place: QueueSlot) -> None:
        async with aclosing(drawing.stream(self._completion, place)) as events:
            async for event in events:
                await self._events.put(event)

    def _completion(self, body: dict[str, Any], options: ExtensionOptions) -> Completion:
        return Completion(
            body,
            options,
            upstream=self._state.model_server,
            line=self._state.queue,
            measures=self._state.metrics,
        )

    async def _complete(self, body: dict[str, Any]) -> bytes:
        async with aclosing(self._completion(body, ExtensionOptions()).stream()) as pieces:
            return b"".join([piece async for piece in pieces])

    def _valid_answers(self) -> dict[str, Any]:
        """Give the answers that fit, for an error to take along."""
        found = [one.answer.model_dump() for one in self._generators if one.answer]
        return {"answers": found} if found else {}

    def _reply(self) -> StructuredResponse:
        answers = [one.answer for one in self._generators if one.answer]
        spent = [attempt.usage for answer in answers for attempt in answer.attempts]
        left = dict.fromkeys(found for one in self._generators for found in one.unenforced)
        return StructuredResponse(
            model=self._body["model"],
            answers=answers,
            parsed=answers[0].parsed,
            text=answers[0].text,
            usage=Usage.of(
                _sum([usage.prompt_tokens for usage in spent]),
                _sum([usage.completion_tokens for usage in spent]),
            ),
            unenforced=Unenforced.of(left),
            has_grammar=self._has_grammar,
            smolchat=answers[0].smolchat,
        )


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
