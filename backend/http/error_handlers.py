"""Errors as HTTP responses in OpenAI's shape, and their descriptions for OpenAPI."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from backend.errors import InvalidRequestError, SmolChatError


class ErrorDetail(BaseModel):
    """What happened; some errors carry numbers besides."""

    model_config = ConfigDict(extra="allow")

    message: str
    type: str
    code: str
    param: str | None


class ErrorBody(BaseModel):
    """OpenAI's error shape."""

    error: ErrorDetail


Responses = dict[int | str, dict[str, Any]]


def error_responses(*statuses: int) -> Responses:
    """Describe errors for the API's page."""
    return {status: {"model": ErrorBody} for status in statuses}


# What every route can answer: most of it before anything runs.
COMMON_RESPONSES = error_responses(400, 401, 403, 413, 500)


# `default` keeps FastAPI from describing a 422 of its own shape.
_DEFAULT_RESPONSE: Responses = {
    "default": {"model": ErrorBody, "description": "What went wrong, in OpenAI's shape"}
}


# And every route that asks the model server, or the store.
MODEL_SERVER_RESPONSES = (
    COMMON_RESPONSES | error_responses(404, 429, 502, 503, 504) | _DEFAULT_RESPONSE
)


DATABASE_RESPONSES = error_responses(503) | _DEFAULT_RESPONSE


_HEADERS = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "2"},
    503: {"Retry-After": "2"},
}


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error in OpenAI's shape."""
    app.add_exception_handler(SmolChatError, _handle_app_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_error)
    app.add_exception_handler(Exception, _handle_unexpected)


async def _handle_app_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SmolChatError)  # noqa: S101  # what it is registered for
    return error_response(error)


def error_response(error: SmolChatError) -> JSONResponse:
    """Give an error as the whole of an answer."""
    return JSONResponse(error.payload(), error.status, _HEADERS.get(error.status))


async def _handle_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    # Of the branches of a union the one that got deepest is the one that was meant.
    wrong = max(error.errors(), key=lambda detail: len(_error_path(detail, error.body)))
    param = ".".join(_error_path(wrong, error.body))
    if not param and wrong["type"] == "value_error":  # of the request as a whole
        return await _handle_app_error(
            request, InvalidRequestError(f"The request: {wrong['msg']}.")
        )
    if not param:
        message = "The request needs a JSON object, sent with the content type application/json."
        return await _handle_app_error(request, InvalidRequestError(message))
    return await _handle_app_error(
        request, InvalidRequestError(f"{param}: {wrong['msg']}.", param=param)
    )


def _error_path(detail: Mapping[str, Any], body: Any) -> list[str]:
    """Give the way to a place in the body, without the union branches that Pydantic tried.

    What is wrong in the path or in the query has a name.
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
    body = {"message": str(error.detail), "type": "invalid_request_error"}
    body["code"] = str(error.detail).lower().replace(" ", "_")
    return JSONResponse(
        {"error": body | {"param": None}}, status_code=error.status_code, headers=error.headers
    )


async def _handle_unexpected(request: Request, _error: Exception) -> JSONResponse:
    return await _handle_app_error(
        request, internal_error()
    )  # the server that runs us logs the error


def internal_error() -> SmolChatError:
    """Say that the mistake is ours."""
    return SmolChatError("Something unexpected went wrong in the API; its log has the details.")
