"""The base URLs at which a model server may have its OpenAI routes, from its configured URL."""

import re
from urllib.parse import urlsplit

PREFIXES = ("/engines/llama.cpp/v1", "/engines/v1", "/v1")
_API_PATH = re.compile(r"(/engines(/[\w.-]+)?)?/v1$|/engines(/[\w.-]+)?$")
_ENGINES_PATH = re.compile(r"/engines(/(?!v1$)[\w.-]+)?$")


def base_url_candidates(url: str) -> list[str]:
    """Return the base URLs to try for `url`, in order.

    Docker Model Runner is addressed by its root or by one of several prefixes, which differ by
    version (`/v1` came in late 2025), and Compose sets another one than users write. The URL as
    configured comes first, unless it is a root, which has no OpenAI routes of its own.
    """
    url = url.rstrip("/")
    is_root = not urlsplit(url).path or _ENGINES_PATH.search(url)
    configured = [] if is_root else [url]
    root = server_root(url)
    variants = [root + prefix for prefix in PREFIXES]
    return configured + [variant for variant in variants if variant not in configured]


def server_root(url: str) -> str:
    """Return the URL without an OpenAI prefix: below it are the server's own routes."""
    return _API_PATH.sub("", url.rstrip("/"))
