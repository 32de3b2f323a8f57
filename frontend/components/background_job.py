"""Background jobs: work in a separate thread that can be stopped at any time.

A Streamlit script that waits on a socket cannot be stopped, and what it has read is lost when the
script ends. So the work runs in a job that the page polls. A job that is no longer polled, because
the tab was closed or reloaded, stops by itself.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from api.errors import ApiError

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
ABANDONED_SECONDS = 20.0  # without a poll
_UNEXPECTED = ApiError("Unexpected error on this page. See the page's log for details.")


@dataclass(kw_only=True)
class JobResult:
    """State of a job. Each kind of job adds its output."""

    state: Literal["waiting", "writing", "finished", "stopped", "failed"] = "waiting"
    error: ApiError | None = None

    @property
    def is_over(self) -> bool:
        return self.state not in ("waiting", "writing")


class BackgroundJob:
    """Run a coroutine until it finishes, fails, is stopped, or is no longer polled."""

    def __init__(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        result: JobResult,
        *,
        abandoned_seconds: float = ABANDONED_SECONDS,
    ) -> None:
        self._work = work
        self._result = result
        self._abandoned_seconds = abandoned_seconds
        self._last_poll = time.monotonic()
        self._is_stopped = threading.Event()
        self._is_over = threading.Event()
        threading.Thread(target=asyncio.run, args=[self._run()], daemon=True).start()

    def stop(self) -> None:
        """Cancel the work and wait until it has ended."""
        self._is_stopped.set()
        self._is_over.wait(timeout=2)

    def wait(self, seconds: float) -> bool:
        """Wait for at most this long; return True if the job is over."""
        self._last_poll = time.monotonic()
        return self._is_over.wait(seconds)

    async def _run(self) -> None:
        task = asyncio.create_task(self._work())
        while not task.done():
            if self._is_stopped.is_set() or self._is_abandoned():
                task.cancel()
            await asyncio.wait({task}, timeout=POLL_SECONDS)
        try:
            if not task.cancelled():
                task.result()
            self._result.state = "stopped" if task.cancelled() else "finished"
        except ApiError as error:
            self._fail(error)
        except Exception:  # a bug must not leave the page waiting forever
            logger.exception("unexpected error in a background job")
            self._fail(_UNEXPECTED)
        finally:
            self._is_over.set()

    def _fail(self, error: ApiError) -> None:
        self._result.error = error
        self._result.state = "failed"

    def _is_abandoned(self) -> bool:
        return time.monotonic() - self._last_poll > self._abandoned_seconds
