"""An event that is set on a signal to end, so that open streams end before the server waits."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SHUTDOWN_GRACE_SECONDS = 2.5  # for open responses, from the first signal on


class ShutdownEvent(asyncio.Event):
    """Set when the process is to end; `future` is done then.

    All responses wait for the one future, where `wait` would need a task each. Never cancel it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def set(self) -> None:
        super().set()
        if not self.future.done():
            self.future.set_result(None)


@contextmanager
def shutdown_signals(shutting_down: asyncio.Event) -> Iterator[None]:
    """Set `shutting_down` as soon as the process receives SIGTERM, SIGINT or SIGHUP.

    Uvicorn waits for open streams before it ends the lifespan, so they have to learn of the signal
    itself. It would wait forever for a client that does not read: a second SIGINT ends that.
    Of SIGHUP, which a terminal sends when it is closed, Uvicorn knows nothing; it is ignored where
    it was, as by `nohup`. Outside the main thread, as in tests, signals cannot be handled.
    """
    loop = asyncio.get_running_loop()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    if (hang_up := signal.getsignal(signal.SIGHUP)) is not signal.SIG_IGN:
        handlers[signal.SIGHUP] = hang_up

    def shut_down() -> None:
        shutting_down.set()
        loop.call_later(SHUTDOWN_GRACE_SECONDS, on_signal, signal.SIGINT, None)

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not shutting_down.is_set():
            loop.call_soon_threadsafe(shut_down)
        number = signal.SIGTERM if number == signal.SIGHUP else number
        if callable(handler := handlers[signal.Signals(number)]):
            handler(number, frame)

    try:
        for number in handlers:
            signal.signal(number, on_signal)
    except ValueError:
        handlers = {}
    try:
        yield
    finally:
        shutting_down.set()
        for number, handler in handlers.items():
            signal.signal(number, handler)
