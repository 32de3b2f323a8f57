"""The latest result of a call that may be slow, kept up to date in the background.

While a script waits for an API that does not answer, nothing that a person does takes effect. So
what all sessions share is loaded in a thread, and a script gets the last result meanwhile.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_AGE_SECONDS = 3.0
WAIT_SECONDS = 0.2  # as a rule, long enough for a new result


class BackgroundValue(Generic[T]):
    """The result of `load`. Shared by all sessions."""

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._last: Future[T] | None = None  # done
        self._current: Future[T] | None = None
        self._started_at = 0.0

    def get(
        self, *, max_age_seconds: float = MAX_AGE_SECONDS, wait_seconds: float = WAIT_SECONDS
    ) -> T:
        """Return the result, after waiting briefly for a new one, or long for the first one."""
        with self._lock:
            current, last = self._refresh(max_age_seconds), self._last
        wait([current], timeout=None if last is None else wait_seconds)
        return current.result() if last is None or current.done() else last.result()

    def set(self, value: T) -> None:
        """Replace the result. One that is just being loaded may be older, and is dropped."""
        with self._lock:
            self._last = self._current = Future()
            self._current.set_result(value)

    def clear(self) -> None:
        """Forget the result, so that the next one is new."""
        with self._lock:
            self._last = self._current = None

    def _refresh(self, max_age_seconds: float) -> Future[T]:
        age = time.monotonic() - self._started_at
        if self._current and not (self._current.done() and age >= max_age_seconds):
            return self._current
        self._last = self._current or self._last
        self._current, self._started_at = Future(), time.monotonic()
        threading.Thread(target=self._run, args=[self._current], daemon=True).start()
        return self._current

    def _run(self, future: Future[T]) -> None:
        try:
            future.set_result(self._load())
        except Exception as error:  # raised by `get`
            future.set_exception(error)
