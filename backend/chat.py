"""Chat completions: OpenAI's request and reply, passed on to the model server."""

from typing import Any

from fastapi import APIRouter, Response

from backend.delivery import EVENT_STREAM, Delivery, StreamedDelivery
from backend.dependencies import AskDep, SettingsDep, StoppingDep, StoreDep, WorkerDep
from backend.errors import ERROR_RESPONSES, described
from backend.json_route import JsonRoute
from backend.model_request import to_model_request
from backend.openai_types import ChatOptions, ChatRequest
from backend.recording import begin_recording
from backend.vetting import vet_request

router = APIRouter(route_class=JsonRoute, tags=["chat"])

_ANSWER: dict[str, Any] = {
    "description": "OpenAI's chat completion; with `stream` its chunks as server-sent events.",
    "content": {"application/json": {"schema": {"type": "object"}}} | EVENT_STREAM,
}
_RESPONSES = {200: _ANSWER} | ERROR_RESPONSES | described(415, 422)


@router.post("/v1/chat/completions", responses=_RESPONSES)
@router.post("/chat", responses=_RESPONSES)
async def chat(
    request: ChatRequest,
    ask: AskDep,
    worker: WorkerDep,
    settings: SettingsDep,
    stopping: StoppingDep,
    store: StoreDep,
) -> Response:
    """Answer a conversation.

    Fields that are not described here pass through to the model server; fields that you do not set
    are left to its defaults. `model` in the reply is the id that was asked for.
    """
    body = to_model_request(request, settings)
    await vet_request(body, worker, takes_grammar=settings.raw_grammar)
    options = request.smolchat or ChatOptions()
    answering = ask(body, options)
    pieces = answering.pieces()
    if options.is_stored:
        recording = await begin_recording(request, body, store=store, stopping=stopping)
        pieces = recording.pieces(answering, is_stream=bool(request.stream))
    if request.stream:
        return StreamedDelivery(pieces, stopping, settings)
    return Delivery(pieces, stopping)
