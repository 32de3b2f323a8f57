"""Converts the events of a turn to AG-UI events."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any, Literal

from backend.agui.protocol import PROTOCOL_VERSION, RunAgentInput
from backend.chat.thread import (
    AnswerStarted,
    CallsMade,
    Delta,
    Step,
    StepChanged,
    ThreadTurn,
    ToolCall,
    TurnEvent,
    TurnFinished,
)
from backend.errors import SmolChatError
from backend.json_values import as_dict, as_dict_list
from backend.model_server.answers.json_text import dump_json
from backend.model_server.answers.reasoning import parts_of

Event = dict[str, Any]

# The extensions in chunks that become `CUSTOM` events.
_CUSTOM_EVENTS = ("progress", "reasoning_so_far")


class RunEvents:
    """The events of one run."""

    def __init__(self, run: RunAgentInput, turn: ThreadTurn, *, has_receipt: bool) -> None:
        self._run = run
        self._turn = turn
        self._has_receipt = has_receipt
        self._open: Literal["text", "reasoning"] | None = None  # the message that is streamed
        self._has_answer = False  # whether the client has an event of the current message
        self._step_names: dict[str, str] = {}  # of running steps, by call id

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield the events.

        Raises:
            SmolChatError: The run failed; `run_error` is its last event.
        """
        yield run_started(self._run)
        for call_id, result in self._turn.results.items():
            yield encode(_result_event(result.message_id, call_id, result.text))
        async with aclosing(self._turn.stream()) as events:
            async for event in events:
                if data := b"".join(map(encode, self._events(event))):
                    yield data

    def _events(self, event: TurnEvent) -> Iterator[Event]:
        match event:
            case Delta(chunk=chunk):
                yield from self._delta_events(chunk)
            case CallsMade(calls=calls):
                yield from self._call_events(calls)
            case StepChanged(step=step):
                yield from self._step_events(step)
            case AnswerStarted():
                self._has_answer = False
            case TurnFinished(calls=calls):
                yield from self._last_events(calls)

    def _delta_events(self, chunk: dict[str, Any]) -> Iterator[Event]:
        for choice in as_dict_list(chunk.get("choices")):
            for kind, text in parts_of(as_dict(choice.get("delta"))):
                yield from self._write("reasoning" if kind == "reasoning" else "text", text)
        reports = as_dict(chunk.get("smolchat"))
        for name in _CUSTOM_EVENTS:
            if name in reports:
                yield _custom(name, reports[name])

    def _write(self, kind: Literal["text", "reasoning"], text: str) -> Iterator[Event]:
        if self._open != kind:
            yield from self._close()
            yield from self._begin(kind)
        name = "TEXT_MESSAGE" if kind == "text" else "REASONING_MESSAGE"
        yield {"type": f"{name}_CONTENT", "messageId": self._message_id(kind), "delta": text}

    def _begin(self, kind: Literal["text", "reasoning"]) -> Iterator[Event]:
        self._open = kind
        ids = {"messageId": self._message_id(kind)}
        if kind == "text":
            self._has_answer = True
            yield {"type": "TEXT_MESSAGE_START", "role": "assistant"} | ids
        else:
            yield {"type": "REASONING_START"} | ids
            yield {"type": "REASONING_MESSAGE_START", "role": "reasoning"} | ids

    def _close(self) -> Iterator[Event]:
        """End the open message."""
        kind, self._open = self._open, None
        if kind == "text":
            yield {"type": "TEXT_MESSAGE_END", "messageId": self._message_id(kind)}
        elif kind == "reasoning":
            ids = {"messageId": self._message_id(kind)}
            yield {"type": "REASONING_MESSAGE_END"} | ids
            yield {"type": "REASONING_END"} | ids

    def _message_id(self, kind: Literal["text", "reasoning"]) -> str:
        answer_id = self._turn.answer_id
        return answer_id if kind == "text" else f"{answer_id}-reasoning"

    def _call_events(self, calls: list[ToolCall]) -> Iterator[Event]:
        yield from self._close()
        self._has_answer = True
        for call in calls:
            ids = {"toolCallId": call.id}
            name = {"toolCallName": call.name, "parentMessageId": self._turn.answer_id}
            yield {"type": "TOOL_CALL_START"} | ids | name
            yield {"type": "TOOL_CALL_ARGS", "delta": call.arguments} | ids
            yield {"type": "TOOL_CALL_END"} | ids

    def _step_events(self, step: Step) -> Iterator[Event]:
        if step.state == "awaiting_approval":  # sent with the outcome
            return
        if step.state == "running":
            names = self._step_names.values()
            name = next(each for each in _numbered(step.tool) if each not in names)
            self._step_names[step.id] = name
            yield {"type": "STEP_STARTED", "stepName": name}
            return
        result = _result_event(
            self._turn.result_id(step.id), step.id, step.result or step.error or ""
        )
        details = step.model_dump(include={"state", "strategy", "milliseconds"})
        yield result | {"metadata": {"smolchat": details}}
        if (finished := self._step_names.pop(step.id, None)) is not None:
            yield {"type": "STEP_FINISHED", "stepName": finished}

    def _last_events(self, calls: list[ToolCall]) -> Iterator[Event]:
        if not self._has_answer:  # an empty answer is a message, too
            yield from self._close()
            yield from self._begin("text")
        yield from self._close()
        if self._has_receipt:
            yield _custom("receipt", self._turn.receipt())
        ids = {"threadId": self._run.thread_id, "runId": self._run.run_id}
        end: Event = {"type": "RUN_FINISHED", "outcome": self._outcome(calls)} | ids
        if usage := self._turn.usage():
            end["usage"] = [
                {
                    "model": self._turn.model,
                    "inputTokens": usage["prompt_tokens"],
                    "outputTokens": usage["completion_tokens"],
                    "totalTokens": usage["total_tokens"],
                }
            ]
        yield end

    def _outcome(self, calls: list[ToolCall]) -> dict[str, Any]:
        waiting = [call for call in calls if self._turn.awaits_approval(call)]
        if waiting:
            return {"type": "interrupt", "interrupts": [self._interrupt(call) for call in waiting]}
        pending = {"pendingToolCallIds": [call.id for call in calls]} if calls else {}
        return {"type": "success"} | pending

    def _interrupt(self, call: ToolCall) -> dict[str, Any]:
        """Return the request to approve a call, in the form that the protocol recommends."""
        schema = {
            "type": "object",
            "properties": {
                "approved": {"type": "boolean"},
                "editedArgs": self._turn.parameters_of(call),
            },
            "required": ["approved"],
        }
        return {
            "id": call.id,
            "reason": "tool_call",
            "message": f"Allow {call.name} to run?",
            "toolCallId": call.id,
            "responseSchema": schema,
        }


def run_started(run: RunAgentInput) -> bytes:
    ids = {"threadId": run.thread_id, "runId": run.run_id}
    return encode({"type": "RUN_STARTED", "protocolVersion": PROTOCOL_VERSION} | ids)


def run_error(error: SmolChatError) -> bytes:
    """Return the event that ends a run that failed.

    The leading blank lines end an event that may have been left open.
    """
    event = {"type": "RUN_ERROR", "message": error.message, "code": error.code}
    return b"\n\n" + encode(event)


def encode(event: Event) -> bytes:
    return b"data: " + dump_json(event) + b"\n\n"


def _result_event(message_id: str, call_id: str, text: str) -> Event:
    ids = {"messageId": message_id, "toolCallId": call_id}
    return {"type": "TOOL_CALL_RESULT", "content": text, "role": "tool"} | ids


def _custom(name: str, value: Any) -> Event:
    return {"type": "CUSTOM", "name": f"smolchat.{name}", "value": value}


def _numbered(name: str) -> Iterator[str]:
    """Yield names for steps, as no two that run at once may have the same."""
    yield name
    number = 2
    while True:
        yield f"{name} {number}"
        number += 1
