"""Load models before they are asked, one load per model for all requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

from cachetools import TTLCache

from backend.errors import (
    InvalidRequestError,
    ModelLoadingError,
    SmolChatError,
    TooManyRequestsError,
)
from backend.model_server.discovery import (
    ModelServerDiscovery,
    cancel_tasks,
    ignore_result,
)

MODEL_LOAD_POLL_SECONDS = 1.0
MAX_LOADS = 16  # at once: a load goes on when the client that asked for it has left

# Sends a chat request that only loads its model, and waits for the end of the response.
SendPreload = Callable[[dict[str, Any]], Awaitable[None]]


class ModelLoader:
    """Loads models of a Docker Model Runner.

    It ends a load when the client that asked for it disconnects, so one task per model loads it for
    all requests. Other servers would take this for a question.
    """

    def __init__(
        self, discovery: ModelServerDiscovery, send_preload: SendPreload, loaded_seconds: float
    ) -> None:
        self._discovery = discovery
        self._send_preload = send_preload
        self._loaded_seconds = loaded_seconds
        # By model: when a good response began.
        self._last_response_at: TTLCache[str, float] = discovery.caches.new()
        self._load_tasks: dict[str, asyncio.Task[None]] = {}
        self._preload_task: asyncio.Task[Any] | None = None

    def record_response(self, model: str) -> None:
        """Note that `model` has responded now: it is loaded."""
        self._last_response_at[model] = time.monotonic()

    def record_failure(self, model: str) -> None:
        """Note that the server has failed at `model`: it may not be loaded any more."""
        self._last_response_at.pop(model, None)

    def preload(self, model: str) -> None:
        """Start to load `model`, if the model server is there."""
        self._preload_task = asyncio.create_task(self.load_task(model))
        self._preload_task.add_done_callback(ignore_result)

    async def load_task(self, model: str) -> asyncio.Task[None] | None:
        """Return the pending load task for `model`, or None.

        Raises:
            SmolChatError: There is no model server, or too many models are being loaded.
        """
        if self._discovery.base_url is None:
            await self._discovery.find_base_url()
        idle_seconds = time.monotonic() - self._last_response_at.get(model, -inf)
        if not self._discovery.is_docker or idle_seconds < self._loaded_seconds:
            return None
        if model not in self._load_tasks:
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

    async def _load_model(self, model: str) -> None:
        # A Docker Model Runner that does not know the header answers this as a question, and many
        # chat templates fail without a user message.
        messages = [{"role": "user", "content": "Hello"}]
        try:
            if not await self._is_docker_model_runner():
                return
            await self._send_preload({"model": model, "messages": messages, "max_tokens": 1})
            self.record_response(model)
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
