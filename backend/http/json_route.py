"""A fast route for requests with a JSON body; FastAPI only describes it.

FastAPI's body parsing and dependency resolution cost as much as all the rest of a request.
"""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, get_args

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from backend.errors import InvalidRequestError, RequestTooLargeError
from backend.json_limits import has_huge_number, has_too_many_values

MAX_VALIDATION_ERRORS = 100  # listing a million of them would take seconds and gigabytes

LARGE_BODY_BYTES = 64 * 1024  # many of these at once would keep others waiting

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Model = TypeVar("Model", bound=BaseModel)


class FastJsonRoute(APIRoute):
    """Call the endpoint with the validated request, the `AppState` and its other dependencies."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        request, _state, *others = inspect.signature(endpoint).parameters.values()
        self._request_model: type[BaseModel] = request.annotation
        self._dependencies = [get_args(other.annotation)[1].dependency for other in others]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            raise HTTPException(405, headers={"Allow": ", ".join(self.methods or ())})
        if (body := await _read_body(receive)) is None:
            return  # the client has disconnected
        state = scope["app"].state.core
        max_values = state.settings.max_json_values
        if len(body) < LARGE_BODY_BYTES:
            request = parse_request(self._request_model, body, max_values)
        else:
            request = await in_turn(
                state.large_bodies, parse_request, self._request_model, body, max_values
            )
        del body  # the response may take minutes
        connection = Request(scope)
        others = [await dependency(connection) for dependency in self._dependencies]
        response = await self.endpoint(request, state, *others)
        await response(scope, receive, send)


async def in_turn(
    lock: asyncio.Lock,
    function: Callable[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """Return what `function` returns, which may take a while and holds the interpreter's lock.

    One runs at a time, and as long as it took, all other requests go on before the next.
    """
    async with lock:
        started = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            await asyncio.sleep(time.perf_counter() - started)


def parse_request(model: type[Model], body: bytes, max_values: int) -> Model:
    """Parse and validate a request.

    Raises:
        RequestTooLargeError: It has more than `max_values` values.
        InvalidRequestError: It is not JSON, or has too many errors to list.
        RequestValidationError: It does not match the model.
    """
    return validate_request(model, parse_body(body, max_values))


def parse_body(body: bytes, max_values: int) -> Any:
    """Parse the JSON of a request.

    Raises:
        RequestTooLargeError: It has more than `max_values` values.
        InvalidRequestError: It is not JSON.
    """
    if has_too_many_values(body, max_values):
        raise RequestTooLargeError(
            f"The request has more than {max_values:,} JSON values (SMOLCHAT_MAX_JSON_VALUES). "
            "Send fewer."
        )
    try:
        return parse_strict_json(body)
    except ValueError as error:
        raise InvalidRequestError(f"Invalid JSON: {error}.") from None


def parse_strict_json(body: bytes) -> Any:
    """Parse strict JSON, which every parser accepts.

    Nesting beyond 200 levels is refused, where the standard library fails, and so are NaN, Infinity
    and numbers that are read as Infinity, such as 1e400.

    Raises:
        ValueError: It is not such JSON.
    """
    if has_huge_number(body):
        raise ValueError("a number is too large")
    return from_json(body, allow_inf_nan=False)


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
