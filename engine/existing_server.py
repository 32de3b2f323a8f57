"""Finds out whether another model server is meant or there already: then the engine steps aside."""

import contextlib
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from engine.settings import Settings

PREFIXES = ("/engines/llama.cpp/v1", "/engines/v1", "/v1")
LOOK_SECONDS = 2.0
MOST_BYTES = 1 << 20
# Which server it is can be told by whom it says its models are owned.
SERVER_NAMES = {"docker": "Docker Model Runner", "llamacpp": "llama.cpp", "library": "Ollama"}


def existing_server_message(settings: Settings) -> str | None:
    """Say why the engine is not needed, or nothing if it is."""
    url = settings.dmr_base_url
    if not settings.is_target:
        return (
            f"DMR_BASE_URL names another model server, {url}: that one is used. The engine steps "
            f"aside. To use it, set these together: {settings.override_hint}"
        )
    address = urlsplit(url)
    with contextlib.suppress(OSError):  # nobody is there, or nobody who answers
        for path in dict.fromkeys([address.path, *PREFIXES]):
            if server := _identify_server(str(address.hostname), settings.port, f"{path}/models"):
                found = f"http://{address.netloc}{path}"
                return f"{server} already answers at {found}. The engine steps aside."
    return None


def _identify_server(host: str, port: int, path: str) -> str | None:
    """Name the OpenAI-compatible server whose model list is here, if there is one."""
    connection = http.client.HTTPConnection(host, port, timeout=LOOK_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        answer = json.loads(response.read(MOST_BYTES))
    except (http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    if not isinstance(answer, dict):
        return None
    if response.status == 503 and "Loading model" in str(answer.get("error")):
        return SERVER_NAMES["llamacpp"]
    models = answer.get("data")
    return _name(models) if response.status == 200 and isinstance(models, list) else None


def _name(models: list[Any]) -> str:
    owners = [str(model.get("owned_by")) for model in models if isinstance(model, dict)]
    known = [SERVER_NAMES[owner] for owner in owners if owner in SERVER_NAMES]
    return known[0] if known else "An OpenAI-compatible model server"
