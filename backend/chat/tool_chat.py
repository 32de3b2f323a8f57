"""Answer a chat request with tools, or with tool calls in its messages."""

import random
from collections.abc import AsyncGenerator
from typing import Any

from backend.chat.detached import detached
from backend.chat.tool_response import ToolResponse
from backend.chat.tool_turn_recorder import start_tool_turn
from backend.completions.schema_check import check_request_schemas
from backend.errors import InvalidRequestError
from backend.images.images import RequestImages
from backend.json_values import as_dict
from backend.protocol import ChatCompletionRequest, ChatExtensionOptions, ExtensionOptions
from backend.state import AppState
from backend.tools.arguments import ArgumentChecker
from backend.tools.model_answer import TurnContext
from backend.tools.registry import ToolRegistry, ToolSelection
from backend.tools.steps import TurnEvent
from backend.tools.toolset import read_toolset
from backend.tools.turn import ToolTurn, TurnOptions

_MESSAGE_FIELDS = ("messages", "stream_options")  # each request of the turn has its own
_NO_TOOLS = ToolSelection({}, {})
_ONE_ANSWER = "A request with tools has only one choice. Omit n."


async def answer_with_tools(
    request: ChatCompletionRequest,
    body: dict[str, Any],
    options: ChatExtensionOptions,
    *,
    state: AppState,
    registry: ToolRegistry,
    images: RequestImages | None = None,
) -> AsyncGenerator[bytes]:
    """Return the chunks of the response; `body` is the request to the model server.

    Raises:
        SmolChatError: The request cannot be answered.
    """
    if body.pop("n", 1) > 1:
        raise InvalidRequestError(_ONE_ANSWER, param="n")
    is_legacy = "functions" in body and "tools" not in body
    turn = await prepare_turn(body, options, state=state, registry=registry)
    turn.context.images = images
    events: AsyncGenerator[TurnEvent] = turn.stream()
    extensions: dict[str, Any] = {}
    if options.conversation is not None:
        is_detached = options.detach
        with state.answers.begin(options.conversation, is_detached=is_detached) as answer:
            recorder = await start_tool_turn(request, turn.context, body["messages"], state, answer)
        turn.add_results(recorder.finished)
        events, extensions = recorder.stream(events), {"conversation": recorder.ids}
    response = ToolResponse(
        turn.context,
        includes_usage=bool(as_dict(body.get("stream_options")).get("include_usage")),
        includes_receipt=options.receipt,
        is_legacy=is_legacy,
        extensions=extensions,
    )
    chunks = response.stream(events) if request.stream else response.complete(events)
    return detached(chunks, answer, state) if options.detach else chunks


async def prepare_turn(
    body: dict[str, Any], options: ChatExtensionOptions, *, state: AppState, registry: ToolRegistry
) -> ToolTurn:
    """Return the turn that answers a request to the model server.

    Raises:
        SmolChatError: The request cannot be answered.
    """
    selection = _NO_TOOLS if options.tools is None else await registry.select(options.tools)
    toolset = read_toolset(body, selection.tools)
    fields = toolset.request_fields()
    sent = {name: value for name, value in body.items() if name not in _MESSAGE_FIELDS}
    for checked in (sent, {"tools": toolset.client_tools(fields)}):
        await check_request_schemas(
            checked, state.schema_workers, allows_grammar=state.settings.raw_grammar
        )
    if options.receipt and sent.get("seed", -1) == -1:
        sent["seed"] = random.randrange(2**31)  # noqa: S311  # not a secret
    context = TurnContext(
        state=state,
        body=sent,
        options=ExtensionOptions(
            progress=options.progress and body["stream"], deterministic=options.deterministic
        ),
        tool_fields=fields,
        checker=ArgumentChecker(state.schema_workers),
        separates_reasoning=options.separate_reasoning,
    )
    turn_options = TurnOptions(
        approvals=selection.approvals,
        decisions=options.approvals,
        max_steps=options.max_steps,
        seconds=state.settings.tools_seconds,
        result_characters=state.settings.tool_result_characters,
    )
    return ToolTurn(context, body["messages"], toolset, turn_options)
