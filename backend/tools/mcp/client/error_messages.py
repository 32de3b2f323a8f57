"""Error messages for MCP servers that cannot be used."""

import re

import httpx2
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT
from pydantic import ValidationError

from backend.tools.mcp.errors import McpError

_LIMIT = re.compile(r"The server sent a message of more than [\d,]+ (?:bytes|JSON values)\.")
_LOST = "The connection was lost."
_INVALID = "It sent an invalid MCP message."
_MESSAGES: tuple[tuple[type[Exception], str], ...] = (
    (httpx2.ProxyError, "The proxy cannot connect to it. Check HTTP_PROXY, HTTPS_PROXY, NO_PROXY."),
    (httpx2.ConnectError, "It cannot be reached. Start it, or correct its `url`."),
    (httpx2.TransportError, _LOST),
    (ValidationError, _INVALID),
)


def find_exceeded_limit(message: str) -> str | None:
    """Return the message of a MessageLimitError within an SDK error, or None."""
    match = _LIMIT.search(message)
    return match[0] if match else None


def connection_error_message(error: BaseException, *, status: int | None, seconds: float) -> str:
    """Return why connecting or listing tools failed; `status` is the last HTTP status, if any."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError):
        return _protocol_error_message(error, status, seconds)
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return _timeout_message(seconds)
    for kind, message in _MESSAGES:
        if isinstance(error, kind):
            return message
    if isinstance(error, McpError | httpx2.DecodingError):
        return str(error)
    return find_exceeded_limit(str(error)) or f"{_INVALID} ({type(error).__name__})"


def _protocol_error_message(error: MCPError, status: int | None, seconds: float) -> str:
    if limit := find_exceeded_limit(error.message):
        return limit
    if error.code == REQUEST_TIMEOUT:
        return _timeout_message(seconds)
    if status is not None and status >= 300:
        return _status_message(status)
    if error.code == CONNECTION_CLOSED:
        return _LOST
    return f"It refuses the connection (code {error.code})."


def _status_message(status: int) -> str:
    if status < 400:
        return "It redirects to another address, which is not followed. Correct its `url`."
    if status in (401, 403):
        return f"It refuses the request (status {status}). Check its `headers`."
    if status in (404, 405):
        return f"It has no MCP endpoint at its `url` (status {status})."
    return f"It responded with status {status}."


def _timeout_message(seconds: float) -> str:
    return f"It did not respond within {seconds:g} s."
