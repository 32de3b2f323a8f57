"""HTTP connections to the model server: their headers and timeouts, and mapping their errors."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import aiohttp
import httpx

from backend.errors import ModelServerError, ModelServerTimeoutError, ModelServerUnreachableError
from backend.model_server.error_mapping.status import proxy_password_error
from backend.model_server.response_limits import ResponseLimits
from backend.settings import Settings

MAX_TARGET_CHARACTERS = 300
# The routes that are requested below a base URL.
_ROUTE = re.compile(r"/(?:chat/completions|embeddings|models|rerank)/?$")
_UNREACHABLE = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
)
HTTP_ERRORS = (httpx.RequestError, aiohttp.ClientError, TimeoutError, UnicodeError)
_TIMEOUTS = (TimeoutError, httpx.TimeoutException)


def open_session(settings: Settings, **connector_options: Any) -> aiohttp.ClientSession:
    """Return a session whose headers come from our settings alone, never from a client.

    llama.cpp's server closes a connection after 5 s of idling, and a request must not cross with
    that. After a stream it closes at once, despite announcing keep-alive: the connection of a
    stream must not be reused.
    """
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    key, proxy = settings.dmr_api_key.get_secret_value(), settings.model_server_proxy
    if key and not proxy:
        headers["Authorization"] = f"Bearer {key}"
    return aiohttp.ClientSession(
        # Not `trust_env`: that would also send the passwords in ~/.netrc, in place of our key.
        proxy=proxy.get_secret_value() if proxy else None,
        # aiohttp sends the headers of a session to the proxy too, which must not get the key.
        middlewares=[_authorize(key)] if key and proxy else [],
        connector=aiohttp.TCPConnector(limit=0, **connector_options),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # a few kilobytes may be gigabytes: see `check_encoding`
        headers=headers,
        timeout=aiohttp.ClientTimeout(
            total=None,
            sock_connect=settings.connect_timeout_seconds,
            sock_read=settings.read_timeout_seconds,
        ),
    )


def _authorize(key: str) -> aiohttp.ClientMiddlewareType:
    async def add_key(
        request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers["Authorization"] = f"Bearer {key}"
        return await send(request)

    return add_key


def map_http_error(error: BaseException, url: str) -> ModelServerError:
    """Return the SmolChatError for one of `HTTP_ERRORS`.

    httpx-aiohttp raises ConnectTimeout for most of aiohttp's errors: the cause is more precise.
    """
    cause = error.__cause__
    original = cause if isinstance(cause, (aiohttp.ClientError, TimeoutError)) else error
    if isinstance(original, aiohttp.ClientProxyConnectionError):
        return ModelServerUnreachableError(
            f"Can't reach the proxy {original.host}, port {original.port}, of the model server at "
            f"{url}. Start it, correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or add the model "
            "server's host to NO_PROXY."
        )
    if isinstance(original, aiohttp.ClientHttpProxyError):
        if original.status == 407:
            return proxy_password_error()
        return ModelServerUnreachableError(
            f"The proxy cannot connect to the model server at {url} (status {original.status}). "
            "Start the server, or add its host to NO_PROXY if it can be reached without a proxy."
        )
    if isinstance(original, _UNREACHABLE):
        return ModelServerUnreachableError(_unreachable_message(url))
    if isinstance(original, _TIMEOUTS):
        return ModelServerTimeoutError(f"The model server at {url} stopped responding. Restart it.")
    return ModelServerError(
        "The connection to the model server was lost before the response was complete. Try again."
    )


def redirect_error(url: str, location: str | None) -> ModelServerError:
    """Return the error for a redirect of a request for `url` to `location`, which is not followed.

    The target is shown without a user, a query or other parameters, which may hold secrets.
    """
    target = _redirect_target(url, location)
    base_url, target_base_url = _ROUTE.sub("", url), _ROUTE.sub("", target)
    message = f"The model server at {base_url} redirects "
    if not target:
        return ModelServerError(message + "elsewhere. Check DMR_BASE_URL.")
    if target_base_url in (target, base_url):
        return ModelServerError(message + f"to {target}. Check DMR_BASE_URL.")
    return ModelServerError(message + f"to {target}. Set DMR_BASE_URL to {target_base_url}.")


def set_read_timeout(seconds: float, response: aiohttp.ClientResponse) -> None:
    """Limit the time between any two chunks of `response` from now on."""
    connection = response.connection
    # A protocol has a length of 0 and is falsy: compare with None.
    if connection is not None and connection.protocol is not None:
        connection.protocol.read_timeout = seconds
        connection.protocol.start_timeout()


def check_encoding(headers: Mapping[str, str]) -> None:
    """Check that a response is not compressed: `Accept-Encoding` asked for that.

    Raises:
        ModelServerError: It is.
    """
    encoding = headers.get("Content-Encoding")
    if encoding and encoding.strip().lower() not in ("identity", ""):
        raise ModelServerError(
            "The model server compressed its answer although it was asked not to "
            f"(Content-Encoding {encoding!r:.40}). Turn compression off there."
        )


async def read_body(
    response: aiohttp.ClientResponse | httpx.Response, limits: ResponseLimits
) -> bytes:
    """Return all of a response, which is within the limits.

    Raises:
        ModelServerError: It is not, or it is compressed.
    """
    check_encoding(response.headers)
    chunks: AsyncIterator[bytes]
    if isinstance(response, httpx.Response):
        chunks = response.aiter_bytes()  # not compressed
    else:
        chunks = response.content.iter_any()
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        limits.check_bytes(len(body))
    raw = bytes(body)
    limits.check_values(raw)
    return raw


def _unreachable_message(url: str) -> str:
    """Return the message for a server that cannot be reached: each URL has its usual cause."""
    message = f"Can't reach the model server at {url}. "
    if "docker.internal" in url:
        return message + (
            "Enable Docker Model Runner, or add its host name to `extra_hosts` (Docker Engine on "
            "Linux)."
        )
    if "//engine:" in url:  # the service's name in compose.embedded.yaml
        return message + (
            "Start it with `docker compose -f compose.embedded.yaml up -d`, or see why it exited "
            "with `docker compose -f compose.embedded.yaml logs engine`."
        )
    if ":12434" in url:
        return message + (
            "Enable Docker Model Runner (`docker desktop enable model-runner --tcp 12434`), start "
            "the embedded engine instead (`make run` or `python -m engine`), or set DMR_BASE_URL."
        )
    return message + "Start it, or set DMR_BASE_URL."


def _redirect_target(url: str, location: str | None) -> str:
    """Return the absolute URL without what may be secret, or "" if it cannot be shown."""
    try:
        target = urlsplit(urljoin(url, location or ""))
        origin = target.netloc.rpartition("@")[2].lower()
        path = target.path.partition(";")[0]
        shown = urlunsplit((target.scheme, origin, path, "", ""))
    except ValueError:
        return ""
    is_shown = location and origin and target.scheme in ("http", "https") and shown.isprintable()
    return shown if is_shown and len(shown) <= MAX_TARGET_CHARACTERS else ""
