"""A turn of a conversation, stored as it happens: the question first, and how its answer ends.

The text is written down every second, so that no end of this process takes more than that.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from pydantic_core import from_json, to_json

from backend.chat.message_builder import MessageBuilder
from backend.completions.completion import Completion
from backend.conversations.conversation import Message, MessageState
from backend.conversations.repository import ConversationRepository, Turn
from backend.errors import DatabaseUnavailableError, InvalidRequestError, SmolChatError
from backend.http.error_handlers import internal_error
from backend.json_values import content_text
from backend.model_server.sse import DONE, extension_chunk, parse_events
from backend.protocol import ChatCompletionRequest, ChatExtensionOptions

SAVE_INTERVAL_SECONDS = 1.0
# What of a request to a model server is no parameter of the answer.
_NON_PARAMETERS = {"messages", "model", "stream", "stream_options", "return_progress"}
_ONE_ANSWER = "A stored question gets one answer: ask it again for each more (`parent`)."
_NO_QUESTION = "There is no user's message that could be stored."


async def start_turn(
    request: ChatCompletionRequest,
    body: dict[str, Any],
    *,
    store: ConversationRepository,
    stopping: asyncio.Event,
) -> "TurnRecorder":
    """Store the question, before the model is asked.

    Raises:
        SmolChatError: it cannot be stored there.
    """
    options = request.smolchat or ChatExtensionOptions()
    conversation = options.conversation or ""
    if (asked := _last_user_message(request, options.parent)) is None or body.get("n", 1) > 1:
        await store.get(conversation)  # that it is not there is told first
        param, problem = ("n", _ONE_ANSWER) if asked else ("messages", _NO_QUESTION)
        raise InvalidRequestError(problem, param=param)
    answer = Message(
        role="assistant",
        content=_assistant_prefix(request),
        model=body["model"],
        parameters={name: value for name, value in body.items() if name not in _NON_PARAMETERS},
        state="writing",
    )
    turn = await store.create_turn(
        conversation,
        asked,
        answer,
        follows_on="parent" not in options.model_fields_set,
    )
    return TurnRecorder(turn, store, stopping, answer)


class TurnRecorder:
    """Passes an answer on, and stores it."""

    def __init__(
        self, turn: Turn, store: ConversationRepository, stopping: asyncio.Event, answer: Message
    ) -> None:
        self._turn = turn
        self._repository = store
        self._stopping = stopping
        self._model = answer.model or ""
        self._written = MessageBuilder(answer.content)
        self._timer: asyncio.TimerHandle | None = None
        self._save_task: asyncio.Task[None] | None = None
        self._finish_task: asyncio.Task[None] | None = None

    async def stream(self, answering: Completion, *, is_stream: bool) -> AsyncGenerator[bytes]:
        """Pass the pieces of an answer on; it is stored before its last one is given.

        Raises:
            SmolChatError: as the answer does, or because it cannot be stored.
        """
        try:
            passed = self._stream(answering) if is_stream else self._complete(answering)
            async with aclosing(passed) as pieces:
                async for piece in pieces:
                    yield piece
        except SmolChatError as error:
            await self._finish(answering, "failed", error)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            await self._finish(answering, "interrupted" if self._stopping.is_set() else "stopped")
            raise
        except Exception:
            await self._finish(answering, "failed", internal_error())
            raise

    async def _stream(self, answering: Completion) -> AsyncGenerator[bytes]:
        told = extension_chunk(self._model, self._turn_ids())
        async with aclosing(answering.stream()) as pieces:
            async for piece in pieces:
                for event in parse_events(piece):
                    self._written.add(event)
                self._schedule_save()
                if piece.endswith(DONE):
                    await self._finish(answering, "finished")
                yield told + piece
                told = b""

    async def _complete(self, answering: Completion) -> AsyncGenerator[bytes]:
        async with aclosing(answering.stream()) as pieces:
            async for piece in pieces:
                answer = from_json(piece)
                self._written.add(answer)
                await self._finish(answering, "finished")
                answer["smolchat"] = answer.get("smolchat", {}) | self._turn_ids()
                yield to_json(answer)

    def _turn_ids(self) -> dict[str, Any]:
        turn = self._turn
        ids = {"user_message": turn.user_message, "answer_message": turn.answer_message}
        return {"conversation": {"id": turn.conversation} | ids}

    def _schedule_save(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(
                SAVE_INTERVAL_SECONDS, self._save_if_idle
            )

    def _save_if_idle(self) -> None:
        self._timer = None
        if self._save_task is not None and not self._save_task.done():
            self._schedule_save()  # the database is slow
        elif (
            self._save_task is None or not self._save_task.exception()
        ):  # of which the end will tell
            self._save_task = asyncio.create_task(self._save_partial())

    async def _save_partial(self) -> None:
        changes = self._written.message_fields() | {"state": "writing"}
        with suppress(DatabaseUnavailableError):  # it has been logged, and the end will be told
            await self._repository.update_answer(self._turn.answer_message, changes)

    async def _finish(
        self, answering: Completion, state: MessageState, error: SmolChatError | None = None
    ) -> None:
        """Store how the answer ended, once, whoever leaves meanwhile."""
        if self._finish_task is None:
            changes: dict[str, Any] = {"state": state, "receipt": answering.receipt()}
            changes["error"] = error.payload()["error"] if error else None
            self._finish_task = asyncio.create_task(
                self._save_final(self._written.stored_fields() | changes)
            )
        await asyncio.shield(self._finish_task)

    async def _save_final(self, changes: dict[str, Any]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self._save_task is not None:
                await self._save_task
        finally:
            await self._repository.update_answer(self._turn.answer_message, changes)


def _last_user_message(request: ChatCompletionRequest, parent: str | None) -> Message | None:
    """Give the question: what the user said last."""
    for message in reversed(request.messages):
        if message.role == "user":
            content = message.model_dump(mode="json", exclude_unset=True)["content"]
            parts = content if isinstance(content, list) else None
            return Message(role="user", parent=parent, content=content_text(content), parts=parts)
    return None


def _assistant_prefix(request: ChatCompletionRequest) -> str:
    """Give what the model is to go on with: an answer that was cut is the start of this one."""
    last = request.messages[-1]
    content = last.model_dump(mode="json", exclude_unset=True).get("content")
    return content_text(content) if last.role == "assistant" else ""
