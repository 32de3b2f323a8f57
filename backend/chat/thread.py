"""Turns in threads: conversations whose ids, and those of their messages, come from the client.

Agent protocols use threads. They import the events of a turn from here.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from backend.chat.detached import detached
from backend.chat.tool_chat import prepare_turn
from backend.chat.tool_receipt import turn_receipt, turn_usage
from backend.chat.tool_turn_recorder import ToolTurnRecorder
from backend.completions.upstream_request import build_upstream_request
from backend.conversations.threads import (
    SentMessage,
    StoredResult,
    StoredThread,
    ThreadRepository,
)
from backend.conversations.tool_messages import ToolMessages
from backend.errors import InvalidRequestError, InvalidResumeError
from backend.images.images import RequestImages
from backend.protocol import ChatCompletionRequest, ChatExtensionOptions
from backend.state import AppState
from backend.tools.pending_calls import DENIED, is_continuation
from backend.tools.registry import ToolRegistry
from backend.tools.steps import (
    AnswerStarted,
    CallsMade,
    Delta,
    Step,
    StepChanged,
    ToolCall,
    TurnEvent,
    TurnFinished,
)
from backend.tools.turn import ToolTurn

__all__ = [
    "AnswerStarted",
    "CallsMade",
    "Delta",
    "Step",
    "StepChanged",
    "StoredResult",
    "ThreadRequest",
    "ThreadTurn",
    "Threads",
    "ThreadsDep",
    "ToolCall",
    "TurnEvent",
    "TurnFinished",
]

_NO_QUESTION = "The messages must end with a user message, or with tool calls or their results."


@dataclass(frozen=True, kw_only=True)
class ThreadRequest:
    """A chat request with the ids of its thread and of each of its messages."""

    thread_id: str
    message_ids: Sequence[str]
    chat: ChatCompletionRequest
    system_prompt: str | None = None  # of a conversation that does not exist yet
    detach: bool = False  # the turn goes on when its client disconnects


@dataclass(frozen=True)
class ThreadTurn:
    """A started turn: its events, which are stored as they happen, and the ids in them."""

    _turn: ToolTurn
    _recorder: ToolTurnRecorder
    # Of calls whose results the client does not have: they were denied, or did not reach it.
    results: Mapping[str, StoredResult] = field(default_factory=dict)

    def stream(self) -> AsyncGenerator[TurnEvent]:
        """Yield the events of the turn; each is stored before it is yielded."""
        return self._recorder.stream(self._turn.stream())

    def detach(self, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """Start generating the response in the background; it goes on if the client disconnects."""
        return detached(chunks, self._recorder.answer, self._turn.context.state)

    @property
    def model(self) -> str:
        return str(self._turn.context.body["model"])

    @property
    def answer_id(self) -> str:
        """The id of the message that is being generated."""
        return self._recorder.answer_id

    def result_id(self, call_id: str) -> str:
        return self._recorder.result_id(call_id)

    def awaits_approval(self, call: ToolCall) -> bool:
        step = self._turn.steps.get(call.id)
        return step is not None and step.state == "awaiting_approval"

    def parameters_of(self, call: ToolCall) -> dict[str, Any]:
        return self._turn.parameters_of(call)

    def receipt(self) -> dict[str, Any]:
        return turn_receipt(self._turn.context)

    def usage(self) -> dict[str, int] | None:
        return turn_usage(self._turn.context)


@dataclass(frozen=True)
class Threads:
    """Starts the turns of threads."""

    _state: AppState
    _registry: ToolRegistry

    async def start_turn(self, request: ThreadRequest) -> ThreadTurn:
        """Store what is new in a thread, and an empty answer, before the model is asked.

        Raises:
            InvalidResumeError: A decided call does not await approval.
            SmolChatError: The request cannot be answered.
        """
        state, options = self._state, request.chat.smolchat or ChatExtensionOptions()
        body = build_upstream_request(request.chat, state.settings)
        images = await state.images.prepare(str(body["model"]), body["messages"])
        sent = _stored_messages(body["messages"], request.message_ids, images)
        turn = await prepare_turn(body, options, state=state, registry=self._registry)
        repository = ThreadRepository(
            state.database, request.thread_id, state.settings.max_conversation_messages
        )
        thread = await repository.find(sent)
        if images:
            turn.context.images = images
            await state.images.store.add(images.new_images(_first_new(thread, sent, body)))
        _check_decisions(options, turn, thread, sent)
        answered = {message.call_id for message in sent}
        known_id = thread.last_id
        tool_messages = ToolMessages(state.database, request.thread_id)
        with state.answers.begin(request.thread_id, is_detached=request.detach) as answer:
            await repository.append(thread, sent, system_prompt=request.system_prompt)
            if known_id and not all(message.is_result for message in sent[thread.known :]):
                await _deny_awaiting(tool_messages, thread, known_id)
            results = {call: each for call, each in thread.results.items() if call not in answered}
            turn.add_results({call: result.text for call, result in results.items()})
            recorder = ToolTurnRecorder(turn.context, tool_messages, state, answer)
            if is_continuation(body["messages"]):
                await recorder.resume(thread.last_id, body["messages"])
            else:
                await recorder.begin_after(thread.last_id)
        return ThreadTurn(turn, recorder, results)


async def _threads(request: Request) -> Threads:
    return Threads(request.app.state.core, request.app.state.tools)


ThreadsDep = Annotated[Threads, Depends(_threads)]


def _first_new(thread: StoredThread, sent: Sequence[SentMessage], body: dict[str, Any]) -> int:
    """Return the position of the first message that is not stored yet."""
    positions = [n for n, each in enumerate(body["messages"]) if each["role"] != "system"]
    return positions[thread.known] if thread.known < len(sent) else len(body["messages"])


def _stored_messages(
    messages: list[dict[str, Any]], ids: Sequence[str], images: RequestImages | None
) -> list[SentMessage]:
    """Return the messages to store: all but system messages.

    Raises:
        InvalidRequestError: There is nothing to answer.
    """
    sent = [
        SentMessage(message_id, images.as_stored(number, message) if images else message)
        for number, (message_id, message) in enumerate(zip(ids, messages, strict=True))
        if message["role"] != "system"
    ]
    last = sent[-1].fields if sent else {"role": "assistant"}
    if last["role"] == "assistant" and not last.get("tool_calls"):
        raise InvalidRequestError(_NO_QUESTION, param="messages")
    return sent


def _check_decisions(
    options: ChatExtensionOptions, turn: ToolTurn, thread: StoredThread, sent: Sequence[SentMessage]
) -> None:
    open_ids = {call.id for call in turn.pending_calls()}
    decided_ids = {*thread.results, *(message.call_id for message in sent)}
    for call_id in options.approvals:
        if call_id not in open_ids | decided_ids:
            raise InvalidResumeError(
                f"No call {call_id!r:.80} awaits approval. Send all messages, that with the call "
                "last, and the same tools as before."
            )


async def _deny_awaiting(tool_messages: ToolMessages, thread: StoredThread, last_id: str) -> None:
    """Deny the calls that await approval at a message that is no longer the last one."""
    denied = await tool_messages.deny_awaiting(last_id, DENIED)
    thread.results |= {
        call_id: StoredResult(message_id, DENIED) for call_id, message_id in denied.items()
    }
