"""Errors as HTTP responses in OpenAI's shape, and their descriptions for OpenAPI."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from backend.errors import InvalidRequestError, SmolChatError

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
_DEFAULT_RESPONSE: Responses = {
    "default": {"model": ErrorBody, "description": "An error in OpenAI's shape"}
}
# Errors of every route that calls the model server.
MODEL_SERVER_RESPONSES = (
    COMMON_RESPONSES | error_responses(404, 429, 502, 503, 504) | _DEFAULT_RESPONSE
)
# Errors of every route that uses the database.
DATABASE_RESPONSES = error_responses(503) | _DEFAULT_RESPONSE

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
    # Of a union's branches, the one that matched deepest is the one that the client meant.
    detail = max(error.errors(), key=lambda detail: len(_error_path(detail, error.body)))
    reason = detail["msg"].removeprefix("Value error, ")
    if param := ".".join(_error_path(detail, error.body)):
        return error_response(InvalidRequestError(f"{param}: {reason}.", param=param))
    if detail["type"] == "value_error":  # of the request as a whole
        return error_response(InvalidRequestError(f"Invalid request: {reason}."))
    return error_response(
        InvalidRequestError(
            "The request body must be a JSON object, sent with the content type application/json."
        )
    )


def _error_path(detail: Mapping[str, Any], body: Any) -> list[str]:
    """Return the path to a value in the body, without the union branches that Pydantic tried.

    An error in the URL's path or query has just the parameter's name.
    """
    if detail["loc"][0] != "body":
        return [str(detail["loc"][-1])]
    names = []
    absent = detail["loc"][-1] if detail["type"] in ("missing", "extra_forbidden") else None
    for part in detail["loc"][1:]:
        if isinstance(body, list) and isinstance(part, int):
            body = body[part] if part < len(body) else None
        elif isinstance(body, dict) and (part in body or part == absent):
            body = body.get(part)
        else:
            continue
        names.append(str(part))
    return names


async def _handle_http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    detail = {"message": str(error.detail), "type": "invalid_request_error"}
    detail["code"] = str(error.detail).lower().replace(" ", "_")
    return JSONResponse(
        {"error": detail | {"param": None}}, status_code=error.status_code, headers=error.headers
    )


async def _handle_unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return error_response(internal_error())  # uvicorn logs the error itself
