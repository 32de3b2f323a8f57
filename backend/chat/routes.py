"""Chat completions: OpenAI's request and reply, passed on to the model server."""

from typing import Any

from fastapi import APIRouter, Response

from backend.chat.turn_recorder import begin_recording
from backend.completions.completion import Answering
from backend.completions.schema_check import vet_request
from backend.completions.upstream_request import to_model_request
from backend.conversations.repository import Store
from backend.http.error_handlers import ERROR_RESPONSES, described
from backend.http.json_route import JsonRoute
from backend.http.responses import EVENT_STREAM, Delivery, StreamedDelivery
from backend.protocol import ChatOptions, ChatRequest
from backend.state import AppStateDep

router = APIRouter(route_class=JsonRoute, tags=["chat"])

_ANSWER: dict[str, Any] = {
    "description": "OpenAI's chat completion; with `stream` its chunks as server-sent events.",
    "content": {"application/json": {"schema": {"type": "object"}}} | EVENT_STREAM,
}
_RESPONSES = {200: _ANSWER} | ERROR_RESPONSES | described(415, 422)


@router.post("/v1/chat/completions", responses=_RESPONSES)
@router.post("/chat", responses=_RESPONSES)
async def chat(request: ChatRequest, state: AppStateDep) -> Response:
    """Answer a conversation.

    Fields that are not described here pass through to the model server; fields that you do not set
    are left to its defaults. `model` in the reply is the id that was asked for.
    """
    body = to_model_request(request, state.settings)
    await vet_request(body, state.schema_workers, takes_grammar=state.settings.raw_grammar)
    options = request.smolchat or ChatOptions()
    answering = Answering(
        body,
        options,
        upstream=state.model_server,
        line=state.queue,
        measures=state.metrics,
    )
    pieces = answering.pieces()
    if options.is_stored:
        recording = await begin_recording(
            request, body, store=Store(state.database), stopping=state.shutting_down
        )
        pieces = recording.pieces(answering, is_stream=bool(request.stream))
    if request.stream:
        return StreamedDelivery(pieces, state.shutting_down, state.settings)
    return Delivery(pieces, state.shutting_down)
