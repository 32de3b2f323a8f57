"""How many tokens a model's context holds: as the model server runs it, not as the model could."""

import asyncio
import time
from contextlib import suppress
from typing import Any

from cachetools import TTLCache

from backend.errors import SmolChatError
from backend.json_values import as_count, as_dict
from backend.model_server.discovery import ModelServerDiscovery, cancel_tasks, ignore_result
from backend.model_server.management_api import packaged_context_size
from backend.settings import Settings

# How long it is believed that the same server is there, and nobody has configured it.
MAX_CHECK_SECONDS = 0.5
# A receipt needs the size that was asked for when its answer began, and answers may take long.
_CONFIGURED_LIFETIME_SECONDS = 3600.0


class ContextSizes:
    """Context sizes by model, checked again at most every `check_seconds` and after a load."""

    def __init__(self, discovery: ModelServerDiscovery, settings: Settings) -> None:
        self.check_seconds = min(settings.server_check_seconds, MAX_CHECK_SECONDS)
        self._discovery = discovery
        caches = discovery.caches
        self._overflow_sizes: TTLCache[str, int] = caches.new()  # from context length errors
        self._configured_sizes: TTLCache[str, int | None] = caches.new(_CONFIGURED_LIFETIME_SECONDS)
        self._checked: TTLCache[str, bool] = caches.new(self.check_seconds)
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, model: str) -> int | None:
        """Return the context size of `model` in tokens, or None if it is not known."""
        discovery = self._discovery
        if discovery.base_url is None:
            return None
        entry, key = discovery.find(model) or {}, discovery.model_key(model)
        sizes = (
            as_count(as_dict(entry.get("meta")).get("n_ctx")),  # llama.cpp
            self._overflow_sizes.get(key),
            self._configured_sizes.get(key),
            packaged_context_size(discovery.stored_model(model) or {}),
            as_count(entry.get("max_model_len")),  # vLLM, SGLang
            # The model's own, which Docker Model Runner uses unless another one is configured.
            as_count(as_dict(entry.get("dmr")).get("context_window")),
        )
        return next(filter(None, sizes), None)

    def record(self, model: str, tokens: int) -> None:
        """Note the size that the server named when a prompt was too long for it."""
        self._overflow_sizes[self._discovery.model_key(model)] = tokens

    def start_check(self, model: str) -> asyncio.Task[None] | None:
        """Start to ask again whether the server and the size are the same; None if just asked."""
        if model in self._checked:
            return None
        self._checked[model] = True
        task = asyncio.create_task(self._check(model))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(ignore_result)
        return task

    async def check_after_load(self, model: str) -> None:
        """Ask again, since a model is loaded with the size that is configured then."""
        key = self._discovery.model_key(model)
        self._overflow_sizes.pop(key, None)
        await self._fetch(model)

    async def close(self) -> None:
        await cancel_tasks(self._tasks)

    async def _check(self, model: str) -> None:
        discovery = self._discovery
        if time.monotonic() - discovery.models_at > self.check_seconds:
            with suppress(SmolChatError):  # the completion gets its own error
                await discovery.models()
        await self._fetch(model)

    async def _fetch(self, model: str) -> None:
        """Ask for the configured size: Docker Model Runner's, or an older llama.cpp's."""
        discovery = self._discovery
        if discovery.is_docker:
            await discovery.fetch_stored_models()
        base_url, generation = discovery.base_url, discovery.caches.generation
        if base_url is None or not discovery.is_llama_cpp:
            return
        key, names = discovery.model_key(model), discovery.names(model)
        if discovery.is_docker:
            size = await discovery.management.configured_context_size(base_url, names)
        else:
            size = await self._llama_cpp_size(base_url, discovery.find(model) or {})
        if discovery.caches.generation == generation:
            if size != self._configured_sizes.get(key, size):
                self._overflow_sizes.pop(key, None)
            self._configured_sizes[key] = size

    async def _llama_cpp_size(self, base_url: str, entry: dict[str, Any]) -> int | None:
        if as_count(as_dict(entry.get("meta")).get("n_ctx")):
            return None
        return await self._discovery.management.served_context_size(base_url)
