"""HTTP to the model server: what is sent on its connections, and what their failures mean."""

from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx

from backend.errors import ModelServerError, ModelServerTimeoutError, ModelServerUnreachableError
from backend.model_server.sse import invalid_response
from backend.settings import Settings

MAX_ANSWER_BYTES = 128 * 1024 * 1024
_UNREACHABLE = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
)
_TIMEOUTS = (TimeoutError, httpx.TimeoutException)


def open_session(settings: Settings, **connections: Any) -> aiohttp.ClientSession:
    """Make what holds the connections; what is sent is made of nothing but our own settings.

    llama.cpp's server closes what has been idle for 5 s; a request must not cross with that. After
    a stream it closes at once, though it says that it would not: those are never used again.
    """
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    if key := settings.dmr_api_key.get_secret_value():
        headers["Authorization"] = f"Bearer {key}"
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, **connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        timeout=aiohttp.ClientTimeout(
            total=None,
            sock_connect=settings.connect_timeout_seconds,
            sock_read=settings.read_timeout_seconds,
        ),
    )


@contextmanager
def map_http_errors(url: str) -> Iterator[None]:
    """Turn the HTTP libraries' errors into ours.

    httpx-aiohttp says ConnectTimeout for most of aiohttp's errors: the cause tells them apart.
    """
    try:
        yield
    except (httpx.RequestError, aiohttp.ClientError, TimeoutError, UnicodeError) as error:
        cause = error.__cause__
        seen = cause if isinstance(cause, (aiohttp.ClientError, TimeoutError)) else error
        if isinstance(seen, _UNREACHABLE):
            raise ModelServerUnreachableError(_unreachable_message(url)) from error
        if isinstance(seen, _TIMEOUTS):
            raise ModelServerTimeoutError(
                f"The model server at {url} has been silent for too long. Restart it."
            ) from error
        raise ModelServerError(
            "The connection to the model server broke before its answer was whole. Try again."
        ) from error


def set_read_timeout(seconds: float, response: aiohttp.ClientResponse) -> None:
    """Let no more than this pass between any two bytes from now on."""
    connection = response.connection
    if connection is not None and connection.protocol is not None:  # its length is 0: it is falsy
        connection.protocol.read_timeout = seconds
        connection.protocol.start_timeout()


async def read_body(chunks: AsyncIterable[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise invalid_response()
    return bytes(body)


def _unreachable_message(url: str) -> str:
    """Say what to do where nothing answers; each address has its own usual reason."""
    message = f"Nothing answers at {url}. "
    if "docker.internal" in url:
        return message + (
            "Enable Docker Model Runner, or add its name to `extra_hosts` (Docker Engine on Linux)."
        )
    if "//engine:" in url:  # as compose.embedded.yaml calls it
        return message + (
            "`docker compose -f compose.embedded.yaml up -d` starts it; `docker compose -f "
            "compose.embedded.yaml logs engine` says why it ended."
        )
    if ":12434" in url:
        return message + (
            "Turn Docker Model Runner on (`docker desktop enable model-runner --tcp 12434`), or "
            "start the engine in its place (`make run` does, or `python -m engine`), or set "
            "DMR_BASE_URL."
        )
    return message + "Start the model server there, or set DMR_BASE_URL."
