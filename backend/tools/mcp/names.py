"""Names of MCP tools that are valid for models, unique and stable."""

import hashlib
import re

MAX_NAME_CHARACTERS = 64
_SEPARATOR = "__"
_MAX_SERVER_CHARACTERS = 24
_HASH_CHARACTERS = 8
_INVALID = re.compile(r"[^a-zA-Z0-9_-]+")


def tool_name(server: str, tool: str) -> str:
    """Return `server__tool`, of at most 64 letters, digits, `_` and `-`.

    What had to be changed ends with a hash of what it was, so that names differ if the originals
    do. The part before the first `__` is always the server.
    """
    prefix = _identifier(server, _MAX_SERVER_CHARACTERS, is_prefix=True) + _SEPARATOR
    return prefix + _identifier(tool, MAX_NAME_CHARACTERS - len(prefix))


def _identifier(text: str, max_characters: int, *, is_prefix: bool = False) -> str:
    identifier = _INVALID.sub("_", text)
    if is_prefix:
        identifier = re.sub(r"_{2,}", "_", identifier).rstrip("_")
    if identifier == text and 0 < len(identifier) <= max_characters:
        return identifier
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARACTERS]
    kept = identifier[: max_characters - _HASH_CHARACTERS - 1].rstrip("_")
    return f"{kept}-{digest}"
