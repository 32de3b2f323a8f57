"""Caches for what is learned about the model server: nothing is kept for good."""

from typing import Any, TypeVar

from cachetools import TTLCache

MAX_CACHE_ENTRIES = 1000  # a client may send any model id

Key = TypeVar("Key")
Value = TypeVar("Value")


class ServerCaches:
    """The caches of what is learned about one server; all are emptied when another one is there."""

    def __init__(self, lifetime_seconds: float) -> None:
        self._lifetime_seconds = lifetime_seconds
        self._caches: list[TTLCache[Any, Any]] = []
        self.generation = 0  # of servers: what a request learns from a former one is not kept

    def new(self, lifetime_seconds: float | None = None) -> TTLCache[Key, Value]:
        """Return a cache whose entries expire, by default after the common lifetime."""
        if lifetime_seconds is None:
            lifetime_seconds = self._lifetime_seconds
        cache = TTLCache[Key, Value](MAX_CACHE_ENTRIES, lifetime_seconds)
        self._caches.append(cache)
        return cache

    def clear(self) -> None:
        self.generation += 1
        for cache in self._caches:
            cache.clear()
