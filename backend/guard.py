"""Who may ask, and how much: what is refused before anything runs.

The API listens on a person's own machine, where every page that their browser shows can send
requests to it. So a request has to name this machine (a page that moved its own name here, by DNS
rebinding, names itself), must not come from a page elsewhere, and carries its JSON as JSON.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from hmac import compare_digest
from ipaddress import ip_address
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import (
    HostNotAllowedError,
    InvalidRequestError,
    OriginNotAllowedError,
    RequestTooLargeError,
    SmolChatError,
    UnauthorizedError,
    UnsupportedMediaTypeError,
    UpgradeError,
    answer_to,
)
from backend.settings import Settings
from backend.upgrade import with_body

# Where a route takes another number of bytes than `max_body_bytes`: its path, and the number.
BODY_LIMITS: Mapping[str, int] = MappingProxyType({})
# What a probe looks at; it has no key.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_ONLY_ONCE = frozenset(
    {b"host", b"origin", b"authorization", b"content-type", b"content-length", b"sec-fetch-site"}
)
_ELSEWHERE = frozenset({b"cross-site", b"same-site"})
_JSON = re.compile(rb"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d{1,5})?")
_MAX_KNOWN_HOSTS = 1000
_DRAIN_SECONDS = 1.0


class Guard:
    """Looks at the head of every request, and at the length of its body."""

    def __init__(
        self, app: ASGIApp, settings: Settings, *, body_limits: Mapping[str, int] = BODY_LIMITS
    ) -> None:
        self._app = app
        self._key = settings.api_key.get_secret_value().encode()
        self._hosts = {"localhost", *settings.allowed_hosts}
        self._known_hosts: set[bytes | None] = set()  # as they were sent, and found good
        self._origins = {origin.encode() for origin in settings.allowed_origins}
        self._max_body_bytes = settings.max_body_bytes
        self._body_limits = body_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:  # there are no web sockets here
                await send({"type": "websocket.close"})
            return
        sent: list[tuple[bytes, bytes]] = scope["headers"]
        headers = dict(sent)
        try:
            if len(headers) != len(sent):
                _check_doubled(sent)
            self._check(scope, headers)
            is_counted = self._is_counted(scope, headers)
            if b"upgrade" in headers and (b"content-length" in headers or is_counted):
                receive = await with_body(receive, headers)
        except (RequestTooLargeError, UpgradeError) as error:
            await _hang_up(error, scope, receive, send)
        except SmolChatError as error:
            await answer_to(error)(scope, receive, send)
        else:
            if is_counted:
                await self._count(scope, receive, send)
            else:
                await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host")
        if host not in self._known_hosts:
            self._meet(host)
        if b"origin" in headers or b"sec-fetch-site" in headers:
            self._check_origin(headers)
        if self._key and scope["path"] not in OPEN_PATHS:
            self._check_key(headers.get(b"authorization", b""))

    def _meet(self, host: bytes | None) -> None:
        if host is None:
            raise InvalidRequestError("The request has no Host header.")
        name = host.decode("latin-1").lower()
        if not _is_allowed(name, self._hosts):
            raise HostNotAllowedError(
                f"The API is not known as {name[:100]!r}. Use localhost or an IP address, or name "
                "the host in SMOLCHAT_ALLOWED_HOSTS."
            )
        if len(self._known_hosts) < _MAX_KNOWN_HOSTS:
            self._known_hosts.add(host)

    def _check_origin(self, headers: dict[bytes, bytes]) -> None:
        """Refuse what a page elsewhere sends.

        Browsers leave the origin out where a page only embeds something, and say that otherwise.
        Following a link to here is no more than typing the address.
        """
        origin = headers.get(b"origin")
        if origin is None:
            is_link = headers.get(b"sec-fetch-dest") == b"document"
            is_ours = is_link or headers[b"sec-fetch-site"] not in _ELSEWHERE
        else:
            scheme, _, host = origin.lower().partition(b"://")
            is_ours = scheme in (b"http", b"https") and host == headers[b"host"].lower()
            is_ours = is_ours or origin in self._origins
        if not is_ours:
            named = (origin or b"another site").decode("latin-1")[:100]
            raise OriginNotAllowedError(
                f"A page of {named!r} may not use this API. To let it, name its origin in "
                "SMOLCHAT_ALLOWED_ORIGINS."
            )

    def _check_key(self, authorization: bytes) -> None:
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not compare_digest(key.strip(), self._key):
            raise UnauthorizedError(
                "The API wants its key: send `Authorization: Bearer` with SMOLCHAT_API_KEY."
            )

    def _is_counted(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Check what is told of the body; tell whether its length will only be known by counting.

        Raises:
            SmolChatError: it is too long, or not JSON.
        """
        length = headers.get(b"content-length")
        if length is None:
            may_have_one = b"transfer-encoding" in headers or scope["http_version"][0] != "1"
            if may_have_one and scope["method"] in _WITH_BODY:
                _check_type(headers.get(b"content-type", b""))
            return may_have_one and scope["method"] not in _WITHOUT_BODY
        if not length.isdigit():
            raise InvalidRequestError("Content-Length is not a number.")
        if len(length) > 18 or int(length) > self._limit(scope):
            raise _too_large(self._limit(scope))
        if length != b"0" and scope["method"] in _WITH_BODY:
            _check_type(headers.get(b"content-type", b""))
        return False

    def _limit(self, scope: Scope) -> int:
        return self._body_limits.get(scope["path"], self._max_body_bytes)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _CountedBody(self._limit(scope), receive, send)
        try:
            await self._app(scope, body.receive, body.send)
        except Exception:
            if not body.is_too_large:
                raise
        if body.is_too_large and not body.is_answered:
            await _hang_up(_too_large(body.limit), scope, receive, send)


