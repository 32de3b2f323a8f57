"""Checks of a request's head before any route runs: host, origin, API key, body type and size.

The API listens on the user's own machine, where every page in their browser can send requests to
it. So a request has to name this machine as its host (DNS rebinding shows a foreign name), must not
come from a page of another site, and must declare its JSON as JSON.
"""

import re
from collections.abc import Collection, Mapping
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
from backend.http.body_limit import (
    BodyLimit,
    limit_streamed_body,
    reject_and_close,
    too_large_error,
)
from backend.http.error_handlers import error_response
from backend.http.head import respond_to_head
from backend.http.upgrade import receive_with_body
from backend.settings import Settings

# Paths whose limit is not `max_body_bytes`.
BODY_LIMITS: Mapping[str, BodyLimit] = MappingProxyType({})
# Paths whose bodies are forms with a file, not JSON.
NO_PATHS: frozenset[str] = frozenset()
# They need no key: health checks, which send none, and the React page, which asks for it.
PUBLIC_PATHS = frozenset({"/healthz", "/readyz", "/"})
PUBLIC_PREFIXES = ("/assets/", "/c/", "/app/")

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_BODILESS_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SINGLE_HEADERS = frozenset(
    {b"host", b"origin", b"authorization", b"content-type", b"content-length", b"sec-fetch-site"}
)
_CROSS_SITE = frozenset({b"cross-site", b"same-site"})
_JSON = re.compile(rb"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_FORM = re.compile(rb"multipart/form-data\s*;.*", re.IGNORECASE)
# An IPv6 address may have a zone, which browsers and curl leave out and other clients send.
_HOST = re.compile(
    r"(?:\[([0-9a-f:.]+)(?:%(?:25)?[a-z0-9_-]+(?:\.\d+)?)?\]|([a-z0-9_.-]+))(?::\d{1,5})?"
)
_MAX_CACHED_HOSTS = 1000


class SecurityMiddleware:
    """Rejects a request with a forbidden head or a body that is too large."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        *,
        body_limits: Mapping[str, BodyLimit] = BODY_LIMITS,
        form_paths: Collection[str] = NO_PATHS,
    ) -> None:
        self._app = app
        self._key = settings.api_key.get_secret_value().encode()
        self._hosts = {"localhost", *settings.allowed_hosts}
        self._valid_hosts: set[bytes | None] = set()  # a cache of Host headers
        self._origins = {origin.encode() for origin in settings.allowed_origins}
        self._default_limit = BodyLimit(settings.max_body_bytes, "SMOLCHAT_MAX_BODY_BYTES")
        self._body_limits = body_limits
        self._form_paths = form_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:  # the API has no WebSockets
                await send({"type": "websocket.close"})
            return
        raw_headers: list[tuple[bytes, bytes]] = scope["headers"]
        headers = dict(raw_headers)
        try:
            if len(headers) != len(raw_headers):
                _check_duplicate_headers(raw_headers)
            self._check_head(scope, headers)
            needs_counting = self._needs_body_counting(scope, headers)
            if b"upgrade" in headers and (b"content-length" in headers or needs_counting):
                receive = await receive_with_body(receive, headers)
        except (RequestTooLargeError, UpgradeBodyLostError) as error:
            await reject_and_close(error, scope, receive, send)
        except SmolChatError as error:
            await error_response(error)(scope, receive, send)
        else:
            app = respond_to_head(self._app) if scope["method"] == "HEAD" else self._app
            if needs_counting:
                await limit_streamed_body(app, self._limit(scope), scope, receive, send)
            else:
                await app(scope, receive, send)

    def _check_head(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host")
        if host not in self._valid_hosts:
            self._check_host(host)
        if b"origin" in headers or b"sec-fetch-site" in headers:
            self._check_origin(headers)
        if self._key and not _is_public(scope["path"]):
            self._check_key(headers.get(b"authorization", b""))

    def _check_host(self, host: bytes | None) -> None:
        if host is None:
            raise InvalidRequestError("The request has no Host header.")
        name = host.decode("latin-1").lower()
        if not _is_allowed(name, self._hosts):
            raise HostNotAllowedError(
                f"The host {name[:100]!r} is not allowed. Use localhost or an IP address, or add "
                "the host to SMOLCHAT_ALLOWED_HOSTS."
            )
        if len(self._valid_hosts) < _MAX_CACHED_HOSTS:
            self._valid_hosts.add(host)

    def _check_origin(self, headers: dict[bytes, bytes]) -> None:
        """Reject a request from a page of another origin.

        For embedded resources browsers send no Origin, but Sec-Fetch-Site. Following a link to the
        API is as harmless as typing its address.
        """
        origin = headers.get(b"origin")
        if origin is None:
            is_link = headers.get(b"sec-fetch-dest") == b"document"
            is_allowed = is_link or headers[b"sec-fetch-site"] not in _CROSS_SITE
        else:
            scheme, _, host = origin.lower().partition(b"://")
            is_same_origin = scheme in (b"http", b"https") and host == headers[b"host"].lower()
            is_allowed = is_same_origin or origin in self._origins
        if not is_allowed:
            site = (origin or b"another site").decode("latin-1")[:100]
            raise OriginNotAllowedError(
                f"Pages from {site!r} may not use this API. To allow them, add their origin to "
                "SMOLCHAT_ALLOWED_ORIGINS."
            )

    def _check_key(self, authorization: bytes) -> None:
        if not has_key(authorization, self._key):
            raise UnauthorizedError(
                "The API requires its key. Send `Authorization: Bearer` with SMOLCHAT_API_KEY."
            )

    def _needs_body_counting(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Check the body's declared length and type; return True if the length is not declared.

        Raises:
            SmolChatError: The body is too large, or not JSON.
        """
        length = headers.get(b"content-length")
        if length is None:
            may_have_body = b"transfer-encoding" in headers or scope["http_version"][0] != "1"
            if may_have_body and scope["method"] in _BODY_METHODS:
                self._check_content_type(scope, headers)
            return may_have_body and scope["method"] not in _BODILESS_METHODS
        if not length.isdigit():
            raise InvalidRequestError("Content-Length is not a number.")
        if len(length) > 18 or int(length) > self._limit(scope).bytes:
            raise too_large_error(self._limit(scope))
        if length != b"0" and scope["method"] in _BODY_METHODS:
            self._check_content_type(scope, headers)
        return False

    def _check_content_type(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Check that a body is JSON, or a form where one is expected.

        Every page can send a form, so it is `_check_origin` that keeps those of others out.
        """
        content_type = headers.get(b"content-type", b"")
        if scope["path"] not in self._form_paths:
            _check_json_type(content_type)
        elif not _FORM.fullmatch(content_type):
            raise UnsupportedMediaTypeError(
                "The request body must be a form with a file, sent with the content type "
                "multipart/form-data and its boundary."
            )

    def _limit(self, scope: Scope) -> BodyLimit:
        return self._body_limits.get(scope["path"], self._default_limit)


def has_key(authorization: bytes, key: bytes) -> bool:
    """Return True if an Authorization header has the API's key, or none is needed."""
    scheme, _, sent_key = authorization.partition(b" ")
    return not key or (scheme.lower() == b"bearer" and compare_digest(sent_key.strip(), key))


def _is_public(path: str) -> bool:
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES)


def _is_allowed(host: str, names: set[str]) -> bool:
    """Return True if a Host header is one of `names` or an IP address."""
    if "*" in names:
        return True
    if not (match := _HOST.fullmatch(host)):
        return False
    ipv6, name = match.groups()
    if name and name.removesuffix(".") in names:
        return True
    try:
        address = ip_address(ipv6 or name)
    except ValueError:
        return False
    return (address.version == 6) == bool(ipv6)


def _check_duplicate_headers(raw_headers: list[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in raw_headers]
    for name in _SINGLE_HEADERS:
        if names.count(name) > 1:
            raise InvalidRequestError(f"The request has more than one {name.decode()} header.")


def _check_json_type(content_type: bytes) -> None:
    if content_type != b"application/json" and not _JSON.fullmatch(content_type):
        raise UnsupportedMediaTypeError(
            "The request body must be JSON, sent with the content type application/json."
        )
