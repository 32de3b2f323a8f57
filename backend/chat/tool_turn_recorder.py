"""Stores a turn with tools as it happens: each answer of the model, and each step as a message."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any

from backend.chat.answer_writer import AnswerWriter
from backend.chat.tool_receipt import turn_receipt
from backend.chat.turn_recorder import ENDED_FROM_ELSEWHERE, new_answer, store_question
from backend.completions.active_answers import ActiveAnswer
from backend.conversations.conversation import Message, MessageState
from backend.conversations.repository import ConversationRepository
from backend.conversations.tool_messages import ToolMessages
from backend.errors import DatabaseUnavailableError, InvalidRequestError
from backend.json_values import as_dict, as_str, content_text
from backend.model_server.answers.message_builder import MessageBuilder
from backend.protocol import ChatCompletionRequest, ChatExtensionOptions
from backend.state import AppState
from backend.tools.model_answer import TurnContext
from backend.tools.pending_calls import DENIED, calls_of, is_continuation
from backend.tools.steps import (
    MAX_ID_CHARACTERS,
    AnswerStarted,
    CallsMade,
    Delta,
    Step,
    StepChanged,
    ToolCall,
    TurnEvent,
    TurnFinished,
)

_ENDED = ("finished", "failed", "denied")
_LONG_ID = (
    f"The id of a tool call has more than {MAX_ID_CHARACTERS} characters, so it cannot be stored."
)

_OTHER_CALLS = (
    "The conversation's current message, or `parent`, does not have these calls. Send as `parent` "
    "the id of the message that has them, or of the last result."
)


async def start_tool_turn(
    request: ChatCompletionRequest,
    context: TurnContext,
    messages: list[dict[str, Any]],
    state: AppState,
    answer: ActiveAnswer,
) -> "ToolTurnRecorder":
    """Store what the client sends, and an empty answer, before the model is asked.

    If the messages end with calls or their results, the turn that has them is continued.

    Raises:
        SmolChatError: They cannot be stored in this conversation.
    """
    _check_call_ids(messages)
    options = request.smolchat or ChatExtensionOptions()
    conversation = options.conversation or ""
    repository = ConversationRepository(state.database, state.settings.max_conversation_messages)
    tool_messages = ToolMessages(state.database, conversation)
    after_current = "parent" not in options.model_fields_set
    recorder = ToolTurnRecorder(context, tool_messages, state, answer)
    last = await tool_messages.last_id(None if after_current else options.parent)
    if is_continuation(messages):
        max_messages = state.settings.max_conversation_messages
        has_ids = request.messages[-1].role != "function"  # OpenAI's older form has none
        last = await tool_messages.find_results(
            last, _last_call_ids(messages) if has_ids else (), max_messages=max_messages
        )
        if last is None:
            raise InvalidRequestError(_OTHER_CALLS, param="messages")
        await recorder.resume(last, messages)
    else:
        if last is not None and (after_current or options.parent is not None):
            await tool_messages.deny_awaiting(last, DENIED)
        body = context.body | {"messages": messages}
        turn, _ = await store_question(request, body, repository)
        recorder.begin(turn.answer_message_id, content="", user_message=turn.user_message_id)
    return recorder


def _last_call_ids(messages: list[dict[str, Any]]) -> set[str]:
    """Return the ids of the calls, and of those with results, that messages end with."""
    ids = set[str]()
    for message in reversed(messages):
        if message["role"] != "tool":
            return ids | {call.id for call in calls_of(message)}
        ids.add(as_str(message.get("tool_call_id")))
    return ids


def _check_call_ids(messages: list[dict[str, Any]]) -> None:
    for message in messages:
        ids = [call.id for call in calls_of(message)] + [as_str(message.get("tool_call_id"))]
        if max(map(len, ids)) > MAX_ID_CHARACTERS:
            raise InvalidRequestError(_LONG_ID, param="messages")


class ToolTurnRecorder:
    """Stores the events of a turn, then passes them on."""

    def __init__(
        self,
        context: TurnContext,
        tool_messages: ToolMessages,
        state: AppState,
        answer: ActiveAnswer,
    ) -> None:
        self.answer = answer
        self._context = context
        self._tool_messages = tool_messages
        self._state = state
        self._repository = ConversationRepository(state.database)
        self._rows: dict[str, str] = {}  # ids of the messages of steps, by the ids of their calls
        self._read_at: dict[str, datetime] = {}  # when rows that were read were written
        self._steps: dict[str, Step] = {}
        self._last_id: str | None = None  # the message that the next one follows
        self._writer: AnswerWriter | None = None  # of an answer that is not finished
        self._storing: asyncio.Task[None] | None = None
        self.ids: dict[str, Any] = {}
        self.finished: dict[str, str] = {}  # results of continued steps, by the ids of their calls

    def begin(self, answer_id: str, *, content: str = "", user_message: str | None = None) -> None:
        """Start recording an answer that is stored already."""
        message = MessageBuilder(content, self._state.model_server.limits)
        self._last_id = answer_id
        self._writer = AnswerWriter(
            answer_id, message, self._repository, self.answer, self._state.shutting_down
        )
        self._context.on_event = self.answer.observe
        self.ids.setdefault("id", self._tool_messages.conversation_id)
        if user_message is not None:
            self.ids["user_message"] = user_message
        self.ids["answer_message"] = answer_id

    async def begin_after(self, last: str | None) -> None:
        """Store an empty answer after the message `last`, and start recording it."""
        self._last_id = last
        await self._begin_next()

    @property
    def answer_id(self) -> str:
        """The id of the answer in progress, or of the last one."""
        return str(self.ids["answer_message"])

    def result_id(self, call_id: str) -> str:
        """Return the id of the message with the result of a call that is a step."""
        return self._rows[call_id]

    async def resume(self, last: str | None, messages: list[dict[str, Any]]) -> None:
        """Continue after the stored message `last`; store the results that the client sends.

        Raises:
            SmolChatError: One of the calls is running already, or they cannot be stored.
        """
        rows = await self._tool_messages.results_at_end(last)
        self._rows = {call_id: row["id"] for call_id, row in rows.items()}
        self._read_at = {row["id"]: row["updated_at"] for row in rows.values()}
        self.finished = {
            call_id: row["content"]
            for call_id, row in rows.items()
            if as_dict(row["step"]).get("state") == "finished"
        }
        self._last_id = last
        results = [m for m in messages if m["role"] == "tool"]
        sent = {as_str(message.get("tool_call_id")): message for message in results}
        for message in reversed(messages):
            if message["role"] != "tool":
                break
            call_id = as_str(message.get("tool_call_id"))
            content = content_text(sent[call_id]["content"])
            if call_id not in self._rows:
                await self._append(Message(role="tool", content=content, tool_call_id=call_id))
            elif (step := as_dict(rows[call_id]["step"])).get("state") == "awaiting_approval":
                # The client ran it itself, or lets it be.
                state = "denied" if content == DENIED else "finished"
                changes = {"state": state, "result": content}
                fields = {"content": content, "step": step | changes}
                await self._repository.update_answer(self._rows[call_id], fields)
        self.ids = {"id": self._tool_messages.conversation_id, "answer_message": self._last_id}
        self.answer.message_id = self._last_id or ""

    async def stream(self, events: AsyncGenerator[TurnEvent]) -> AsyncGenerator[TurnEvent]:
        """Yield the events; each is stored before it is passed on.

        Raises:
            SmolChatError: The turn failed, or cannot be stored.
        """
        try:
            async with aclosing(events):
                while True:
                    event = await self.answer.wait_for(lambda: anext(events, None))
                    if event is None:
                        break
                    await self._store(event)
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            is_interrupted = self._state.shutting_down.is_set()
            await self._end("interrupted" if is_interrupted else "stopped")
            raise
        except ENDED_FROM_ELSEWHERE:
            await self._end("stopped")
            raise
        except Exception as error:
            await self._end("failed", error)
            raise
        finally:
            self.answer.end()

    async def _store(self, event: TurnEvent) -> None:
        if isinstance(event, Delta):
            if self._writer is not None:
                self._writer.schedule_save()
            return
        # If it ended halfway when the client leaves, `_end` would not know what is stored.
        self._storing = asyncio.create_task(self._store_change(event))
        await asyncio.shield(self._storing)

    async def _store_change(self, event: TurnEvent) -> None:
        match event:
            case CallsMade(calls=calls):
                await self._finish(calls)
            case StepChanged(step=step):
                await self._store_step(step)
                self.answer.rows_changed()
            case AnswerStarted():
                await self._begin_next()
            case TurnFinished():
                await self._finish([])

    async def _finish(self, calls: list[ToolCall]) -> None:
        if self._writer is None:
            return
        details = self._details()
        if calls:
            details["tool_calls"] = [call.as_dict() for call in calls]
        await self._writer.finish("finished", details)
        self._writer = None

    async def _store_step(self, step: Step) -> None:
        fields: dict[str, Any] = {
            "content": step.result or step.error or "",
            "step": step.model_dump(),
            "state": "writing" if step.state == "running" else "finished",
        }
        row = self._rows.get(step.id)
        if row is None:
            await self._append(Message(role="tool", tool_call_id=step.id, **fields))
        elif (read_at := self._read_at.pop(row, None)) is not None:
            await self._tool_messages.update_unchanged(row, read_at, fields)
        else:
            await self._repository.update_answer(row, fields)
        self._steps[step.id] = step

    async def _append(self, message: Message) -> None:
        await self._tool_messages.append(message, after=self._last_id)
        self._last_id = message.id
        if message.tool_call_id is not None:
            self._rows[message.tool_call_id] = message.id

    async def _begin_next(self) -> None:
        """Store another empty answer, which follows the results."""
        answer = new_answer(self._context.body | {"messages": [{"role": "user"}]})
        await self._tool_messages.append(answer, after=self._last_id)
        self.begin(answer.id)

    async def _end(self, state: MessageState, error: Exception | None = None) -> None:
        """Store how an incomplete turn ended; the caller raises the error."""
        if self._storing is not None:
            await asyncio.gather(self._storing, return_exceptions=True)
        with suppress(DatabaseUnavailableError):
            for step in self._steps.values():
                if step.state not in (*_ENDED, "awaiting_approval"):
                    await self._store_step(step.model_copy(update={"state": "interrupted"}))
            if self._writer is not None:
                await self._writer.finish(state, self._details(), error)

    def _details(self) -> dict[str, Any]:
        return {"receipt": turn_receipt(self._context) or None}
