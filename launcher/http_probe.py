"""HTTP requests to the programs on this machine."""

import http.client
import json
from typing import Any

from launcher.settings import LOCALHOST

TIMEOUT_SECONDS = 2.0


def get(host: str, port: int, path: str, *, api_key: str = "") -> bytes | None:
    """Return the body of a 200 response, or None."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.read() if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def get_json(host: str, port: int, path: str, *, api_key: str = "") -> Any:
    """Return the JSON of a 200 response, or None."""
    try:
        return json.loads(get(host, port, path, api_key=api_key) or b"null")
    except ValueError:
        return None


def is_ui_ready(port: int) -> bool:
    return get(LOCALHOST, port, "/_stcore/health") is not None
