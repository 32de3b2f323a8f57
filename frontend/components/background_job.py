"""Work in a thread of its own, which can be stopped at any moment.

A script of Streamlit's that waits on a socket cannot be stopped, and what it has read is lost
with it. So the job works, the page looks at what there is, and a job that nobody looks at any
more (a closed tab, a reload) ends itself.
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
_UNEXPECTED = ApiError("Something unexpected went wrong in the page; its log has the details.")


@dataclass(kw_only=True)
class JobResult:
    """What has become of a job so far; what is worked for is added by each kind."""

    state: Literal["waiting", "writing", "finished", "stopped", "failed"] = "waiting"
    error: ApiError | None = None

    @property
    def is_over(self) -> bool:
        return self.state not in ("waiting", "writing")


class BackgroundJob:
    """Works until it is done, stopped, forsaken, or has failed."""

    def __init__(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        outcome: JobResult,
        *,
        forsaken_seconds: float,
    ) -> None:
        self._work = work
        self._outcome = outcome
        self._forsaken_seconds = forsaken_seconds
        self._seen = time.monotonic()
        self._is_stopped = threading.Event()
        self._is_over = threading.Event()
        threading.Thread(target=asyncio.run, args=[self._run()], daemon=True).start()

    def stop(self) -> None:
        """End the work where it is; return when it has ended."""
        self._is_stopped.set()
        self._is_over.wait(timeout=2)

    def wait(self, seconds: float) -> bool:
        """Wait so long at most, and tell whether the work is over."""
        self._seen = time.monotonic()
        return self._is_over.wait(seconds)

    async def _run(self) -> None:
        working = asyncio.create_task(self._work())
        while not working.done():
            if self._is_stopped.is_set() or self._is_abandoned():
                working.cancel()
            await asyncio.wait({working}, timeout=POLL_SECONDS)
        try:
            if not working.cancelled():
                working.result()
            self._outcome.state = "stopped" if working.cancelled() else "finished"
        except ApiError as error:
            self._fail(error)
        except Exception:  # a mistake of ours must not leave the page waiting for ever
            logger.exception("unexpected error while a job worked")
            self._fail(_UNEXPECTED)
        finally:
            self._is_over.set()

    def _fail(self, error: ApiError) -> None:
        self._outcome.error = error
        self._outcome.state = "failed"

    def _is_abandoned(self) -> bool:
        return time.monotonic() - self._seen > self._forsaken_seconds
