"""Tells open streams that the process is asked to end."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SHUTDOWN_GRACE_SECONDS = 2.5  # for what is open when the process is asked to end


@contextmanager
def shutdown_signals(stopping: asyncio.Event) -> Iterator[None]:
    """Set `stopping` as soon as the process is asked to end.

    Uvicorn waits for open streams before it ends the lifespan, so they have to be told by the
    signal itself. It would wait for ever for a client that does not read: its own second Ctrl-C
    ends that. In a thread, where tests run it, no signal can be had.
    """
    loop = asyncio.get_running_loop()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop() -> None:
        stopping.set()
        loop.call_later(SHUTDOWN_GRACE_SECONDS, tell, signal.SIGINT, None)

    def tell(number: int, frame: FrameType | None) -> None:
        if not stopping.is_set():
            loop.call_soon_threadsafe(stop)
        if callable(handler := handlers[signal.Signals(number)]):
            handler(number, frame)

    try:
        for number in handlers:
            signal.signal(number, tell)
    except ValueError:
        handlers = {}
    try:
        yield
    finally:
        stopping.set()
        for number, handler in handlers.items():
            signal.signal(number, handler)
