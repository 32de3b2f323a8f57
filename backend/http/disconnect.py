"""Cancel work whose result nobody will read: the client has disconnected, or the API shuts down."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from backend.errors import ClientDisconnectedError, ShuttingDownError

Result = TypeVar("Result")


async def run_while_connected(
    work: Coroutine[Any, Any, Result], request: Request, shutting_down: asyncio.Event
) -> Result:
    """Return what `work` returns, for a request without a body.

    Raises:
        ClientDisconnectedError: The client left; `work` was cancelled.
        ShuttingDownError: The API is shutting down; `work` was cancelled.
    """
    task = asyncio.create_task(work)
    disconnect = asyncio.create_task(_wait_for_disconnect(request))
    shutdown = asyncio.create_task(shutting_down.wait())
    tasks: set[asyncio.Task[Any]] = {task, disconnect, shutdown}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if shutdown.done():
            raise ShuttingDownError("The API is shutting down. Try again in a few seconds.")
        raise ClientDisconnectedError("The client disconnected.")
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.wait(tasks)


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass  # the end of the request's empty body
