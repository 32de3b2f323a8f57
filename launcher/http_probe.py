"""Looks at what answers on this machine."""

import http.client
import json
from typing import Any

LOOK_SECONDS = 2.0


def get(port: int, path: str) -> bytes | None:
    """Give what is answered there, or nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LOOK_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read() if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def get_json(port: int, path: str) -> Any:
    """Give the JSON that is answered there, or nothing."""
    try:
        return json.loads(get(port, path) or b"null")
    except ValueError:
        return None


def is_ui_ready(port: int) -> bool:
    return get(port, "/_stcore/health") is not None
