"""Detects what a model server can do by probing it: no server reports its capabilities."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakValueDictionary

from cachetools import TTLCache
from pydantic_core import from_json

from backend.errors import InvalidRequestError
from backend.model_server.client import ModelServerClient

# A schema that no model matches by chance.
_PROBE_SCHEMA = {
    "type": "object",
    "properties": {"zq": {"type": "string", "enum": ["w7k"]}},
    "required": ["zq"],
    "additionalProperties": False,
}
_PROBE_REQUEST: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 24,
    "temperature": 0,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "probe", "schema": _PROBE_SCHEMA, "strict": True},
    },
}
# Sends one request through the queue and returns the complete response.
Complete = Callable[[dict[str, Any]], Awaitable[bytes]]
_CacheKey = tuple[str, str]


class GrammarSupport:
    """Probes each model once per base URL and caches the result."""

    def __init__(self, model_server: ModelServerClient) -> None:
        self._model_server = model_server
        self._results: TTLCache[_CacheKey, bool] = model_server.discovery.caches.new()
        # Referenced by waiting requests: if the probing one is cancelled, the next one probes.
        self._locks = WeakValueDictionary[_CacheKey, asyncio.Lock]()

    async def supports_json_schema(self, model: str, complete: Complete) -> bool:
        """Return True if the server constrains the output of `model` to a JSON Schema.

        Raises:
            SmolChatError: The probe failed for another reason.
        """
        key = (await self._model_server.discovery.find_base_url(), model)
        if key in self._results:
            return self._results[key]
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:  # concurrent requests for this model share one probe
            if key not in self._results:
                self._results[key] = await _probe(model, complete)
            return self._results[key]


async def _probe(model: str, complete: Complete) -> bool:
    try:
        response = await complete(_PROBE_REQUEST | {"model": model})
    except InvalidRequestError:
        return False  # the server does not know `response_format`
    return bool(_response_json(response) == {"zq": "w7k"})


def _response_json(response: bytes) -> Any:
    try:
        return from_json(from_json(response)["choices"][0]["message"]["content"])
    except (LookupError, TypeError, ValueError):
        return None
