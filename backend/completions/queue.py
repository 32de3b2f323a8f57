"""The queue in front of the model server: how many requests run at once, and how many wait."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from backend.errors import TooManyRequestsError


class RequestQueue:
    """Run at most `max_running` requests at once; let `max_waiting` more wait, first in, first out.

    An exclusive request waits until nothing else runs, and nothing else starts while it runs.
    """

    def __init__(self, max_running: int, max_waiting: int) -> None:
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._waiting: deque[QueueSlot] = deque()
        self._has_exclusive = False  # running
        self.running = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Return True if the next request would be refused."""
        is_busy = self._waiting or self.running >= self._max_running or self._has_exclusive
        return bool(is_busy) and len(self._waiting) >= self._max_waiting

    def enqueue(self, *, exclusive: bool = False, has_begun: bool = False) -> "QueueSlot":
        """Return a slot at the end of the queue. The caller releases it, even if it never ran.

        A request that `has_begun` has had a slot before: it waits, too, but is not refused.

        Raises:
            TooManyRequestsError: The queue is full.
        """
        if not (exclusive or self._waiting or self._has_exclusive) and (
            self.running < self._max_running
        ):
            self.running += 1
            return QueueSlot(self, exclusive, is_running=True)
        slot = QueueSlot(self, exclusive)
        self._waiting.append(slot)
        self._start_next()
        is_over = len(self._waiting) > self._max_waiting and not has_begun
        if not slot.is_running and is_over:
            self._waiting.pop()
            raise TooManyRequestsError(
                "Too many requests are waiting for the model. Try again in a few seconds."
            )
        return slot

    def try_acquire(self) -> "QueueSlot | None":
        """Return a running slot if one is free and nobody waits for it, else None."""
        if self._waiting or self.running >= self._max_running or self._has_exclusive:
            return None
        return self.enqueue()

    def release(self, slot: "QueueSlot") -> None:
        if slot.is_running:
            self.running -= 1
            self._has_exclusive = False
        else:
            self._waiting.remove(slot)
        self._start_next()
        for waiting in self._waiting:
            waiting.changed.set()

    def position(self, slot: "QueueSlot") -> int:
        return self._waiting.index(slot) + 1

    def _start_next(self) -> None:
        """Start the requests at the head of the queue that may run now."""
        while self._waiting and not self._has_exclusive:
            slot = self._waiting[0]
            if self.running >= (1 if slot.exclusive else self._max_running):
                return
            self._waiting.popleft()
            self.running += 1
            self._has_exclusive = slot.exclusive
            slot.is_running = True
            slot.changed.set()


@dataclass(eq=False)
class QueueSlot:
    """One request's slot: waiting first, then running."""

    queue: RequestQueue
    exclusive: bool
    is_running: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def positions(self) -> AsyncGenerator[int]:
        """Yield the position in the queue as it changes, 1 for the next; end once running."""
        while not self.is_running:
            self.changed.clear()
            yield self.queue.position(self)
            await self.changed.wait()

    def release(self) -> None:
        self.queue.release(self)
