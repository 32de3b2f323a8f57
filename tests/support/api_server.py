"""Runs the API in this process, on a real socket or without one."""

import asyncio
import gc
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import httpx
import uvicorn

from backend.http.limits import LimitedHttpProtocol
from backend.main import create_app
from backend.settings import Settings
from backend.tools.tool import Tool
from tests.support.fake_model_server import FakeModelServer
from tests.support.requests import MODEL_ID

SHUTDOWN_GRACE_SECONDS = 1.0


class _ApiServer(uvicorn.Server):
    """Uvicorn's server, started and stopped without its pauses of 0.1 s."""

    def __init__(self, settings: Settings) -> None:
        self.app = create_app(settings)
        config = uvicorn.Config(
            self.app, http=LimitedHttpProtocol, log_level="warning", access_log=False
        )
        super().__init__(config)
        self.ready = threading.Event()
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop

    def run_until_stopped(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self.serve([listener]))
        finally:
            self.ready.set()

    def stop(self) -> None:
        if self.started:
            self._loop.call_soon_threadsafe(self._stop.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        self.ready.set()
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._finish_responses(), SHUTDOWN_GRACE_SECONDS)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()

    async def _finish_responses(self) -> None:
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class _Tools:
    """A source of tools, which are always the same."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = tools

    def tools(self) -> Sequence[Tool]:
        return self._tools


@contextmanager
def running_api(
    settings: Settings, *, port: int = 0, host: str = "127.0.0.1", tools: Sequence[Tool] = ()
) -> Iterator[str]:
    """Serve the API, which has `tools` besides its own, in its own thread; yield its URL.

    Its port is `port`, or a free one.
    """
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # With the protocol asyncio sets TCP_NODELAY.
    listener = socket.socket(family, kind, proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(100)
    server = _ApiServer(settings)
    thread = threading.Thread(target=server.run_until_stopped, args=[listener])
    thread.start()
    server.ready.wait()
    if tools:
        server.app.state.tools.add_source(_Tools(tools))
    try:
        name = f"[{host.replace('%', '%25')}]" if ":" in host else host
        yield f"http://{name}:{listener.getsockname()[1]}"
    finally:
        server.stop()
        thread.join()
        gc.collect()  # a database connection that was left to it fails this test


API_KEY = "sk-hunter2 and more"


def settings_for(model_server: FakeModelServer, **fields: Any) -> Settings:
    return Settings(**{"model_id": MODEL_ID, "dmr_base_url": model_server.base_url} | fields)


@asynccontextmanager
async def api_client_with(
    model_server: FakeModelServer, **fields: Any
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings_for(model_server, **fields))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost:8000"
        ) as api,
    ):
        yield api
