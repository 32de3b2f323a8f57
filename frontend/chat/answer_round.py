"""The rounds of an answer with tools: in each, the model writes, and its calls are run."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import strict_json
from api.chat_chunk import Step, ToolCall
from api.conversation import Message

ENDED_STATES = ("finished", "failed", "denied", "interrupted")


@dataclass
class AnswerRound:
    """What the model wrote, and the steps of its calls; an answer without tools has one round."""

    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def open_calls(self) -> list[ToolCall]:
        """The calls that are no steps: the API did not run them."""
        step_ids = {step.id for step in self.steps}
        return [call for call in self.tool_calls if call.id not in step_ids]

    @property
    def is_over(self) -> bool:
        """Return True if the model writes the next round."""
        return bool(self.steps) and all(step.state in ENDED_STATES for step in self.steps)


def stored_rounds(messages: Sequence[Message]) -> list[AnswerRound]:
    """Return the rounds of an answer that is stored as these messages."""
    rounds = list[AnswerRound]()
    for message in messages:
        if message.role == "tool" and rounds:
            rounds[-1].steps.append(stored_step(message, rounds[-1].tool_calls))
        else:
            calls = [
                call if call.id else call.model_copy(update={"id": f"call_{message.id}_{number}"})
                for number, call in enumerate(message.tool_calls or [])
            ]
            steps = [step for call in calls if (step := _step_with_result(call))]
            rounds.append(AnswerRound(message.content, message.reasoning or "", calls, steps))
    for each in rounds[:-1]:
        each.steps = [_denied(step) for step in each.steps]
    return rounds


def stored_step(message: Message, calls: Sequence[ToolCall]) -> Step:
    """Return the step of a stored result, also of one that another program has stored."""
    if step := message.step:
        is_lost = step.state == "running" and message.state != "writing"
        changes: dict[str, Any] = {"id": message.tool_call_id or step.id}
        return step.model_copy(update=changes | ({"state": "interrupted"} if is_lost else {}))
    call = next((call for call in calls if call.id and call.id == message.tool_call_id), None)
    return Step(
        id=message.tool_call_id or message.id,
        tool=_name(call),
        arguments=_arguments(call),
        state="finished",
        result=message.content,
    )


def _denied(step: Step) -> Step:
    """Return a step after which the model went on: it waits no more."""
    is_waiting = step.state == "awaiting_approval"
    return step.model_copy(update={"state": "denied"}) if is_waiting else step


def _step_with_result(call: ToolCall) -> Step | None:
    if call.result is None or call.id is None:
        return None
    name, arguments = _name(call), _arguments(call)
    return Step(id=call.id, tool=name, arguments=arguments, state="finished", result=call.result)


def _name(call: ToolCall | None) -> str:
    return (call and call.function and call.function.name) or "unknown"


def _arguments(call: ToolCall | None) -> Any:
    """Return the arguments of a call, as a text if they are not JSON."""
    text = (call and call.function and call.function.arguments) or "{}"
    with suppress(ValueError):
        return strict_json.parse(text)
    return text
