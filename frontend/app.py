"""The Streamlit app, with response headers that allow the page to load only its own resources."""

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.callouts import unexpected_error_callout
from index_page import IndexPage, inline_script_hashes
from security import SecurityMiddleware
from settings import Settings

# Streamlit's components set inline styles, and its workers are blobs. No other origin is allowed:
# an image that slipped through the sanitizing of a model's text could not be loaded.
POLICY = "; ".join(
    (
        "default-src 'self'",
        f"script-src 'self' {inline_script_hashes()}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


class SecurityHeaders:
    """Adds the security headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


settings = Settings.load()  # fail at start if a value is invalid
app = st.App(
    "navigation.py",
    middleware=[
        Middleware(SecurityHeaders),
        Middleware(SecurityMiddleware, allowed_hosts=settings.allowed_hosts),
        Middleware(IndexPage),
    ],
    on_script_error=unexpected_error_callout,
)
