"""Answers that fit a JSON Schema, or one of the registered types."""

from typing import Any

from fastapi import APIRouter

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
# Its routes are not included in another router, so that they stay as fast as they are.
generation_router = APIRouter(route_class=FastJsonRoute, tags=["structured"])

_RESPONSE: dict[str, Any] = {
    "model": StructuredResponse,
    "description": "The answers, all of which fit; with `stream` server-sent events, the last of "
    "which has them as `result`.",
    "content": EVENT_STREAM_OPENAPI,
}


@generation_router.post(
    "/structured",
    responses={200: _RESPONSE} | MODEL_SERVER_RESPONSES | error_responses(415, 422),
    response_model=None,
)
async def generate_structured(
    request: StructuredRequest, state: AppStateDep
) -> CancellableResponse:
    """Answer with JSON that fits the schema, or with an error that says why not.

    The model is constrained by a narrower schema, whose answers are all short enough. Its text is
    validated against the schema that was asked for, and generated again if it does not fit. An
    error keeps what was generated: the last `text`, all `attempts`, and with `n` the `answers` that
    do fit and in `failures` why each of the others does not.
    """
    chunks = StructuredBatch(request, state).stream()
    response_class = EventStreamResponse if request.stream else CancellableResponse
    return response_class(chunks, state.shutting_down, state.settings)


@router.get("/structured/types")
async def list_response_types() -> ResponseTypeList:
    """List the types that a request can name in `response_type`."""
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
