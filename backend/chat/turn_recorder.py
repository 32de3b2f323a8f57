"""Stores a turn of a conversation as it happens: the question first, then its answer."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from backend.chat.answer_writer import AnswerWriter
from backend.completions.active_answers import ActiveAnswer
from backend.completions.completion import Completion
from backend.completions.history import continued_answer
from backend.conversations.conversation import Message, MessageState
from backend.conversations.repository import ConversationRepository, Turn
from backend.errors import (
    AnswerStoppedError,
    ConversationNotFoundError,
    DatabaseUnavailableError,
    InvalidRequestError,
)
from backend.json_values import content_text
from backend.model_server.answers.message_builder import MessageBuilder
from backend.model_server.answers.sse import DONE, extension_chunk
from backend.protocol import ChatCompletionRequest, ChatExtensionOptions
from backend.state import AppState

# What ends an answer when it is stopped, or its conversation is deleted, by another request.
ENDED_FROM_ELSEWHERE = (AnswerStoppedError, ConversationNotFoundError)
# Fields of a request that are not parameters of its answer.
_NON_PARAMETERS = {"messages", "model", "stream", "stream_options", "return_progress"}
_ONE_ANSWER = "A stored question gets one answer: ask again with `parent` for each further one."
_NO_QUESTION = "There is no user message to store."


async def start_turn(
    request: ChatCompletionRequest,
    body: dict[str, Any],
    state: AppState,
    *,
    repository: ConversationRepository,
) -> "TurnRecorder":
    """Store the question and an empty answer, before the model is asked.

    Raises:
        SmolChatError: They cannot be stored in this conversation.
    """
    options = request.smolchat or ChatExtensionOptions()
    conversation = options.conversation or ""
    with state.answers.begin(conversation, is_detached=options.detach) as answer:
        turn, message = await store_question(request, body, repository)
        text = MessageBuilder(message.content, state.model_server.limits)
        writer = AnswerWriter(turn.answer_message_id, text, repository, answer, state.shutting_down)
        return TurnRecorder(turn, answer, writer, state.shutting_down, model=body["model"])


async def store_question(
    request: ChatCompletionRequest, body: dict[str, Any], repository: ConversationRepository
) -> tuple[Turn, Message]:
    """Store the question of a request, and its answer, which is empty yet and is returned.

    Raises:
        SmolChatError: They cannot be stored in this conversation.
    """
    options = request.smolchat or ChatExtensionOptions()
    conversation = options.conversation or ""
    question = _last_user_message(request, options.parent)
    if question is None or body.get("n", 1) > 1:
        # A missing conversation is the first thing to report.
        await repository.check_exists(conversation)
        param, problem = ("n", _ONE_ANSWER) if question else ("messages", _NO_QUESTION)
        raise InvalidRequestError(problem, param=param)
    after_current = "parent" not in options.model_fields_set
    answer = new_answer(body)
    turn = await repository.create_turn(conversation, question, answer, after_current=after_current)
    return turn, answer


def new_answer(body: dict[str, Any]) -> Message:
    """Return the answer to a request before the model has written any of it."""
    return Message(
        role="assistant",
        content=continued_answer(body["messages"]),
        model=body["model"],
        parameters=answer_parameters(body),
        state="writing",
    )


class TurnRecorder:
    """Passes a completion on, and stores its answer."""

    def __init__(
        self,
        turn: Turn,
        answer: ActiveAnswer,
        writer: AnswerWriter,
        shutting_down: asyncio.Event,
        *,
        model: str,
    ) -> None:
        self.answer = answer
        self._turn = turn
        self._writer = writer
        self._shutting_down = shutting_down
        self._model = model

    async def stream(self, completion: Completion, *, is_stream: bool) -> AsyncGenerator[bytes]:
        """Yield the completion's chunks; the answer is stored before the last one.

        Raises:
            SmolChatError: The completion failed, or its answer cannot be stored.
        """
        completion.on_event = self.answer.observe
        ids = self._turn_ids()
        first = extension_chunk(self._model, ids) if is_stream else b""
        completion.extensions = {} if is_stream else ids
        try:
            async with aclosing(completion.stream()) as chunks:
                while (
                    chunk := await self.answer.wait_for(lambda: anext(chunks, None))
                ) is not None:
                    if is_stream and not chunk.endswith(DONE):
                        self._writer.schedule_save()
                    else:
                        await self._writer.finish("finished", _details(completion))
                    yield first + chunk
                    first = b""
        except (asyncio.CancelledError, GeneratorExit):
            is_interrupted = self._shutting_down.is_set()
            await self._end(completion, "interrupted" if is_interrupted else "stopped")
            raise
        except ENDED_FROM_ELSEWHERE:
            await self._end(completion, "stopped")
            raise
        except Exception as error:
            await self._end(completion, "failed", error)
            raise
        finally:
            self.answer.end()

    async def _end(
        self, completion: Completion, state: MessageState, error: Exception | None = None
    ) -> None:
        """Store how an incomplete answer ended. The caller raises the reason of that."""
        with suppress(DatabaseUnavailableError):
            await self._writer.finish(state, _details(completion), error)

    def _turn_ids(self) -> dict[str, Any]:
        turn = self._turn
        ids = {"user_message": turn.user_message_id, "answer_message": turn.answer_message_id}
        return {"conversation": {"id": turn.conversation_id} | ids}


def _details(completion: Completion) -> dict[str, Any]:
    parameters = answer_parameters(completion.sent_fields())
    return {"receipt": completion.receipt(), "parameters": parameters} | completion.details


def answer_parameters(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in _NON_PARAMETERS}


def _last_user_message(request: ChatCompletionRequest, parent: str | None) -> Message | None:
    for message in reversed(request.messages):
        if message.role == "user":
            content = message.model_dump(mode="json", exclude_unset=True)["content"]
            parts = content if isinstance(content, list) else None
            return Message(role="user", parent=parent, content=content_text(content), parts=parts)
    return None