class _CountedBody:
    """A body of unknown length: once it is too long, the app sees a client that has left."""

    def __init__(self, limit: int, receive: Receive, send: Send) -> None:
        self.limit = limit
        self.is_too_large = False
        self.is_answered = False
        self._left = limit
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        if self.is_too_large:
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left >= 0:
            return message
        self.is_too_large = True
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.is_answered or not self.is_too_large:
            self.is_answered = True
            await self._send(message)


class _CrossOrigin(CORSMiddleware):
    """Starlette's, with its refusal in the shape of ours."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        refused = bytes(response.body).decode()
        return answer_to(
            OriginNotAllowedError(f"{refused}. SMOLCHAT_ALLOWED_ORIGINS names who may ask.")
        )


def cross_origin(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Let pages of the origins that are named read what the API answers; of no others."""
    if not settings.allowed_origins:
        return app
    return _CrossOrigin(
        app,
        allow_origins=settings.allowed_origins,
        allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=("*",),
        allow_private_network=True,
        expose_headers=("X-Request-Id", "Retry-After"),
    )


def _is_allowed(host: str, names: set[str]) -> bool:
    """Tell whether a Host header names this machine: by a known name, or as an IP address."""
    if "*" in names:
        return True
    if not (parts := _HOST.fullmatch(host)):
        return False
    if parts[2] and parts[2].removesuffix(".") in names:
        return True
    try:
        address = ip_address(parts[1] or parts[2])
    except ValueError:
        return False
    return (address.version == 6) == bool(parts[1])


def _check_doubled(sent: list[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in sent]
    for name in _ONLY_ONCE:
        if names.count(name) > 1:
            raise InvalidRequestError(f"The request has more than one {name.decode()} header.")


def _check_type(content_type: bytes) -> None:
    if content_type != b"application/json" and not _JSON.fullmatch(content_type):
        raise UnsupportedMediaTypeError(
            "The request needs JSON, sent with the content type application/json."
        )


def _too_large(limit: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"The request is larger than {limit:,} bytes. Send less.")


async def _hang_up(error: SmolChatError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, and read on for a moment before the connection is closed.

    Closed with something unread, it would be reset, and the client might never see the answer.
    """

    async def send_unfinished(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["more_body"] = True
        else:
            message["headers"].append((b"connection", b"close"))
        await send(message)

    await answer_to(error)(scope, receive, send_unfinished)
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})
