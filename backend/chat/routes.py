"""Chat completions: OpenAI's request and reply, passed on to the model server."""

from typing import Any

from fastapi import APIRouter, Response

from backend.chat.turn_recorder import start_turn
from backend.completions.completion import Completion
from backend.completions.schema_check import check_request_schemas
from backend.completions.upstream_request import build_upstream_request
from backend.conversations.repository import ConversationRepository
from backend.http.error_handlers import MODEL_SERVER_RESPONSES, error_responses
from backend.http.json_route import FastJsonRoute
from backend.http.responses import EVENT_STREAM_OPENAPI, CancellableResponse, EventStreamResponse
from backend.protocol import ChatCompletionRequest, ChatExtensionOptions
from backend.state import AppStateDep

router = APIRouter(route_class=FastJsonRoute, tags=["chat"])

_ANSWER: dict[str, Any] = {
    "description": "OpenAI's chat completion; with `stream` its chunks as server-sent events.",
    "content": {"application/json": {"schema": {"type": "object"}}} | EVENT_STREAM_OPENAPI,
}
_RESPONSES = {200: _ANSWER} | MODEL_SERVER_RESPONSES | error_responses(415, 422)


@router.post("/v1/chat/completions", responses=_RESPONSES)
@router.post("/chat", responses=_RESPONSES)
async def create_chat_completion(request: ChatCompletionRequest, state: AppStateDep) -> Response:
    """Answer a conversation.

    Fields that are not described here pass through to the model server; fields that you do not set
    are left to its defaults. `model` in the reply is the id that was asked for.
    """
    body = build_upstream_request(request, state.settings)
    await check_request_schemas(
        body, state.schema_workers, takes_grammar=state.settings.raw_grammar
    )
    options = request.smolchat or ChatExtensionOptions()
    answering = Completion(
        body,
        options,
        upstream=state.model_server,
        line=state.queue,
        measures=state.metrics,
    )
    pieces = answering.stream()
    if options.is_stored:
        recording = await start_turn(
            request,
            body,
            store=ConversationRepository(state.database),
            stopping=state.shutting_down,
        )
        pieces = recording.stream(answering, is_stream=bool(request.stream))
    if request.stream:
        return EventStreamResponse(pieces, state.shutting_down, state.settings)
    return CancellableResponse(pieces, state.shutting_down)
