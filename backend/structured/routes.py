"""Answers that fit a schema: a JSON Schema, or one of the registered types."""

from typing import Any

from fastapi import APIRouter, Response

from backend.http.error_handlers import MODEL_SERVER_RESPONSES, error_responses
from backend.http.json_route import FastJsonRoute
from backend.http.responses import EVENT_STREAM_OPENAPI, CancellableResponse, EventStreamResponse
from backend.state import AppStateDep
from backend.structured.batch import StructuredBatch
from backend.structured.protocol import (
    ResponseType,
    ResponseTypeList,
    StructuredRequest,
    StructuredResponse,
)
from backend.structured.response_types import RESPONSE_TYPES

router = APIRouter(tags=["structured"])
# Handled as it is: see json_route.
generation_router = APIRouter(route_class=FastJsonRoute, tags=["structured"])

_REPLY: dict[str, Any] = {
    "model": StructuredResponse,
    "description": "The answers, each of which fits; with `stream` server-sent events, of which "
    "the last holds them as `result`.",
    "content": EVENT_STREAM_OPENAPI,
}


@generation_router.post(
    "/structured", responses={200: _REPLY} | MODEL_SERVER_RESPONSES | error_responses(415, 422)
)
async def structured(request: StructuredRequest, state: AppStateDep) -> Response:
    """Answer with JSON that fits, or with an error that says why not.

    The model is held to a narrower schema, of which every answer is short enough; what comes is
    judged by the one that was asked for, and drawn again where it does not fit. An error keeps what
    was written: the last `text`, all `attempts`, and of several the `answers` that do fit.
    """
    pieces = StructuredBatch(request, state).stream()
    if request.stream:
        return EventStreamResponse(pieces, state.shutting_down, state.settings)
    return CancellableResponse(pieces, state.shutting_down)


@router.get("/structured/types")
async def types() -> ResponseTypeList:
    """List the types that can be asked for by name."""
    return ResponseTypeList(
        data=[
            ResponseType(
                name=name,
                description=(model.__doc__ or "").strip(),
                schema_=model.model_json_schema(),
            )
            for name, model in RESPONSE_TYPES.items()
        ]
    )
