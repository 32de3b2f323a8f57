"""A turn with tools: the model calls tools, the API runs its own, and the model answers."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Literal

from backend.json_values import as_dict, as_dict_list
from backend.model_server.answers.json_text import dump_json, parse_json
from backend.protocol import EditedArguments
from backend.tools.approvals import Approval
from backend.tools.dispatch import run_call
from backend.tools.model_answer import ModelAnswer, TurnContext
from backend.tools.pending_calls import (
    DENIED,
    Messages,
    calls_of,
    is_continuation,
    pending_calls,
    result_message,
    with_denials,
)
from backend.tools.steps import (
    AnswerStarted,
    CallsMade,
    Step,
    StepChanged,
    ToolCall,
    TurnEvent,
    TurnFinished,
)
from backend.tools.strategy import find_strategy
from backend.tools.tool import ToolResult
from backend.tools.toolset import Toolset

_REPEATED = "The model made the same call twice in a row, so it was not run again."
_OUT_OF_STEPS = "The limit of max_steps was reached, so the model was offered no more tools."
_OUT_OF_TIME = "The time limit for tool calls was reached (SMOLCHAT_TOOLS_SECONDS)."

Decisions = Mapping[str, Literal["allow", "deny"] | EditedArguments]


@dataclass(frozen=True, kw_only=True)
class TurnOptions:
    """What the API may do in a turn."""

    approvals: Mapping[str, Approval]  # of its tools, by name
    decisions: Decisions  # of the client, by the id of the call
    max_steps: int
    seconds: float  # for all steps
    result_characters: int


class ToolTurn:
    """One turn. `steps` are those so far, by the ids of their calls."""

    def __init__(
        self, context: TurnContext, messages: Messages, toolset: Toolset, options: TurnOptions
    ) -> None:
        self.context = context
        self._messages = with_denials(messages, toolset)
        context.call_ids |= {call.id for message in messages for call in calls_of(message)}
        self._toolset = toolset
        self._options = options
        self._deadline = time.monotonic() + options.seconds
        self._latest_calls: set[tuple[str, str]] = set()  # names and arguments
        self.steps: dict[str, Step] = {}

    def pending_calls(self) -> list[ToolCall]:
        """Return the calls of the API's tools at the end of the messages without a result."""
        return pending_calls(self._messages, self._toolset)

    def add_results(self, results: Mapping[str, str]) -> None:
        """Add results of pending calls, by call id, so that these are not run again."""
        for call in self.pending_calls():
            if call.id in results:
                self._messages.append(result_message(call, results[call.id]))

    def parameters_of(self, call: ToolCall) -> dict[str, Any]:
        """Return the schema of the arguments of a call."""
        tool = self._toolset.api_tools.get(call.name)
        return {"type": "object"} if tool is None else tool.parameters

    async def stream(self) -> AsyncGenerator[TurnEvent]:
        """Yield what happens until the model has answered, or waits for the client.

        Raises:
            SmolChatError: The model server failed.
        """
        if self._toolset.functions or any(
            m["role"] == "tool" or m.get("tool_calls") for m in self._messages
        ):
            self.context.strategy = await find_strategy(
                self.context.body["model"], self.context.state
            )
        if is_continuation(self._messages):
            async with aclosing(self._apply_decisions(self.pending_calls())) as events:
                async for event in events:
                    yield event
        for number in range(self._options.max_steps + 1):
            if number == self._options.max_steps:
                self._end_calls(_OUT_OF_STEPS)
            answer = ModelAnswer(self.context, self._messages, self._toolset)
            slot = self.context.state.queue.enqueue(
                exclusive=self.context.options.deterministic, has_begun=number > 0
            )
            try:
                async with aclosing(answer.stream(slot)) as deltas:
                    async for delta in deltas:
                        yield delta
            finally:
                slot.release()
            if not answer.calls:
                yield TurnFinished(answer.finish_reason)
                return
            async with aclosing(self._run_api_calls(answer.calls)) as events:
                async for event in events:
                    yield event
                    if isinstance(event, TurnFinished):
                        return

    async def _run_api_calls(self, calls: list[ToolCall]) -> AsyncGenerator[TurnEvent]:
        """Run the calls of the API's tools; finish if the client has to run or approve some."""
        api_calls = [call for call in calls if self._is_api_call(call)]
        yield CallsMade(calls)
        call_keys = {(call.name, call.arguments) for call in api_calls}
        is_repeated = bool(api_calls) and call_keys == self._latest_calls
        self._latest_calls = call_keys
        awaiting = [call for call in api_calls if not is_repeated and self._approval(call) == "ask"]
        for call in awaiting:
            yield self._update_step(call, "awaiting_approval")
        runnable = [call for call in api_calls if call not in awaiting]
        async with aclosing(self._run(runnable, is_repeated=is_repeated)) as events:
            async for event in events:
                yield event
        self._add_calls(calls)
        client = [call for call in calls if call not in api_calls]
        if awaiting or client:
            yield TurnFinished("tool_calls", [*awaiting, *client])
            return
        self._toolset = replace(self._toolset, choice="auto", named=None)
        if is_repeated:
            self._end_calls(_REPEATED)
        elif time.monotonic() > self._deadline:
            self._end_calls(_OUT_OF_TIME)
        yield AnswerStarted()

    async def _apply_decisions(self, calls: list[ToolCall]) -> AsyncGenerator[TurnEvent]:
        """Run the calls that the client has approved, and deny the others."""
        approved = []
        for call in calls:
            decision = self._options.decisions.get(call.id, "deny")
            if decision == "deny":
                yield self._update_step(call, "denied", result=DENIED)
                continue
            approved.append(self._with_edits(call, decision))
        async with aclosing(self._run(approved)) as events:
            async for event in events:
                yield event
        self._add_results(calls)
        yield AnswerStarted()

    async def _run(
        self, calls: list[ToolCall], *, is_repeated: bool = False
    ) -> AsyncGenerator[StepChanged]:
        """Run calls concurrently."""
        if is_repeated:
            for call in calls:
                yield self._update_step(call, "failed", error=_REPEATED)
            return
        for call in calls:
            yield self._update_step(call, "running")
        tasks = {asyncio.create_task(self._run_call(call)): call for call in calls}
        try:
            pending = set(tasks)
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    result, seconds = task.result()
                    fields = {"error" if result.is_error else "result": result.text}
                    state = "failed" if result.is_error else "finished"
                    yield self._update_step(
                        tasks[task], state, milliseconds=round(seconds * 1000, 1), **fields
                    )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_call(self, call: ToolCall) -> tuple[ToolResult, float]:
        started_at = time.monotonic()
        tool = self._toolset.api_tools.get(call.name)
        if tool is None:
            names = ", ".join(self._toolset.api_tools)
            problem = f"There is no tool {call.name:.80}; there are {names}."
            result = ToolResult(problem, is_error=True)
        else:
            result = await run_call(
                tool,
                as_dict(parse_json(call.arguments)),
                max_characters=self._options.result_characters,
                seconds=min(tool.seconds, max(0.0, self._deadline - started_at)),
            )
        return result, time.monotonic() - started_at

    def _is_api_call(self, call: ToolCall) -> bool:
        return (
            call.name in self._toolset.api_tools or call.name not in self._toolset.client_functions
        )

    def _approval(self, call: ToolCall) -> Approval:
        # A call of an unknown tool only gets an error.
        return self._options.approvals.get(call.name, "always")

    def _update_step(self, call: ToolCall, state: Any, **fields: Any) -> StepChanged:
        step = Step(
            id=call.id,
            tool=call.name,
            arguments=parse_json(call.arguments),
            strategy=call.strategy or self.context.strategy,
            state=state,
            **fields,
        )
        self.steps[call.id] = step
        return StepChanged(step)

    def _add_calls(self, calls: list[ToolCall]) -> None:
        message = {"role": "assistant", "content": "", "tool_calls": [c.as_dict() for c in calls]}
        self._messages.append(message)
        self._add_results(calls)

    def _add_results(self, calls: Iterable[ToolCall]) -> None:
        for call in calls:
            if step := self.steps.get(call.id):
                self._messages.append(result_message(call, step.result or step.error or ""))

    def _with_edits(self, call: ToolCall, decision: str | EditedArguments) -> ToolCall:
        """Return a call with the client's arguments, which the model is shown as its own."""
        if not isinstance(decision, EditedArguments):
            return call
        edited = replace(call, arguments=dump_json(decision.arguments).decode())
        for message in self._messages:
            for sent in as_dict_list(message.get("tool_calls")):
                if sent.get("id") == call.id:
                    sent["function"] = edited.as_dict()["function"]
        return edited

    def _end_calls(self, reason: str) -> None:
        """Offer the model no more tools, so that it answers."""
        if self._toolset.functions:
            self.context.problems.append(reason)
        self._toolset = replace(self._toolset, choice="none", named=None)
