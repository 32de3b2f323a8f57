"""The line in front of the model server: how many are asked at once, and who waits for a place."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from backend.errors import TooManyRequestsError


class Line:
    """Lets `most` requests run at once and `most_waiting` more wait, first come first served.

    One that has to be alone waits until nothing else runs, and nothing else begins meanwhile.
    """

    def __init__(self, most: int, most_waiting: int) -> None:
        self._most = most
        self._most_waiting = most_waiting
        self._waiting: deque[Place] = deque()
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

    def place(self, *, is_alone: bool = False) -> "Place":
        """Take a place at the end of the line. It has to be left, also where it was not waited for.

        Raises:
            TooManyRequestsError: the line is full.
        """
        place = Place(self, is_alone=is_alone)
        if not self._waiting and self._has_room_for(place):
            self._begin(place)
        elif len(self._waiting) < self._most_waiting:
            self._waiting.append(place)
        else:
            raise TooManyRequestsError(
                "Too many requests are waiting for the model. Try again in a few seconds."
            )
        return place

    def spare_place(self) -> "Place | None":
        """Take a place that is free at once and that nobody waits for, if there is one."""
        place = Place(self, is_alone=False)
        if self._waiting or not self._has_room_for(place):
            return None
        self._begin(place)
        return place

    def leave(self, place: "Place") -> None:
        if place.is_running:
            self.running -= 1
            self._is_alone = False
        else:
            self._waiting.remove(place)
        while self._waiting and self._has_room_for(self._waiting[0]):
            self._begin(self._waiting.popleft())
        for waiting in self._waiting:
            waiting.moved.set()

    def position(self, place: "Place") -> int:
        return self._waiting.index(place) + 1

    def _has_room_for(self, place: "Place") -> bool:
        if place.is_alone:
            return self.running == 0
        return self.running < self._most and not self._is_alone

    def _begin(self, place: "Place") -> None:
        self.running += 1
        self._is_alone = place.is_alone
        place.is_running = True
        place.moved.set()


class Place:
    """A request's place in the line."""

    def __init__(self, line: Line, *, is_alone: bool) -> None:
        self._line = line
        self.is_alone = is_alone
        self.is_running = False
        self.moved = asyncio.Event()

    async def positions(self) -> AsyncGenerator[int]:
        """Give the place in the line as it changes, 1 for the next; end when the turn has come."""
        while not self.is_running:
            self.moved.clear()
            yield self._line.position(self)
            await self.moved.wait()

    def leave(self) -> None:
        self._line.leave(self)
