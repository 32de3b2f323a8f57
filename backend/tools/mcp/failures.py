"""Explains in our words why an MCP server cannot be used. Imports the SDK."""

import re

import httpx2
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT
from pydantic import ValidationError

from backend.tools.mcp.errors import McpError

_LIMIT = re.compile(r"The server sent a message of more than [\d,]+ (?:bytes|JSON values)\.")
_LOST = "The connection was lost."
_INVALID = "What it sends is not valid in MCP."
_MESSAGES: tuple[tuple[type[Exception], str], ...] = (
    (httpx2.ProxyError, "The proxy cannot connect to it. Check HTTP_PROXY, HTTPS_PROXY, NO_PROXY."),
    (httpx2.ConnectError, "It cannot be reached. Start it, or correct its `url`."),
    (httpx2.TransportError, _LOST),
    (ValidationError, _INVALID),
)


def find_exceeded_limit(message: str) -> str | None:
    """Return what one of the SDK's errors says about a limit of ours, or None."""
    match = _LIMIT.search(message)
    return match[0] if match else None


def explain(error: BaseException, *, status: int | None, seconds: float) -> str:
    """Return why a connection or a list failed; `status` is the last one of HTTP."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError):
        return _explain_protocol_error(error, status, seconds)
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return _silent(seconds)
    for kind, message in _MESSAGES:
        if isinstance(error, kind):
            return message
    if isinstance(error, McpError | httpx2.DecodingError):
        return str(error)
    return find_exceeded_limit(str(error)) or f"{_INVALID} ({type(error).__name__})"


def _explain_protocol_error(error: MCPError, status: int | None, seconds: float) -> str:
    if limit := find_exceeded_limit(error.message):
        return limit
    if error.code == REQUEST_TIMEOUT:
        return _silent(seconds)
    if status is not None and status >= 300:
        return _explain_status(status)
    if error.code == CONNECTION_CLOSED:
        return _LOST
    return f"It refuses the connection (code {error.code})."


def _explain_status(status: int) -> str:
    if status < 400:
        return "It redirects to another address, which is not followed. Correct its `url`."
    if status in (401, 403):
        return f"It refuses the request (status {status}). Check its `headers`."
    if status in (404, 405):
        return f"It has no MCP endpoint at its `url` (status {status})."
    return f"It answers with status {status}."


def _silent(seconds: float) -> str:
    return f"It did not answer within {seconds:g} s."
