"""Answers that fit a schema: a JSON Schema, or one of the registered types."""

from typing import Any

from fastapi import APIRouter, Response

from backend.delivery import Delivery, StreamedDelivery
from backend.dependencies import (
    AskDep,
    CapabilitiesDep,
    SettingsDep,
    StoppingDep,
    WorkerDep,
)
from backend.errors import ERROR_RESPONSES, described
from backend.json_route import JsonRoute
from backend.model_request import to_model_request
from backend.openai_types import SmolchatOptions
from backend.response_types import RESPONSE_TYPES
from backend.structured_types import (
    ResponseType,
    ResponseTypes,
    StructuredReply,
    StructuredRequest,
)
from backend.structuring import Form, Limits, Means, Structuring

router = APIRouter(tags=["structured"])
# Handled as it is: see json_route.
drawing = APIRouter(route_class=JsonRoute, tags=["structured"])

_REPLY: dict[str, Any] = {
    "model": StructuredReply,
    "description": "The answers, each of which fits; with `stream` server-sent events, of which "
    "the last holds them as `result`.",
    "content": {
        "text/event-stream": {
            "itemSchema": {
                "type": "object",
                "properties": {"data": {"type": "string"}},
                "required": ["data"],
            }
        }
    },
}


@drawing.post("/structured", responses={200: _REPLY} | ERROR_RESPONSES | described(415, 422))
async def structured(
    request: StructuredRequest,
    ask: AskDep,
    capabilities: CapabilitiesDep,
    worker: WorkerDep,
    settings: SettingsDep,
    stopping: StoppingDep,
) -> Response:
    """Answer with JSON that fits, or with an error that says why not.

    The model is held to a narrower schema, of which every answer is short enough; what comes is
    judged by the one that was asked for, and drawn again where it does not fit.
    """
    structuring = Structuring(
        to_model_request(request, settings),
        _form(request),
        request.smolchat or SmolchatOptions(),
        Limits(settings.structured_attempts, settings.structured_seconds),
        Means(ask, worker, capabilities),
    )
    if request.stream:
        return StreamedDelivery(structuring.pieces(), stopping, settings)
    return Delivery(structuring.pieces(), stopping)


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


def _form(request: StructuredRequest) -> Form:
    if request.response_type is not None:
        model = RESPONSE_TYPES[request.response_type]
        return Form(request.response_type, model.model_json_schema(), model)
    assert request.response_format  # noqa: S101  # one of the two is there
    asked = request.response_format.json_schema
    return Form(asked.name, asked.json_schema)
