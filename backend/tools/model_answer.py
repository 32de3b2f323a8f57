"""One answer of the model, with native tool calls or calls generated under a schema."""

import json
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from backend.completions.completion import Completion
from backend.completions.queue import QueueSlot
from backend.completions.schema_check import map_schema_errors
from backend.errors import InvalidRequestError, ModelOutputUnreadableError, SmolChatError
from backend.images.images import RequestImages
from backend.json_values import as_dict, as_dict_list, as_str, content_text
from backend.model_server.answers.json_text import parse_json, replace_halves
from backend.model_server.answers.message_builder import MessageBuilder
from backend.model_server.answers.reasoning_separator import ReasoningSeparator
from backend.model_server.answers.sse import parse_events
from backend.protocol import ExtensionOptions
from backend.state import AppState
from backend.tools.arguments import ArgumentChecker
from backend.tools.calling.constrained import call_functions
from backend.tools.steps import MAX_ID_CHARACTERS, Delta, Strategy, ToolCall
from backend.tools.text_history import with_calls_as_text
from backend.tools.toolset import Toolset

MAX_ARGUMENT_TOKENS = 512  # of one call
MAX_CALLS = 32  # of one answer
_CALL_FIELDS = ("tool_calls", "function_call")
# What a client sets for the text of its answer.
_TEXT_FIELDS = {
    "stream_options", "max_completion_tokens", "n_predict", "stop", "grammar", "json_schema",
    "logprobs", "top_logprobs", "n_probs",
}  # fmt: skip
_Observer = Callable[[dict[str, Any]], None]


@dataclass(kw_only=True)
class TurnContext:
    """The state that all model requests of a turn share."""

    state: AppState
    body: dict[str, Any]  # without messages and tools
    options: ExtensionOptions
    tool_fields: dict[str, Any]  # of a request to a model that knows tools
    checker: ArgumentChecker
    strategy: Strategy = "native"  # until the turn begins
    separates_reasoning: bool = False
    images: RequestImages | None = None  # those in the messages
    on_event: _Observer | None = None  # gets each event of the model server, without calls
    completions: list[Completion] = field(default_factory=list)  # all that were sent
    started_at: float = field(default_factory=time.monotonic)
    score: float | None = None  # of the first question, by the gate
    attempts: int = 0  # to generate arguments
    problems: list[str] = field(default_factory=list)
    call_ids: set[str] = field(default_factory=set)  # of all calls so far

    def completion(self, fields: dict[str, Any], *, is_stream: bool) -> Completion:
        """Return a completion of the request with some fields replaced."""
        body = {**self.body, **fields, "stream": is_stream}
        if not is_stream:  # for arguments, which need all of their JSON
            body = {name: value for name, value in body.items() if name not in _TEXT_FIELDS}
        completion = Completion(
            body=body,
            options=self.options if is_stream else ExtensionOptions(),
            model_server=self.state.model_server,
            queue=self.state.queue,
            metrics=self.state.metrics,
            wants_usage=True,
            images=self.images if is_stream else None,
        )
        self.completions.append(completion)
        return completion


