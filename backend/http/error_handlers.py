"""Errors as HTTP responses in OpenAI's shape, and their descriptions for OpenAPI."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from backend.errors import InvalidRequestError, SmolChatError
from backend.http.validation_messages import first_invalid_field

Responses = dict[int | str, dict[str, Any]]


class ErrorDetail(BaseModel):
    """What happened; some errors have more fields."""

    model_config = ConfigDict(extra="allow")

    message: str
    type: str
    code: str
    param: str | None


class ErrorBody(BaseModel):
    """OpenAI's error shape."""

    error: ErrorDetail


def error_responses(*statuses: int) -> Responses:
    """Return the OpenAPI descriptions of the errors with these statuses."""
    return {status: {"model": ErrorBody} for status in statuses}


# Errors of every route, most of them raised before the route runs.
COMMON_RESPONSES = error_responses(400, 401, 403, 413, 500)
# `default` keeps FastAPI from describing a 422 in its own shape.
DEFAULT_RESPONSE: Responses = {
    "default": {"model": ErrorBody, "description": "An error in OpenAI's shape"}
}
# Errors of every route that calls the model server.
MODEL_SERVER_RESPONSES = (
    COMMON_RESPONSES | error_responses(404, 429, 502, 503, 504) | DEFAULT_RESPONSE
)
# Errors of every route that uses the database.
DATABASE_RESPONSES = error_responses(503) | DEFAULT_RESPONSE

_HEADERS = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "2"},
    503: {"Retry-After": "2"},
}


def add_error_handlers(app: FastAPI) -> None:
    """Make every error a response in OpenAI's shape."""
    app.add_exception_handler(SmolChatError, _handle_app_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_error)
    app.add_exception_handler(ClientDisconnect, _handle_disconnect)
    app.add_exception_handler(Exception, _handle_unexpected)


def error_response(error: SmolChatError) -> JSONResponse:
    return JSONResponse(error.payload(), error.status, _HEADERS.get(error.status))


def internal_error() -> SmolChatError:
    """Return the error for an exception that the API did not expect."""
    return SmolChatError("Unexpected error in the API. See its log for details.")


async def _handle_app_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SmolChatError)  # noqa: S101  # as registered
    return error_response(error)


async def _handle_validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    param, reason = first_invalid_field(error.errors(), error.body)
    if param:
        return error_response(InvalidRequestError(f"{param}: {reason}.", param=param))
    if any(detail["type"] == "value_error" for detail in error.errors()):  # of all of the request
        return error_response(InvalidRequestError(f"Invalid request: {reason}."))
    return error_response(
        InvalidRequestError(
            "The request body must be a JSON object, sent with the content type application/json."
        )
    )


async def _handle_http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    detail = {"message": str(error.detail), "type": "invalid_request_error"}
    detail["code"] = str(error.detail).lower().replace(" ", "_")
    return JSONResponse(
        {"error": detail | {"param": None}}, status_code=error.status_code, headers=error.headers
    )


class _NoResponse(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing: there is no client any more."""


async def _handle_disconnect(_request: Request, _error: Exception) -> Response:
    """Handle a client that left before it had sent all of its request."""
    return _NoResponse()


async def _handle_unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return error_response(internal_error())  # uvicorn logs the error itself
