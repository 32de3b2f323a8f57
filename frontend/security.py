"""Checks of a request's host and origin before Streamlit sees it.

The page listens on the user's own machine and reads the API with the page's own key, and every
website in a browser can send requests to this machine. Streamlit accepts any `Host`, so a foreign
name that resolves to this machine (DNS rebinding) would be the page's own origin, and it accepts
WebSockets from the pages of other ports of localhost. The API checks the same.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from settings import canonical_host

_HOST = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+)(?::\d{1,5})?")
_SINGLE_HEADERS = (b"host", b"origin", b"sec-fetch-site")
_CROSS_SITE = frozenset({b"cross-site", b"same-site"})
_SHOWN_CHARACTERS = 100

_log = logging.getLogger(__name__)


class SecurityMiddleware:
    """Answers 403 to a request, or a WebSocket, with a foreign host or from a foreign page."""

    def __init__(self, app: ASGIApp, *, allowed_hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset({"localhost", *allowed_hosts})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = None if scope["type"] == "lifespan" else self._rejection(scope["headers"])
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            _log.warning("WebSocket rejected: %s", reason)  # a browser shows no reason
            await send({"type": "websocket.close"})  # before it is accepted: a 403
        else:
            await PlainTextResponse(f"{reason}\n", status_code=403)(scope, receive, send)

    def _rejection(self, raw_headers: list[tuple[bytes, bytes]]) -> str | None:
        """Return why a request with these headers is rejected, or None."""
        names = [name for name, _ in raw_headers]
        for name in _SINGLE_HEADERS:
            if names.count(name) > 1:
                return f"The request has more than one {name.decode()} header."
        headers = dict(raw_headers)
        if (host := headers.get(b"host")) is None:
            return "The request has no Host header."
        if not self._is_allowed(host.decode("latin-1")):
            return (
                f"The host {_shown(host)} is not allowed. Use localhost or an IP address, or add "
                "the host to SMOLCHAT_ALLOWED_HOSTS."
            )
        if not _is_own_origin(headers):
            site = _shown(headers.get(b"origin") or b"another site")
            return f"Pages from {site} may not use this page at {_shown(host)}."
        return None

    def _is_allowed(self, header: str) -> bool:
        """Return True if a Host header is an accepted name or an IP address."""
        if "*" in self._hosts:
            return True
        if not (match := _HOST.fullmatch(header)):
            return False
        host = canonical_host(match[1])
        try:
            ip_address(host)
        except ValueError:
            return host in self._hosts
        return True


def _is_own_origin(headers: Mapping[bytes, bytes]) -> bool:
    """Return False if a page of another origin sent the request, another port included.

    For embedded resources browsers send no Origin, but Sec-Fetch-Site. Following a link to the page
    is as harmless as typing its address.
    """
    if (origin := headers.get(b"origin")) is not None:
        scheme, _, host = origin.lower().partition(b"://")
        return scheme in (b"http", b"https") and host == headers[b"host"].lower()
    is_link = headers.get(b"sec-fetch-dest") == b"document"
    return is_link or headers.get(b"sec-fetch-site") not in _CROSS_SITE


def _shown(value: bytes) -> str:
    return repr(value.decode("latin-1")[:_SHOWN_CHARACTERS])
