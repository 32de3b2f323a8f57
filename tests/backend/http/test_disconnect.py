"""Work ends when its client leaves or the API shuts down."""

import asyncio
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.types import Message

from backend.errors import ClientDisconnectedError, ShuttingDownError
from backend.http.disconnect import run_while_connected

pytestmark = pytest.mark.anyio


class Work:
    """Runs until it is cancelled."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.is_cancelled = False

    async def run(self) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_cancelled = True


def request_until(left: asyncio.Event) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http"}, receive)


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (lambda left, _shutdown: left.set(), ClientDisconnectedError),
        (lambda _left, shutdown: shutdown.set(), ShuttingDownError),
    ],
)
async def test_work_is_cancelled(
    end: Callable[[asyncio.Event, asyncio.Event], None], error: type[Exception]
) -> None:
    left, shutdown, work = asyncio.Event(), asyncio.Event(), Work()
    running = asyncio.create_task(run_while_connected(work.run(), request_until(left), shutdown))
    await work.started.wait()
    assert not running.done()
    end(left, shutdown)
    with pytest.raises(error):
        await running
    assert work.is_cancelled


async def test_cancelled_caller_cancels_the_work() -> None:
    work = Work()
    request = request_until(asyncio.Event())
    running = asyncio.create_task(run_while_connected(work.run(), request, asyncio.Event()))
    await work.started.wait()
    running.cancel()
    await asyncio.wait([running])
    assert work.is_cancelled


async def test_result_and_error_are_passed_on() -> None:
    async def divide(number: int) -> float:
        return 1 / number

    request = request_until(asyncio.Event())
    assert await run_while_connected(divide(2), request, asyncio.Event()) == 0.5
    with pytest.raises(ZeroDivisionError):
        await run_while_connected(divide(0), request, asyncio.Event())
