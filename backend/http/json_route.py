"""A fast route for requests with a JSON body; FastAPI only describes it.

FastAPI's body parsing and dependency resolution cost as much as all the rest of a request.
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

MAX_VALIDATION_ERRORS = 100  # listing a million of them would take seconds and gigabytes

Model = TypeVar("Model", bound=BaseModel)


class FastJsonRoute(APIRoute):
    """Call the endpoint with the validated request and the `AppState`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        request, _state = inspect.signature(endpoint).parameters.values()
        self._request_model: type[BaseModel] = request.annotation

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            raise HTTPException(405, headers={"Allow": ", ".join(self.methods or ())})
        if (body := await _read_body(receive)) is None:
            return  # the client has disconnected
        request = parse_request(self._request_model, body)
        response = await self.endpoint(request, scope["app"].state.core)
        await response(scope, receive, send)


def parse_request(model: type[Model], body: bytes) -> Model:
    """Parse and validate a request.

    Raises:
        InvalidRequestError: It is not JSON, or has too many errors to list.
        RequestValidationError: It does not match the model.
    """
    try:
        payload = parse_strict_json(body)
    except ValueError as error:
        raise InvalidRequestError(f"Invalid JSON: {error}.") from None
    return validate_request(model, payload)


def parse_strict_json(body: bytes) -> Any:
    """Parse strict JSON, which every parser accepts.

    Nesting beyond 200 levels is refused, where the standard library fails, and so are NaN, Infinity
    and 1e400, which would be read as Infinity.

    Raises:
        ValueError: It is not such JSON.
    """
    payload = from_json(body, allow_inf_nan=False)
    if b"Infinity" in to_json(payload, inf_nan_mode="constants"):  # a number, or in a string
        json.dumps(payload, allow_nan=False)
    return payload


def validate_request(model: type[Model], payload: Any) -> Model:
    """Validate a parsed request.

    Raises:
        InvalidRequestError: It has too many errors to list.
        RequestValidationError: It does not match the model.
    """
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        if error.error_count() > MAX_VALIDATION_ERRORS:
            raise InvalidRequestError(
                f"The request has {error.error_count():,} errors. See /docs for its fields."
            ) from None
        details = [{**detail, "loc": ("body", *detail["loc"])} for detail in error.errors()]
        raise RequestValidationError(details, body=payload) from None


async def _read_body(receive: Receive) -> bytes | None:
    """Return the request's body, or None if the client disconnected."""
    message = await receive()
    if not message.get("more_body") and "body" in message:
        return bytes(message["body"])
    body = bytearray()
    while message["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
        message = await receive()
    return None
