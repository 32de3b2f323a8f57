"""Stores a turn of a conversation as it happens: the question first, then its answer.

The text is saved every second, so that no end of this process loses more than that.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from backend.completions.completion import Completion
from backend.completions.history import continued_answer
from backend.conversations.conversation import Message, MessageState
from backend.conversations.repository import ConversationRepository, Turn
from backend.errors import DatabaseUnavailableError, InvalidRequestError, SmolChatError
from backend.http.error_handlers import internal_error
from backend.json_values import content_text
from backend.model_server.message_builder import MessageBuilder
from backend.model_server.sse import DONE, extension_chunk
from backend.protocol import ChatCompletionRequest, ChatExtensionOptions

SAVE_INTERVAL_SECONDS = 1.0
# Fields of a request that are not parameters of its answer.
_NON_PARAMETERS = {"messages", "model", "stream", "stream_options", "return_progress"}
_ONE_ANSWER = "A stored question gets one answer: ask again with `parent` for each further one."
_NO_QUESTION = "There is no user message to store."


async def start_turn(
    request: ChatCompletionRequest,
    body: dict[str, Any],
    *,
    repository: ConversationRepository,
    shutting_down: asyncio.Event,
) -> "TurnRecorder":
    """Store the question and an empty answer, before the model is asked.

    Raises:
        SmolChatError: They cannot be stored in this conversation.
    """
    options = request.smolchat or ChatExtensionOptions()
    conversation = options.conversation or ""
    question = _last_user_message(request, options.parent)
    if question is None or body.get("n", 1) > 1:
        await repository.get(conversation)  # a missing conversation is the first thing to report
        param, problem = ("n", _ONE_ANSWER) if question else ("messages", _NO_QUESTION)
        raise InvalidRequestError(problem, param=param)
    answer = Message(
        role="assistant",
        content=continued_answer(body["messages"]),
        model=body["model"],
        parameters=_parameters(body),
        state="writing",
    )
    turn = await repository.create_turn(
        conversation,
        question,
        answer,
        after_current="parent" not in options.model_fields_set,
    )
    return TurnRecorder(turn, repository, shutting_down, answer)


class TurnRecorder:
    """Passes a completion on, and stores its answer."""

    def __init__(
        self,
        turn: Turn,
        repository: ConversationRepository,
        shutting_down: asyncio.Event,
        answer: Message,
    ) -> None:
        self._turn = turn
        self._repository = repository
        self._shutting_down = shutting_down
        self._model = answer.model or ""
        self._message = MessageBuilder(answer.content)
        self._timer: asyncio.TimerHandle | None = None
        self._save_task: asyncio.Task[None] | None = None
        self._finish_task: asyncio.Task[None] | None = None

    async def stream(self, completion: Completion, *, is_stream: bool) -> AsyncGenerator[bytes]:
        """Yield the completion's chunks; the answer is stored before the last one.

        Raises:
            SmolChatError: The completion failed, or its answer cannot be stored.
        """
        completion.on_event = self._message.add
        ids = self._turn_ids()
        first = extension_chunk(self._model, ids) if is_stream else b""
        completion.extensions = {} if is_stream else ids
        try:
            async with aclosing(completion.stream()) as chunks:
                async for chunk in chunks:
                    if is_stream and not chunk.endswith(DONE):
                        self._schedule_save()
                    else:
                        await self._finish(completion, "finished")
                    yield first + chunk
                    first = b""
        except SmolChatError as error:
            await self._finish(completion, "failed", error)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            is_interrupted = self._shutting_down.is_set()
            await self._finish(completion, "interrupted" if is_interrupted else "stopped")
            raise
        except Exception:
            await self._finish(completion, "failed", internal_error())
            raise

    def _turn_ids(self) -> dict[str, Any]:
        turn = self._turn
        ids = {"user_message": turn.user_message_id, "answer_message": turn.answer_message_id}
        return {"conversation": {"id": turn.conversation_id} | ids}

    def _schedule_save(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(SAVE_INTERVAL_SECONDS, self._save_if_idle)

    def _save_if_idle(self) -> None:
        self._timer = None
        if self._save_task is not None and not self._save_task.done():
            self._schedule_save()  # the database is slow
        elif self._save_task is None or not self._save_task.exception():  # `_finish` raises it
            self._save_task = asyncio.create_task(self._save_partial())

    async def _save_partial(self) -> None:
        changes = self._message.message_fields() | {"state": "writing"}
        with suppress(DatabaseUnavailableError):  # it has been logged, and `_finish` tries again
            await self._repository.update_answer(self._turn.answer_message_id, changes)

    async def _finish(
        self, completion: Completion, state: MessageState, error: SmolChatError | None = None
    ) -> None:
        """Store how the answer ended, once, even if the caller is cancelled while it waits."""
        if self._finish_task is None:
            changes: dict[str, Any] = {"state": state, "receipt": completion.receipt()}
            changes["parameters"] = _parameters(completion.sent_fields())
            changes["error"] = error.payload()["error"] if error else None
            fields = self._message.stored_fields() | changes
            self._finish_task = asyncio.create_task(self._save_final(fields))
        await asyncio.shield(self._finish_task)

    async def _save_final(self, changes: dict[str, Any]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self._save_task is not None:
                await self._save_task
        finally:
            await self._repository.update_answer(self._turn.answer_message_id, changes)


def _parameters(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in _NON_PARAMETERS}


def _last_user_message(request: ChatCompletionRequest, parent: str | None) -> Message | None:
    for message in reversed(request.messages):
        if message.role == "user":
            content = message.model_dump(mode="json", exclude_unset=True)["content"]
            parts = content if isinstance(content, list) else None
            return Message(role="user", parent=parent, content=content_text(content), parts=parts)
    return None
