"""What probing a model has shown: one probe at a time, believed for minutes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from cachetools import TTLCache

from backend.model_server.client import ModelServerClient

Result = TypeVar("Result")


class ModelProbes(Generic[Result]):
    """Probes each model once, and again after minutes, without a result, or if it was replaced."""

    def __init__(self, model_server: ModelServerClient, timeout_seconds: float) -> None:
        self._model_server = model_server
        self._timeout_seconds = timeout_seconds
        # By model, with its digest at that time.
        self._results: TTLCache[str, tuple[Result, str | None]] = (
            model_server.discovery.caches.new()
        )
        # Referenced by waiting requests: if the probing one is cancelled, the next one probes.
        self._probes = WeakValueDictionary[str, _Probe[Result]]()

    async def result(
        self, model: str, probe: Callable[[], Awaitable[Result | None]]
    ) -> Result | None:
        """Return what is known of a model, or what `probe` finds out now.

        None if that could not be found out now; the next request asks again.

        Raises:
            ModelServerUnreachableError: Nothing responds at the configured URL.
        """
        await self._model_server.discovery.find_base_url()
        key = self._model_server.discovery.model_key(model)
        if (result := self._known_result(model, key)) is not None:
            return result
        running = self._probes.setdefault(key, _Probe())
        count = running.count
        async with running.lock:
            if running.count == count:  # else it ended while this request waited, and is shared
                running.result = await self._run(model, key, probe)
                running.count += 1
            return running.result

    def _known_result(self, model: str, key: str) -> Result | None:
        """Return the result for a model unless it has been replaced: its digest is another one."""
        result, probed_digest = self._results.get(key, (None, None))
        digest = self._model_server.digest(model)
        if result is None or not digest or digest == probed_digest:
            return result
        if probed_digest:
            return None
        self._results[key] = result, digest  # the probe's response did not name it
        return result

    async def _run(
        self, model: str, key: str, probe: Callable[[], Awaitable[Result | None]]
    ) -> Result | None:
        caches = self._model_server.discovery.caches
        generation = caches.generation
        try:
            async with asyncio.timeout(self._timeout_seconds):
                result = await probe()
        except TimeoutError:
            return None
        if result is not None and caches.generation == generation:
            self._results[key] = result, self._model_server.digest(model)
        return result


class _Probe(Generic[Result]):
    """The probes of one model, one at a time; `count` have ended, the last one with `result`."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.count = 0
        self.result: Result | None = None
