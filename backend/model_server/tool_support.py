"""Detects whether the chat template of a model supports tools.

If it does not, llama.cpp silently ignores `tools` and `tool_choice`. Its server reports this at
`/props`; for others, the lengths of a prompt with and without a tool are compared.
"""

import asyncio
from weakref import WeakValueDictionary

from cachetools import TTLCache

from backend.errors import InvalidRequestError, ModelServerError, SmolChatError
from backend.json_values import as_count, as_dict
from backend.model_server.answers.json_text import parse_json
from backend.model_server.capabilities import Complete
from backend.model_server.client import ModelServerClient

_MESSAGES = {"messages": [{"role": "user", "content": "Say hello."}], "stream": False}
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Return the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


class ToolSupport:
    """Probes each model once, and again after minutes or if the model was replaced."""

    def __init__(self, model_server: ModelServerClient, timeout_seconds: float) -> None:
        self._model_server = model_server
        self._timeout_seconds = timeout_seconds
        # By model, with its digest at that time.
        self._results: TTLCache[str, tuple[bool, str | None]] = model_server.discovery.caches.new()
        self._locks = WeakValueDictionary[str, asyncio.Lock]()

    async def supports_tools(self, model: str, complete: Complete) -> bool | None:
        """Return whether the template of `model` supports tools, or None if that is unknown.

        Raises:
            ModelServerUnreachableError: Nothing responds at the configured URL.
        """
        base_url = await self._model_server.discovery.find_base_url()
        key = self._model_server.discovery.model_key(model)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            result, digest = self._results.get(key, (None, None))
            if result is not None and digest == self._model_server.digest(model):
                return result
            generation = self._model_server.discovery.caches.generation
            result = await self._model_server.discovery.management.supports_tools(base_url)
            if result is None:
                result = await self._compare_prompts(model, complete)
            is_same_server = self._model_server.discovery.caches.generation == generation
            if result is not None and is_same_server:
                self._results[key] = result, self._model_server.digest(model)
            return result

    async def _compare_prompts(self, model: str, complete: Complete) -> bool | None:
        """Return whether a tool makes the prompt longer, or False if the server refuses it."""
        body = _MESSAGES | {"model": model, "max_tokens": 1}
        try:
            async with asyncio.timeout(self._timeout_seconds):
                plain = _prompt_tokens(await complete(body))
                try:
                    with_tool = _prompt_tokens(await complete(body | {"tools": [_TOOL]}))
                except (InvalidRequestError, ModelServerError) as error:
                    is_refusal = error.status == 400 or getattr(error, "is_reported", False)
                    return False if is_refusal else None
        except (TimeoutError, SmolChatError):
            return None
        return None if plain is None or with_tool is None else with_tool > plain


def _prompt_tokens(response: bytes) -> int | None:
    return as_count(as_dict(as_dict(parse_json(response)).get("usage")).get("prompt_tokens"))
