"""The line in front of the model server: how many are asked at once, and who waits for a place."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from backend.errors import TooManyRequestsError


class RequestQueue:
    """Lets `most` requests run at once and `most_waiting` more wait, first come first served.

    One that has to be alone waits until nothing else runs, and nothing else begins meanwhile.
    """

    def __init__(self, most: int, most_waiting: int) -> None:
        self._most = most
        self._most_waiting = most_waiting
        self._waiting: deque[QueueSlot] = deque()
        self._is_alone = False
        self.running = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the next who comes is sent away."""
        is_busy = self._waiting or self.running >= self._most or self._is_alone
        return bool(is_busy) and len(self._waiting) >= self._most_waiting

    def enqueue(self, *, is_alone: bool = False) -> "QueueSlot":
        """Take a place at the end of the line. It has to be left, also where it was not waited for.

        Raises:
            TooManyRequestsError: the line is full.
        """
        place = QueueSlot(self, is_alone=is_alone)
        if not self._waiting and self._can_start(place):
            self._start(place)
        elif len(self._waiting) < self._most_waiting:
            self._waiting.append(place)
        else:
            raise TooManyRequestsError(
                "Too many requests are waiting for the model. Try again in a few seconds."
            )
        return place

    def try_acquire(self) -> "QueueSlot | None":
        """Take a place that is free at once and that nobody waits for, if there is one."""
        place = QueueSlot(self, is_alone=False)
        if self._waiting or not self._can_start(place):
            return None
        self._start(place)
        return place

    def release(self, place: "QueueSlot") -> None:
        if place.is_running:
            self.running -= 1
            self._is_alone = False
        else:
            self._waiting.remove(place)
        while self._waiting and self._can_start(self._waiting[0]):
            self._start(self._waiting.popleft())
        for waiting in self._waiting:
            waiting._changed.set()

    def position(self, place: "QueueSlot") -> int:
        return self._waiting.index(place) + 1

    def _can_start(self, place: "QueueSlot") -> bool:
        if place.exclusive:
            return self.running == 0
        return self.running < self._most and not self._is_alone

    def _start(self, place: "QueueSlot") -> None:
        self.running += 1
        self._is_alone = place.exclusive
        place.is_running = True
        place._changed.set()


class QueueSlot:
    """A request's place in the line."""

    def __init__(self, line: RequestQueue, *, is_alone: bool) -> None:
        self._line = line
        self.exclusive = is_alone
        self.is_running = False
        self._changed = asyncio.Event()

    async def positions(self) -> AsyncGenerator[int]:
        """Give the place in the line as it changes, 1 for the next; end when the turn has come."""
        while not self.is_running:
            self._changed.clear()
            yield self._line.position(self)
            await self._changed.wait()

    def release(self) -> None:
        self._line.release(self)
