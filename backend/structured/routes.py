"""Answers that fit a schema: a JSON Schema, or one of the registered types."""

from typing import Any

from fastapi import APIRouter, Response

from backend.http.error_handlers import ERROR_RESPONSES, described
from backend.http.json_route import JsonRoute
from backend.http.responses import EVENT_STREAM, Delivery, StreamedDelivery
from backend.state import AppStateDep
from backend.structured.batch import Structuring
from backend.structured.protocol import (
    ResponseType,
    ResponseTypes,
    StructuredReply,
    StructuredRequest,
)
from backend.structured.response_types import RESPONSE_TYPES

router = APIRouter(tags=["structured"])
# Handled as it is: see json_route.
drawing = APIRouter(route_class=JsonRoute, tags=["structured"])

_REPLY: dict[str, Any] = {
    "model": StructuredReply,
    "description": "The answers, each of which fits; with `stream` server-sent events, of which "
    "the last holds them as `result`.",
    "content": EVENT_STREAM,
}


@drawing.post("/structured", responses={200: _REPLY} | ERROR_RESPONSES | described(415, 422))
async def structured(request: StructuredRequest, state: AppStateDep) -> Response:
    """Answer with JSON that fits, or with an error that says why not.

    The model is held to a narrower schema, of which every answer is short enough; what comes is
    judged by the one that was asked for, and drawn again where it does not fit. An error keeps what
    was written: the last `text`, all `attempts`, and of several the `answers` that do fit.
    """
    pieces = Structuring(request, state).pieces()
    if request.stream:
        return StreamedDelivery(pieces, state.shutting_down, state.settings)
    return Delivery(pieces, state.shutting_down)


@router.get("/structured/types")
async def types() -> ResponseTypes:
    """List the types that can be asked for by name."""
    return ResponseTypes(
        data=[
            ResponseType(
                name=name,
                description=(model.__doc__ or "").strip(),
                schema_=model.model_json_schema(),
            )
            for name, model in RESPONSE_TYPES.items()
        ]
    )
