"""The API on a real socket, as a browser or a client finds it."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import uvicorn

from backend.main import create_app
from backend.settings import Settings
from tests.support.fake_model_server import FakeModelServer
from tests.support.requests import MODEL_ID


@contextmanager
def running_api(settings: Settings, *, port: int = 0) -> Iterator[str]:
    """Serve the API on this port or a free one, in a thread of its own; give its address."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sends small pieces at once then
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(100)
    config = uvicorn.Config(
        create_app(settings), log_level="warning", timeout_graceful_shutdown=1, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=asyncio.run, args=[server.serve([listener])])
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


KEY = "sk-hunter2 and more"


def guarded(model_server: FakeModelServer, **knobs: Any) -> Settings:
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, **knobs)


@asynccontextmanager
async def api_with(model_server: FakeModelServer, **knobs: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(guarded(model_server, **knobs))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost:8000"
        ) as api,
    ):
        yield api
