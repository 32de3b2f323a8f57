"""Answer a chat request with tools, or one whose messages have calls of tools."""

import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from backend.chat.tool_response import ToolResponse
from backend.chat.tool_turn_recorder import start_tool_turn
from backend.completions.completion import Completion
from backend.completions.schema_check import check_request_schemas
from backend.errors import InvalidRequestError
from backend.json_values import as_dict
from backend.protocol import ChatCompletionRequest, ChatExtensionOptions, ExtensionOptions
from backend.state import AppState
from backend.tools.arguments import ArgumentChecker
from backend.tools.model_answer import Asking
from backend.tools.offer import read_offer
from backend.tools.registry import ToolRegistry, ToolSelection
from backend.tools.steps import Strategy, TurnEvent
from backend.tools.turn import ToolTurn, TurnOptions

_TURN_FIELDS = ("messages", "stream_options")  # each request of the turn has its own
_NO_TOOLS = ToolSelection({}, {})
_ONE_ANSWER = "A request with tools gets one answer: leave n out."


async def answer_with_tools(
    request: ChatCompletionRequest,
    body: dict[str, Any],
    options: ChatExtensionOptions,
    *,
    state: AppState,
    registry: ToolRegistry,
) -> AsyncGenerator[bytes]:
    """Return the chunks of the response; `body` is the request to the model server.

    Raises:
        SmolChatError: The request cannot be answered.
    """
    if body.pop("n", 1) > 1:
        raise InvalidRequestError(_ONE_ANSWER, param="n")
    selection = _NO_TOOLS if options.tools is None else await registry.select(options.tools)
    is_legacy = "functions" in body and "tools" not in body
    offer = read_offer(body, selection.tools)
    fields = offer.request_fields()
    await check_request_schemas(
        fields, state.schema_workers, allows_grammar=state.settings.raw_grammar
    )
    asking = await _asking(body, options, fields, state)
    turn = ToolTurn(
        asking,
        body["messages"],
        offer,
        TurnOptions(
            approvals=selection.approvals,
            decisions=options.approvals,
            max_steps=options.max_steps,
            seconds=state.settings.tools_seconds,
            result_characters=state.settings.tool_result_characters,
        ),
    )
    events: AsyncGenerator[TurnEvent] = turn.stream()
    extensions: dict[str, Any] = {}
    if options.conversation is not None:
        recorder = await start_tool_turn(request, asking, body["messages"], state)
        events, extensions = recorder.stream(events), {"conversation": recorder.ids}
    response = ToolResponse(
        asking,
        includes_usage=bool(as_dict(body.get("stream_options")).get("include_usage")),
        includes_receipt=options.receipt,
        is_legacy=is_legacy,
        extensions=extensions,
    )
    return response.stream(events) if request.stream else response.complete(events)


async def _asking(
    body: dict[str, Any],
    options: ChatExtensionOptions,
    fields: dict[str, Any],
    state: AppState,
) -> Asking:
    sent = {
        name: value for name, value in body.items() if name not in ("messages", "stream_options")
    }
    if options.receipt and sent.get("seed", -1) == -1:
        sent["seed"] = random.randrange(2**31)  # noqa: S311  # not a secret
    asking = Asking(
        state=state,
        body=sent,
        options=ExtensionOptions(
            progress=options.progress and body["stream"], deterministic=options.deterministic
        ),
        strategy="native",
        tool_fields=fields,
        checker=ArgumentChecker(state.schema_workers),
        separates_reasoning=options.separate_reasoning,
    )
    asking.strategy = await _strategy(asking)
    return asking


async def _strategy(asking: Asking) -> Strategy:
    """Return how tools are called: natively, unless the model is known not to know any."""
    state = asking.state

    async def complete(body: dict[str, Any]) -> bytes:
        completion = Completion(
            body=body,
            options=ExtensionOptions(),
            model_server=state.model_server,
            queue=state.queue,
            metrics=state.metrics,
        )
        async with aclosing(completion.stream()) as chunks:
            return b"".join([chunk async for chunk in chunks])

    knows_tools = await state.tool_support.knows_tools(asking.body["model"], complete)
    return "constrained" if knows_tools is False else "native"
