"""The answers to one request of /structured: how many are drawn at a time, and their reply."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic_core import to_json

from backend.completions.completion import Answering
from backend.completions.queue import Place
from backend.completions.upstream_request import to_model_request
from backend.errors import ModelServerTimeoutError, SmolChatError
from backend.model_server.sse import DONE
from backend.protocol import SmolchatOptions
from backend.state import AppState
from backend.structured.generator import Drawing, Order
from backend.structured.protocol import StructuredReply, StructuredRequest, Unenforced, Usage
from backend.structured.target_schema import Form

CHARACTERS_PER_TOKEN = 2  # what a token of JSON is at least worth, as a rule
AT_ONCE = 4  # answers of one request that are drawn at a time
MOST_HELD = 4  # events that wait for the reader; while there are more, nothing is drawn

_OURS = ("n", "response_format", "response_type")
_Told = asyncio.Queue[dict[str, Any] | StructuredReply | Exception]


class Structuring:
    """Draws the answers to one request."""

    def __init__(self, request: StructuredRequest, state: AppState) -> None:
        body = to_model_request(request, state.settings)
        self._answers = body.get("n", 1)
        self._is_stream = bool(body.get("stream"))
        kept = {name: value for name, value in body.items() if name not in _OURS}
        self._body = kept | {"stream": True, "stream_options": {"include_usage": True}}
        self._options = request.smolchat or SmolchatOptions()
        self._form = Form(
            request, state.schema_workers, characters=body["max_tokens"] * CHARACTERS_PER_TOKEN
        )
        self._state = state
        self._has_grammar = False
        self._drawings: list[Drawing] = []
        self._left = deque[Drawing]()
        self._told = _Told(MOST_HELD)
        self._spare_lanes = 0

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Give the reply; in a stream, before it, what is already certain of the answers.

        Raises:
            SmolChatError: an answer that fits could not be had. Nothing of what was written is
                lost: it is in the error's details, and so are the answers that do fit.
        """
        working = asyncio.create_task(self._work())
        try:
            while not isinstance(told := await self._told.get(), StructuredReply):
                if isinstance(told, Exception):
                    raise told
                yield b"data: " + to_json(told) + b"\n\n"
        finally:
            working.cancel()
            await asyncio.wait([working])
        reply = to_json(told)
        yield b'data: {"result":' + reply + b"}\n\n" + DONE if self._is_stream else reply

    async def _work(self) -> None:
        """Do all of it, and tell the end of it last; one deadline is over everything."""
        seconds = self._state.settings.structured_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._draw_all()
            end: StructuredReply | Exception = self._reply()
        except TimeoutError:
            end = ModelServerTimeoutError(
                f"There was no whole answer within {seconds:.0f} seconds. Ask for less, or raise "
                "SMOLCHAT_STRUCTURED_SECONDS.",
                **next(filter(None, (one.lost() for one in self._drawings if not one.answer)), {}),
                **self._finished(),
            )
        except SmolChatError as error:
            end = error.with_details(**self._finished())
        except Exception as error:  # raised where it is waited for
            end = error
        await self._told.put(end)

    async def _draw_all(self) -> None:
        await self._form.prepared(0)  # a schema is vetted before anything else has to do with it
        self._has_grammar = await self._state.capabilities.has_grammar(
            self._body["model"], self._complete
        )
        order = Order(
            body=self._body,
            options=self._options,
            form=self._form,
            has_grammar=self._has_grammar,
            attempts=self._state.settings.structured_attempts,
            is_stream=self._is_stream,
        )
        self._drawings = [Drawing(order, index) for index in range(self._answers)]
        self._left.extend(self._drawings)
        try:
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(self._lane(lanes))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _lane(self, lanes: asyncio.TaskGroup) -> None:
        """Draw one after another in the one place that this request waits for, and keeps.

        So it is not sent away for what it asks itself, nor after it has begun.
        """
        place = self._state.queue.place(is_alone=self._options.deterministic)
        try:
            while self._left:
                drawing = self._left.popleft()
                for _ in range(self._spare_lanes, min(AT_ONCE - 1, len(self._left))):
                    self._spare_lanes += 1
                    lanes.create_task(self._spare_lane())
                await self._draw(drawing, place)
        finally:
            place.leave()

    async def _spare_lane(self) -> None:
        """Draw in places that nobody waits for, as long as there are any."""
        while self._left and (place := self._state.queue.spare_place()):
            try:
                await self._draw(self._left.popleft(), place)
            finally:
                place.leave()
        self._spare_lanes -= 1

    async def _draw(self, drawing: Drawing, place: Place) -> None:
        async with aclosing(drawing.events(self._completion, place)) as events:
            async for event in events:
                await self._told.put(event)

    def _completion(self, body: dict[str, Any], options: SmolchatOptions) -> Answering:
        return Answering(
            body,
            options,
            upstream=self._state.model_server,
            line=self._state.queue,
            measures=self._state.metrics,
        )

    async def _complete(self, body: dict[str, Any]) -> bytes:
        async with aclosing(self._completion(body, SmolchatOptions()).pieces()) as pieces:
            return b"".join([piece async for piece in pieces])

    def _finished(self) -> dict[str, Any]:
        """Give the answers that fit, for an error to take along."""
        found = [one.answer.model_dump() for one in self._drawings if one.answer]
        return {"answers": found} if found else {}

    def _reply(self) -> StructuredReply:
        answers = [one.answer for one in self._drawings if one.answer]
        spent = [attempt.usage for answer in answers for attempt in answer.attempts]
        left = dict.fromkeys(found for one in self._drawings for found in one.unenforced)
        return StructuredReply(
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
