"""Waiting for something that another thread or process does."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 40.0  # the machine may be busy; nothing here takes more than 2 s on an idle one


def wait_until(
    condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS, pause_seconds: float = 0.05
) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(pause_seconds)
