"""Chat completions: OpenAI's request and response, passed on to the model server."""

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter

from backend.chat.detached import detached
from backend.chat.file_chat import answer_from_files
from backend.chat.file_tools import offer_file_search
from backend.chat.images import prepare_images
from backend.chat.tool_chat import answer_with_tools
from backend.chat.turn_recorder import start_turn
from backend.completions.completion import Completion
from backend.completions.history import continued_answer
from backend.completions.schema_check import SCHEMA_FIELDS, check_request_schemas
from backend.completions.upstream_request import build_upstream_request
from backend.conversations.repository import ConversationRepository
from backend.files.lifespan import FileStateDep
from backend.http.error_handlers import MODEL_SERVER_RESPONSES, error_responses
from backend.http.json_route import FastJsonRoute
from backend.http.responses import EVENT_STREAM_OPENAPI, CancellableResponse, EventStreamResponse
from backend.images.images import RequestImages
from backend.model_server.answers.reasoning_separator import ReasoningSeparator
from backend.protocol import ChatCompletionRequest, ChatExtensionOptions
from backend.state import AppState, AppStateDep
from backend.tools.lifespan import ToolRegistryDep

router = APIRouter(route_class=FastJsonRoute, tags=["chat"])

_COMPLETION: dict[str, Any] = {
    "description": "OpenAI's chat completion; with `stream` its chunks as server-sent events.",
    "content": {"application/json": {"schema": {"type": "object"}}} | EVENT_STREAM_OPENAPI,
}
_NO_EXTENSIONS = ChatExtensionOptions()
_RESPONSES = {200: _COMPLETION} | MODEL_SERVER_RESPONSES | error_responses(409, 415, 422)


@router.post("/v1/chat/completions", responses=_RESPONSES, response_model=None)
@router.post("/chat", responses=_RESPONSES, response_model=None)
async def create_chat_completion(
    request: ChatCompletionRequest,
    state: AppStateDep,
    registry: ToolRegistryDep,
    files: FileStateDep,
) -> CancellableResponse:
    """Answer a conversation.

    Fields that are not described here pass through to the model server; fields that you do not set
    are left to its defaults. `model` in the reply is the id that was asked for.
    """
    body = build_upstream_request(request, state.settings)
    options = request.smolchat or _NO_EXTENSIONS
    response_class = EventStreamResponse if request.stream else CancellableResponse
    images: RequestImages | None = None
    if any(type(m.get("content")) is list for m in body["messages"]):
        images = await prepare_images(request, body, state)
    has_tools = options.tools is not None or body.get("tools") or body.get("functions")
    file_search = None if has_tools else options.file_search
    has_calls = any(m["role"] == "tool" or "tool_calls" in m for m in body["messages"])
    if has_tools or (has_calls and file_search is None):
        registry, options = await offer_file_search(registry, options, files)
        chunks = await answer_with_tools(
            request, body, options, state=state, registry=registry, images=images
        )
        return response_class(chunks, state.shutting_down, state.settings)
    if SCHEMA_FIELDS & body.keys():
        await check_request_schemas(
            body, state.schema_workers, allows_grammar=state.settings.raw_grammar
        )
    if file_search is not None:
        completion = await answer_from_files(body, options, file_search, state, files.answers)
    else:
        completion = Completion(
            body=body,
            options=options,
            model_server=state.model_server,
            queue=state.queue,
            metrics=state.metrics,
        )
        if options.separate_reasoning:
            completion.separator = ReasoningSeparator(continued_answer(body["messages"]))
    completion.images = images
    if options.conversation is not None:
        chunks = await _store(completion, request, options, state)
    else:
        chunks = completion.stream()
    return response_class(chunks, state.shutting_down, state.settings)


async def _store(
    completion: Completion,
    request: ChatCompletionRequest,
    options: ChatExtensionOptions,
    state: AppState,
) -> AsyncGenerator[bytes]:
    """Return the chunks of a completion whose answer is stored as it is generated."""
    repository = ConversationRepository(state.database, state.settings.max_conversation_messages)
    recorder = await start_turn(request, completion.body, state, repository=repository)
    chunks = recorder.stream(completion, is_stream=bool(request.stream))
    return detached(chunks, recorder.answer, state) if options.detach else chunks
