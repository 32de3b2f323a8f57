"""Decides whether another model server is configured or already running, so that none is needed."""

import contextlib
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from engine.settings import Settings, canonical_host

PREFIXES = ("/engines/llama.cpp/v1", "/engines/v1", "/v1")
TIMEOUT_SECONDS = 2.0
MAX_BYTES = 1 << 20
# A server is recognized by the `owned_by` of its models.
SERVER_NAMES = {"docker": "Docker Model Runner", "llamacpp": "llama.cpp", "library": "Ollama"}


def existing_server_message(settings: Settings) -> str | None:
    """Return why the engine is not needed, or None if it is."""
    url = settings.dmr_base_url
    if not settings.is_target:
        return (
            f"DMR_BASE_URL is another model server, {url}, so the engine stays idle. To use "
            f"the engine, set these together: {settings.override_hint}"
        )
    target = urlsplit(url)
    host = canonical_host(target.hostname or "")
    with contextlib.suppress(OSError):  # nothing listens or responds there
        for path in dict.fromkeys([target.path, *PREFIXES]):
            if server := _identify_server(host, settings.port, f"{path}/models"):
                address = f"http://{target.netloc}{path}"
                return f"{server} is already running at {address}, so the engine stays idle."
    return None


def _identify_server(host: str, port: int, path: str) -> str | None:
    """Return the name of the OpenAI-compatible server with a model list at this path."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        payload = json.loads(response.read(MAX_BYTES))
    except (http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    if not isinstance(payload, dict):
        return None
    if response.status == 503 and "Loading model" in str(payload.get("error")):
        return SERVER_NAMES["llamacpp"]
    models = payload.get("data")
    return _server_name(models) if response.status == 200 and isinstance(models, list) else None


def _server_name(models: list[Any]) -> str:
    owners = [str(model.get("owned_by")) for model in models if isinstance(model, dict)]
    names = [SERVER_NAMES[owner] for owner in owners if owner in SERVER_NAMES]
    return names[0] if names else "An OpenAI-compatible model server"
