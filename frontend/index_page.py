"""The HTML page that Streamlit starts in, with this app's title, icon and scripts.

Streamlit sets title and icon itself, but only once the first script has run; its own are seen until
then, and for good if the server stops before.
"""

import base64
import hashlib
import re
from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SCRIPTS = (
    "accessibility",
    "autoscroll",
    "citations",
    "copy",
    "direction",
    "presets",
    "sidebar",
    "wording",
)
# Paths of files and services, which may be HTML as well: an exported conversation is.
_FILE_PATHS = ("/_stcore/", "/app/", "/component/", "/media/", "/static/")
_STREAMLIT_PAGE = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")


def render_page() -> bytes:
    scripts = "".join(f'<script src="./app/static/{name}.js" defer></script>' for name in SCRIPTS)
    page = re.sub(r"<title>.*?</title>", "<title>SmolChat</title>", _STREAMLIT_PAGE)
    page = re.sub(r'href="[^"]*favicon\.png"', 'href="./app/static/bolt.svg"', page)
    return page.replace("</head>", f"{scripts}</head>").encode()


def inline_script_hashes() -> str:
    """Return the CSP hashes of the inline scripts in Streamlit's page; they vary by version."""
    scripts = re.findall(r"<script>(.*?)</script>", _STREAMLIT_PAGE, re.DOTALL)
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


class IndexPage:
    """Replaces Streamlit's page by this app's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._page = render_page()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = False

        async def send_page(message: Message) -> None:
            nonlocal is_page
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_html = headers.get("content-type", "").startswith("text/html")
                is_page = message["status"] == 200 and is_html
                if is_page:
                    # Those of Streamlit's file, which may be compressed.
                    for name in ("content-encoding", "etag", "last-modified"):
                        del headers[name]
                    headers["content-length"] = str(len(self._page))
            elif is_page:
                if message.get("more_body"):
                    return
                body = b"" if scope["method"] == "HEAD" else self._page
                message = {"type": "http.response.body", "body": body}
            await send(message)

        is_file = scope["type"] != "http" or scope["path"].startswith(_FILE_PATHS)
        await self._app(scope, receive, send if is_file else send_page)