class ModelAnswer:
    """Streams the text of an answer; `calls` are set when it has ended."""

    def __init__(
        self, context: TurnContext, messages: list[dict[str, Any]], toolset: Toolset
    ) -> None:
        self._context = context
        self._messages = messages
        self._toolset = toolset
        self.calls: list[ToolCall] = []
        self.finish_reason = "stop"
        self._has_text = False
        self._has_dropped_calls = False
        self._repaired: set[str] = set()  # functions that were called again under their schemas

    async def stream(self, slot: QueueSlot) -> AsyncGenerator[Delta]:
        """Yield the chunks of the text.

        Raises:
            SmolChatError: The model server failed.
        """
        is_native = self._context.strategy == "native"
        if is_native:
            try:
                async for delta in self._stream_text(self._messages, slot, with_tools=True):
                    yield delta
            except (ModelOutputUnreadableError, InvalidRequestError) as error:
                if not self._toolset.functions or not _is_about_tools(error):
                    raise
                self._context.problems.append(
                    f"The model server could not parse the model's tool call ({error.message}) "
                    "It was generated under a schema instead."
                )
                is_native = False
        if not is_native or self._lacks_required_call():
            await self._call_constrained(slot)
        # A model whose only calls cannot be made has not answered.
        is_answered = self._has_text or (is_native and not self._has_dropped_calls)
        if not self.calls and not is_answered:
            async for delta in self._stream_text(
                with_calls_as_text(self._messages), slot, with_tools=False
            ):
                yield delta

    def _lacks_required_call(self) -> bool:
        """Return True if a call that `tool_choice` requires is missing: some servers ignore it."""
        toolset = self._toolset
        is_required = toolset.choice == "required" and bool(toolset.functions)
        if self.calls or not is_required or self.finish_reason == "length":
            return False
        self._context.problems.append(
            "The model made no call, which tool_choice requires. One was generated under a schema."
        )
        return True

    async def _stream_text(
        self, messages: list[dict[str, Any]], slot: QueueSlot, *, with_tools: bool
    ) -> AsyncGenerator[Delta]:
        fields: dict[str, Any] = {"messages": messages}
        if with_tools and self._toolset.is_offered:
            fields |= self._context.tool_fields | self._toolset.choice_fields()
        if not with_tools and self._messages[-1]["role"] == "tool":
            # Greedy by default: the answer only restates a result.
            fields["temperature"] = self._context.body.get("temperature", 0)
        completion = self._context.completion(fields, is_stream=True)
        if self._context.separates_reasoning:
            completion.separator = ReasoningSeparator("")
        held = MessageBuilder(limits=self._context.state.model_server.limits)
        completion.on_event = self._observer(held)
        async with aclosing(completion.stream(slot)) as chunks:
            async for chunk in chunks:
                for event in parse_events(chunk):
                    if shown := _without_calls(event):
                        self._has_text = self._has_text or _has_content(shown)
                        yield Delta(shown)
        self.finish_reason = completion.usage.finish_reason or "stop"
        if calls := held.message_fields()["tool_calls"]:
            await self._check_native(calls, slot)
        if self.finish_reason == "tool_calls" and not self.calls:
            self.finish_reason = "stop"

    def _observer(self, held: MessageBuilder) -> _Observer:
        def observe(event: dict[str, Any]) -> None:
            held.add(_only_calls(event))
            if self._context.on_event and (shown := _without_calls(event)):
                self._context.on_event(shown)

        return observe

    async def _check_native(self, calls: list[dict[str, Any]], slot: QueueSlot) -> None:
        """Keep the calls with valid arguments; generate the others again under their schema."""
        max_calls = MAX_CALLS if self._toolset.allows_parallel else 1
        if len(calls) > max_calls:
            self._context.problems.append(
                f"The model made {len(calls)} calls; {max_calls} may be used."
            )
        for call in calls[:max_calls]:
            function = as_dict(call.get("function"))
            name, text = as_str(function.get("name")), as_str(function.get("arguments"))
            if name in self._toolset.functions:
                await self._check_arguments(call, name, text, slot)
            elif self._toolset.may_run_unknown(name):
                self._add_call(name, parse_json(text), "native", as_str(call.get("id")))
            else:
                self._has_dropped_calls = True
                self._context.problems.append(
                    f"The model called {name!r:.80}, which is not available in this answer."
                )

    async def _check_arguments(
        self, call: dict[str, Any], name: str, text: str, slot: QueueSlot
    ) -> None:
        result = await self._context.checker.validate(self._toolset.functions[name], text)
        if not result.errors:
            self._add_call(name, result.parsed, "native", as_str(call.get("id")))
        elif name not in self._repaired:
            self._repaired.add(name)
            self._context.problems.append(
                f"The model's call of {name} does not match its schema "
                f"({result.errors[0].message:.200}). It was generated again under the schema."
            )
            await self._call_constrained(slot, named=name)

    async def _call_constrained(self, slot: QueueSlot, *, named: str | None = None) -> None:
        toolset, context = self._toolset, self._context
        if not toolset.functions or (named is None and self._add_extracted_calls()):
            return
        choice = named or toolset.named or toolset.choice

        async def generate(messages: list[dict[str, Any]], schema: Any) -> str:
            json_schema = {"name": "arguments", "schema": schema, "strict": True}
            fields = {
                "messages": messages,
                "max_tokens": MAX_ARGUMENT_TOKENS,
                "response_format": {"type": "json_schema", "json_schema": json_schema},
            }
            return _text(await context.completion(fields, is_stream=False).read(slot))

        async def run_in_worker(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            return await context.state.schema_workers.run(function, *args, **kwargs)

        with map_schema_errors("tools"):
            result = await call_functions(
                self._messages,
                list(toolset.functions.values()),
                choice=choice,
                is_parallel=toolset.allows_parallel and named is None,
                generate=generate,
                run_in_worker=run_in_worker,
            )
        if context.score is None:
            context.score = result.score
        context.attempts += result.attempts
        context.problems += result.problems
        for call in result.calls:
            self._add_call(call.name, call.arguments, "constrained")

    def _add_extracted_calls(self) -> bool:
        """Add the calls whose arguments the question states; return True if there are any."""
        last = self._messages[-1]
        question = content_text(last.get("content")) if last["role"] == "user" else ""
        for name in self._toolset.functions:
            tool = self._toolset.api_tools.get(name)
            if question and tool and (arguments := tool.extract_arguments(question)) is not None:
                self._add_call(name, arguments, "constrained")
                if not self._toolset.allows_parallel:
                    break
        return bool(self.calls)

    def _add_call(self, name: str, arguments: Any, strategy: Strategy, call_id: str = "") -> None:
        # Some servers reuse ids in later answers.
        if not 0 < len(call_id) <= MAX_ID_CHARACTERS or call_id in self._context.call_ids:
            call_id = f"call_{uuid.uuid4().hex[:24]}"
        self._context.call_ids.add(call_id)
        text = replace_halves(json.dumps(arguments, ensure_ascii=False))
        self.calls.append(ToolCall(call_id, name, text, strategy))
        self.finish_reason = "tool_calls"


def _is_about_tools(error: SmolChatError) -> bool:
    return isinstance(error, ModelOutputUnreadableError) or error.param == "tools"


def _text(response: bytes) -> str:
    choices = as_dict_list(as_dict(parse_json(response)).get("choices"))
    return as_str(as_dict(choices[0].get("message")).get("content")) if choices else ""


def _choices_with(event: dict[str, Any], change: Callable[[str], bool]) -> Iterator[dict[str, Any]]:
    for choice in as_dict_list(event.get("choices")):
        delta = {
            name: value for name, value in as_dict(choice.get("delta")).items() if change(name)
        }
        yield choice | {"delta": delta, "finish_reason": None}


def _without_calls(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event without calls, role and finish reason, or an empty one if nothing is left."""
    left_out = (*_CALL_FIELDS, "role")
    choices = [
        choice
        for choice in _choices_with(event, lambda name: name not in left_out)
        if any(choice["delta"].values()) or choice.get("logprobs")
    ]
    if not choices and "smolchat" not in event:
        return {}
    return {name: value for name, value in event.items() if name not in ("usage", "timings")} | {
        "choices": choices
    }


def _has_content(event: dict[str, Any]) -> bool:
    return any(choice["delta"].get("content") for choice in event["choices"])


def _only_calls(event: dict[str, Any]) -> dict[str, Any]:
    return {"choices": list(_choices_with(event, lambda name: name in _CALL_FIELDS))}
