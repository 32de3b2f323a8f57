"""Fixtures of the tests of MCP: worker processes and an event loop for all tests of a module."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from backend.json_schema.worker import WorkerPool
from backend.tools.mcp.config import ServerConfig
from backend.tools.mcp.limits import McpLimits
from backend.tools.mcp.server import McpServer, Session, import_connect
from backend.tools.mcp.tool_list import ToolListReader
from tests.support.mcp_servers import QUICK, OpenServer


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def workers() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(processes=1)
    yield pool
    await pool.close()


@pytest.fixture
def open_server(workers: WorkerPool) -> OpenServer:
    """Return what starts the connection to a server, and ends it."""

    @asynccontextmanager
    async def open_server(
        config: ServerConfig,
        limits: McpLimits = QUICK,
        connect: Callable[[], Awaitable[Session]] | None = None,
    ) -> AsyncIterator[McpServer]:
        async def connect_by_config() -> Session:
            return (await import_connect())(config, limits, None)

        reader = ToolListReader(config, limits, workers)
        server = McpServer(
            config, limits=limits, reader=reader, connect=connect or connect_by_config
        )
        await server.start()
        try:
            yield server
        finally:
            await server.stop()

    return open_server
