"""A turn of a conversation, stored as it happens: the question first, and how its answer ends.

The text is written down every second, so that no end of this process takes more than that.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from pydantic_core import from_json, to_json

from backend.chat.message_builder import Written
from backend.completions.completion import Answering
from backend.conversations.conversation import Message, State
from backend.conversations.repository import Store, Turn
from backend.errors import InvalidRequestError, SmolChatError, StoreUnavailableError
from backend.http.error_handlers import unexpected
from backend.json_values import content_text
from backend.model_server.sse import DONE, chunk_of_ours, events
from backend.protocol import ChatOptions, ChatRequest

WRITE_SECONDS = 1.0
# What of a request to a model server is no parameter of the answer.
_NO_PARAMETERS = {"messages", "model", "stream", "stream_options", "return_progress"}
_ONE_ANSWER = "A stored question gets one answer: ask it again for each more (`parent`)."
_NO_QUESTION = "There is no user's message that could be stored."


async def begin_recording(
    request: ChatRequest, body: dict[str, Any], *, store: Store, stopping: asyncio.Event
) -> "Recording":
    """Store the question, before the model is asked.

    Raises:
        SmolChatError: it cannot be stored there.
    """
    options = request.smolchat or ChatOptions()
    conversation = options.conversation or ""
    if (asked := _asked(request, options.parent)) is None or body.get("n", 1) > 1:
        await store.find(conversation)  # that it is not there is told first
        param, problem = ("n", _ONE_ANSWER) if asked else ("messages", _NO_QUESTION)
        raise InvalidRequestError(problem, param=param)
    answer = Message(
        role="assistant",
        content=_begun(request),
        model=body["model"],
        parameters={name: value for name, value in body.items() if name not in _NO_PARAMETERS},
        state="writing",
    )
    turn = await store.begin_turn(
        conversation,
        asked,
        answer,
        follows_on="parent" not in options.model_fields_set,
    )
    return Recording(turn, store, stopping, answer)


class Recording:
    """Passes an answer on, and stores it."""

    def __init__(self, turn: Turn, store: Store, stopping: asyncio.Event, answer: Message) -> None:
        self._turn = turn
        self._store = store
        self._stopping = stopping
        self._model = answer.model or ""
        self._written = Written(answer.content)
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def pieces(self, answering: Answering, *, is_stream: bool) -> AsyncGenerator[bytes]:
        """Pass the pieces of an answer on; it is stored before its last one is given.

        Raises:
            SmolChatError: as the answer does, or because it cannot be stored.
        """
        try:
            passed = self._stream(answering) if is_stream else self._whole(answering)
            async with aclosing(passed) as pieces:
                async for piece in pieces:
                    yield piece
        except SmolChatError as error:
            await self._end(answering, "failed", error)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            await self._end(answering, "interrupted" if self._stopping.is_set() else "stopped")
            raise
        except Exception:
            await self._end(answering, "failed", unexpected())
            raise

    async def _stream(self, answering: Answering) -> AsyncGenerator[bytes]:
        told = chunk_of_ours(self._model, self._ids())
        async with aclosing(answering.pieces()) as pieces:
            async for piece in pieces:
                for event in events(piece):
                    self._written.read(event)
                self._write_soon()
                if piece.endswith(DONE):
                    await self._end(answering, "finished")
                yield told + piece
                told = b""

    async def _whole(self, answering: Answering) -> AsyncGenerator[bytes]:
        async with aclosing(answering.pieces()) as pieces:
            async for piece in pieces:
                answer = from_json(piece)
                self._written.read(answer)
                await self._end(answering, "finished")
                answer["smolchat"] = answer.get("smolchat", {}) | self._ids()
                yield to_json(answer)

    def _ids(self) -> dict[str, Any]:
        turn = self._turn
        ids = {"user_message": turn.user_message, "answer_message": turn.answer_message}
        return {"conversation": {"id": turn.conversation} | ids}

    def _write_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_SECONDS, self._write)

    def _write(self) -> None:
        self._timer = None
        if self._writing is not None and not self._writing.done():
            self._write_soon()  # the database is slow
        elif self._writing is None or not self._writing.exception():  # of which the end will tell
            self._writing = asyncio.create_task(self._write_down())

    async def _write_down(self) -> None:
        changes = self._written.text() | {"state": "writing"}
        with suppress(StoreUnavailableError):  # it has been logged, and the end will be told
            await self._store.write_answer(self._turn.answer_message, changes)

    async def _end(
        self, answering: Answering, state: State, error: SmolChatError | None = None
    ) -> None:
        """Store how the answer ended, once, whoever leaves meanwhile."""
        if self._ending is None:
            changes: dict[str, Any] = {"state": state, "receipt": answering.receipt()}
            changes["error"] = error.body()["error"] if error else None
            self._ending = asyncio.create_task(self._write_end(self._written.whole() | changes))
        await asyncio.shield(self._ending)

    async def _write_end(self, changes: dict[str, Any]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self._writing is not None:
                await self._writing
        finally:
            await self._store.write_answer(self._turn.answer_message, changes)


def _asked(request: ChatRequest, parent: str | None) -> Message | None:
    """Give the question: what the user said last."""
    for message in reversed(request.messages):
        if message.role == "user":
            content = message.model_dump(mode="json", exclude_unset=True)["content"]
            parts = content if isinstance(content, list) else None
            return Message(role="user", parent=parent, content=content_text(content), parts=parts)
    return None


def _begun(request: ChatRequest) -> str:
    """Give what the model is to go on with: an answer that was cut is the start of this one."""
    last = request.messages[-1]
    content = last.model_dump(mode="json", exclude_unset=True).get("content")
    return content_text(content) if last.role == "assistant" else ""
