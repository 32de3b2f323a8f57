"""Load models before they are asked, one load per model for all requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

from cachetools import TTLCache

from backend.errors import (
    InvalidRequestError,
    ModelLoadFailedError,
    ModelLoadingError,
    SmolChatError,
    TooManyRequestsError,
)
from backend.model_server.context_sizes import ContextSizes
from backend.model_server.discovery import ModelServerDiscovery, cancel_tasks, ignore_result
from backend.settings import Settings

MODEL_LOAD_POLL_SECONDS = 1.0
MAX_LOADS = 16  # at once: a load goes on when the client that asked for it has left
# How long a chat waits, at most, for the check whether the same server is still there.
MAX_CHECK_DELAY_SECONDS = 0.05
# Older Docker Model Runners do not say what is loaded; they unload a model that was idle for 300 s.
LOADED_SECONDS = 240.0

# Sends a chat request that only loads its model, and waits for the end of the response.
SendPreload = Callable[[dict[str, Any]], Awaitable[None]]


class ModelLoader:
    """Loads models of a Docker Model Runner, and knows which of a server's models do not load.

    Docker Model Runner ends a load when the client that asked for it disconnects, so one task per
    model loads it for all requests. Other servers would take this for a question.
    """

    def __init__(
        self,
        discovery: ModelServerDiscovery,
        context_sizes: ContextSizes,
        send_preload: SendPreload,
        settings: Settings,
    ) -> None:
        self._discovery = discovery
        self._context_sizes = context_sizes
        self._send_preload = send_preload
        # By model: when it was last seen to be loaded, for which a good response counts.
        self._loaded_at: TTLCache[str, float] = discovery.caches.new()
        # Models that have responded since the server was last asked about them.
        self._checked: TTLCache[str, None] = discovery.caches.new(context_sizes.check_seconds)
        self._failures: TTLCache[str, ModelLoadFailedError] = discovery.caches.new()
        self._check_seconds = settings.server_check_seconds
        self._load_tasks: dict[str, asyncio.Task[None]] = {}
        self._preload_task: asyncio.Task[Any] | None = None

    def record_response(self, model: str) -> None:
        """Note that `model` has responded now: it is loaded."""
        if model in self._checked:  # noted a moment ago
            return
        key = self._discovery.model_key(model)
        self._loaded_at[key] = time.monotonic()
        self._checked[model] = None
        self._failures.pop(key, None)

    def record_failure(self, model: str, error: SmolChatError) -> None:
        """Note that the server has failed at `model`: it may not be loaded any more."""
        key = self._discovery.model_key(model)
        self._loaded_at.pop(key, None)
        self._checked.pop(model, None)
        if isinstance(error, ModelLoadFailedError):
            self._failures[key] = error

    def load_failure(self, model: str) -> ModelLoadFailedError | None:
        """Return why `model` could not be loaded, unless it has been since."""
        return self._failures.get(self._discovery.model_key(model))

    def preload(self, model: str) -> None:
        """Start to load `model`, if the model server is there."""
        self._preload_task = asyncio.create_task(self.load_task(model))
        self._preload_task.add_done_callback(ignore_result)

    async def load_task(self, model: str) -> asyncio.Task[None] | None:
        """Return the pending load task for `model`, or None.

        Raises:
            SmolChatError: There is no model server, or too many models are being loaded.
        """
        discovery = self._discovery
        if model in self._checked and discovery.base_url is not None:
            return None
        if discovery.base_url is None:
            await discovery.find_base_url()
        if check := self._context_sizes.start_check(model):
            await asyncio.wait([check], timeout=MAX_CHECK_DELAY_SECONDS)
        if not discovery.is_docker:
            return None
        if model not in self._load_tasks and await self._is_loaded(model):
            return None
        if model not in self._load_tasks:  # also after the question above
            if len(self._load_tasks) >= MAX_LOADS:
                raise TooManyRequestsError(
                    "Too many models are being loaded. Try again in a few seconds."
                )
            self._load_tasks[model] = asyncio.create_task(self._load_model(model))
            self._load_tasks[model].add_done_callback(ignore_result)
        return self._load_tasks[model]

    async def close(self) -> None:
        """Cancel the loads that are still running."""
        await cancel_tasks([self._preload_task, *self._load_tasks.values()])

    async def _is_loaded(self, model: str) -> bool:
        """Return True if `model` is in memory. Ask the server if it has not responded just now."""
        discovery = self._discovery
        key, base_url = discovery.model_key(model), discovery.base_url
        seconds = time.monotonic() - self._loaded_at.get(key, -inf)
        if seconds < self._check_seconds or base_url is None:
            return base_url is not None
        is_loaded = await discovery.management.is_loaded(base_url, discovery.names(model))
        if is_loaded is None:
            return seconds < LOADED_SECONDS
        if is_loaded:
            self.record_response(model)
        return is_loaded

    async def _load_model(self, model: str) -> None:
        # A Docker Model Runner that does not know the header answers this as a question, and many
        # chat templates fail without a user message.
        messages = [{"role": "user", "content": "Hello"}]
        try:
            if not await self._is_docker_model_runner():
                return
            await self._send_preload({"model": model, "messages": messages, "max_tokens": 1})
            self.record_response(model)
            await self._context_sizes.check_after_load(model)
        except (InvalidRequestError, ModelLoadingError):
            pass  # the completion that follows gets its own answer
        finally:
            del self._load_tasks[model]

    async def _is_docker_model_runner(self) -> bool:
        """Check again: another server may have taken the place of the one that was found."""
        try:
            await self._discovery.models()
        except SmolChatError:
            return False  # the completion that follows gets its own error
        return self._discovery.is_docker
