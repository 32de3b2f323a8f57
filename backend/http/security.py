"""Who may ask, and how much: what is refused before anything runs.

The API listens on a person's own machine, where every page that their browser shows can send
requests to it. So a request has to name this machine (a page that moved its own name here, by DNS
rebinding, names itself), must not come from a page elsewhere, and carries its JSON as JSON.
"""

import re
from collections.abc import Mapping
from hmac import compare_digest
from ipaddress import ip_address
from types import MappingProxyType

from starlette.types import ASGIApp, Receive, Scope, Send

from backend.errors import (
    HostNotAllowedError,
    InvalidRequestError,
    OriginNotAllowedError,
    RequestTooLargeError,
    SmolChatError,
    UnauthorizedError,
    UnsupportedMediaTypeError,
    UpgradeBodyLostError,
)
from backend.http.body_limit import limit_streamed_body, reject_and_close, too_large_error
from backend.http.error_handlers import error_response
from backend.http.upgrade import receive_with_body
from backend.settings import Settings

# Where a route takes another number of bytes than `max_body_bytes`: its path, and the number.
BODY_LIMITS: Mapping[str, int] = MappingProxyType({})
# What a probe looks at; it has no key.
PUBLIC_PATHS = frozenset({"/healthz", "/readyz"})

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_SINGLE_HEADERS = frozenset(
    {b"host", b"origin", b"authorization", b"content-type", b"content-length", b"sec-fetch-site"}
)
_CROSS_SITE = frozenset({b"cross-site", b"same-site"})
_JSON = re.compile(rb"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d{1,5})?")
_MAX_KNOWN_HOSTS = 1000


class SecurityMiddleware:
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
                _check_duplicate_headers(sent)
            self._check(scope, headers)
            is_counted = self._needs_body_counting(scope, headers)
            if b"upgrade" in headers and (b"content-length" in headers or is_counted):
                receive = await receive_with_body(receive, headers)
        except (RequestTooLargeError, UpgradeBodyLostError) as error:
            await reject_and_close(error, scope, receive, send)
        except SmolChatError as error:
            await error_response(error)(scope, receive, send)
        else:
            if is_counted:
                await limit_streamed_body(self._app, self._limit(scope), scope, receive, send)
            else:
                await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host")
        if host not in self._known_hosts:
            self._check_host(host)
        if b"origin" in headers or b"sec-fetch-site" in headers:
            self._check_origin(headers)
        if self._key and scope["path"] not in PUBLIC_PATHS:
            self._check_key(headers.get(b"authorization", b""))

    def _check_host(self, host: bytes | None) -> None:
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
            is_ours = is_link or headers[b"sec-fetch-site"] not in _CROSS_SITE
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

    def _needs_body_counting(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Check what is told of the body; tell whether its length will only be known by counting.

        Raises:
            SmolChatError: it is too long, or not JSON.
        """
        length = headers.get(b"content-length")
        if length is None:
            may_have_one = b"transfer-encoding" in headers or scope["http_version"][0] != "1"
            if may_have_one and scope["method"] in _BODY_METHODS:
                _check_content_type(headers.get(b"content-type", b""))
            return may_have_one and scope["method"] not in _WITHOUT_BODY
        if not length.isdigit():
            raise InvalidRequestError("Content-Length is not a number.")
        if len(length) > 18 or int(length) > self._limit(scope):
            raise too_large_error(self._limit(scope))
        if length != b"0" and scope["method"] in _BODY_METHODS:
            _check_content_type(headers.get(b"content-type", b""))
        return False

    def _limit(self, scope: Scope) -> int:
        return self._body_limits.get(scope["path"], self._max_body_bytes)


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


def _check_duplicate_headers(sent: list[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in sent]
    for name in _SINGLE_HEADERS:
        if names.count(name) > 1:
            raise InvalidRequestError(f"The request has more than one {name.decode()} header.")


def _check_content_type(content_type: bytes) -> None:
    if content_type != b"application/json" and not _JSON.fullmatch(content_type):
        raise UnsupportedMediaTypeError(
            "The request needs JSON, sent with the content type application/json."
        )
