"""Detects what a model server can do by probing it: no server reports its capabilities."""

import asyncio
from weakref import WeakValueDictionary

from cachetools import TTLCache

from backend.model_server.client import ModelServerClient
from backend.model_server.constraint_probe import Complete, Constraint, probe_constraint

__all__ = ["Complete", "GrammarSupport"]


class GrammarSupport:
    """Probes each model once, believes the answer for minutes, and probes again without one."""

    def __init__(self, model_server: ModelServerClient, timeout_seconds: float) -> None:
        self._model_server = model_server
        self._timeout_seconds = timeout_seconds
        # By model, with its digest at that time.
        self._results: TTLCache[str, tuple[Constraint, str | None]] = (
            model_server.discovery.caches.new()
        )
        # Referenced by waiting requests: if the probing one is cancelled, the next one probes.
        self._probes = WeakValueDictionary[str, _Probe]()

    async def constraint(self, model: str, complete: Complete) -> Constraint | None:
        """Return what the server takes to constrain the output of `model`.

        None if that could not be found out now; the next request asks again.

        Raises:
            ModelServerUnreachableError: Nothing responds at the configured URL.
        """
        await self._model_server.discovery.find_base_url()
        key = self._model_server.discovery.model_key(model)
        if (result := self._known_result(model, key)) is not None:
            return result
        probe = self._probes.setdefault(key, _Probe())
        count = probe.count
        async with probe.lock:
            if probe.count == count:  # else it ended while this request waited, and is shared
                probe.result = await self._run(model, key, complete)
                probe.count += 1
            return probe.result

    def _known_result(self, model: str, key: str) -> Constraint | None:
        """Return the result for a model unless it has been replaced: its digest is another one."""
        result, probed_digest = self._results.get(key, (None, None))
        digest = self._model_server.digest(model)
        if result is None or not digest or digest == probed_digest:
            return result
        if probed_digest:
            return None
        self._results[key] = result, digest  # the probe's response did not name it
        return result

    async def _run(self, model: str, key: str, complete: Complete) -> Constraint | None:
        server, discovery = self._model_server, self._model_server.discovery
        generation = discovery.caches.generation
        try:
            async with asyncio.timeout(self._timeout_seconds):
                result = await probe_constraint(
                    complete,
                    model,
                    is_llama_cpp=discovery.is_llama_cpp,
                    is_ollama=discovery.is_ollama,
                )
        except TimeoutError:
            return None
        if result is not None and discovery.caches.generation == generation:
            self._results[key] = result, server.digest(model)
        return result


class _Probe:
    """The probes of one model, one at a time; `count` have ended, the last one with `result`."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.count = 0
        self.result: Constraint | None = None
