"""Where a model server's OpenAI routes may be, given any form of its address."""

import re
from urllib.parse import urlsplit

PREFIXES = ("/engines/llama.cpp/v1", "/engines/v1", "/v1")
_KNOWN_ENDING = re.compile(r"(/engines(/[\w.-]+)?)?/v1$|/engines(/[\w.-]+)?$")
_BARE_ENGINES = re.compile(r"/engines(/(?!v1$)[\w.-]+)?$")


def base_url_candidates(url: str) -> list[str]:
    """Give the base URLs to try for `url`, in order.

    Docker Model Runner is addressed by its root or by one of several prefixes, which differ by
    version (`/v1` came in late 2025), and Compose hands in another one than a person writes. What
    was written goes first, unless it is a root, which has no OpenAI routes of its own.
    """
    url = url.rstrip("/")
    is_root = not urlsplit(url).path or _BARE_ENGINES.search(url)
    written = [] if is_root else [url]
    root = _KNOWN_ENDING.sub("", url)
    others = [root + prefix for prefix in PREFIXES]
    return written + [other for other in others if other not in written]
