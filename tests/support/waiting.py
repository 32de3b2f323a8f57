"""Waiting for another thread or process."""

import time
from collections.abc import Callable

TIMEOUT_SECONDS = 40.0  # for busy machines: on an idle one, nothing here takes more than 2 s


def wait_until(
    condition: Callable[[], bool], *, seconds: float = TIMEOUT_SECONDS, pause_seconds: float = 0.05
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"The condition did not hold within {seconds:.0f} s"
        time.sleep(pause_seconds)
