"""A route for many requests: it reads its JSON with Pydantic's parser, and solves nothing.

FastAPI's own way from the bytes to the endpoint costs as much as all the rest of a request. Here
FastAPI only describes the route.
"""

import inspect
import json
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from backend.errors import InvalidRequestError

MAX_VALIDATION_ERRORS = 100  # telling a million of them would take seconds and gigabytes

Model = TypeVar("Model", bound=BaseModel)


class FastJsonRoute(APIRoute):
    """Calls its endpoint with the validated request and the `AppState`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        request, _state = inspect.signature(endpoint).parameters.values()
        self._request_model: type[BaseModel] = request.annotation

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            raise HTTPException(405, headers={"Allow": ", ".join(self.methods or ())})
        if (body := await _read_body(receive)) is None:
            return  # the client has left, and nobody is there to be answered
        request = parse_request(self._request_model, body)
        response = await self.endpoint(request, scope["app"].state.core)
        await response(scope, receive, send)


def parse_request(model: type[Model], body: bytes) -> Model:
    """Read a request.

    Raises:
        InvalidRequestError: it is no JSON, or wrong in very many places.
        RequestValidationError: it is not of the model's shape.
    """
    try:
        found = parse_strict_json(body)
    except ValueError as error:
        raise InvalidRequestError(f"Not JSON: {error}.") from None
    return validate_request(model, found)


def parse_strict_json(body: bytes) -> Any:
    """Read JSON that every reader takes.

    Nesting beyond 200 levels is refused, where the standard library fails, and so are NaN, Infinity
    and 1e400, which is read as no other.

    Raises:
        ValueError: it is none.
    """
    found = from_json(body, allow_inf_nan=False)
    if b"Infinity" in to_json(found, inf_nan_mode="constants"):  # as a number, or in a text
        json.dumps(found, allow_nan=False)
    return found


def validate_request(model: type[Model], found: Any) -> Model:
    """Take what was read for a request.

    Raises:
        RequestValidationError: it is not of the model's shape.
    """
    try:
        return model.model_validate(found)
    except ValidationError as error:
        if error.error_count() > MAX_VALIDATION_ERRORS:
            raise InvalidRequestError(
                f"The request has {error.error_count():,} mistakes. See /docs for what it may hold."
            ) from None
        details = [{**detail, "loc": ("body", *detail["loc"])} for detail in error.errors()]
        raise RequestValidationError(details, body=found) from None


async def _read_body(receive: Receive) -> bytes | None:
    message = await receive()
    if not message.get("more_body") and "body" in message:
        return bytes(message["body"])
    parts = bytearray()
    while message["type"] == "http.request":
        parts += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(parts)
        message = await receive()
    return None
