"""Open and close the MCP servers, and add their tools to the registry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from backend.json_schema.worker import WorkerPool
from backend.settings import Settings
from backend.tools.mcp.servers import McpServers, open_servers


@asynccontextmanager
async def open_mcp_servers(
    app: FastAPI, settings: Settings, workers: WorkerPool
) -> AsyncIterator[None]:
    """Open `app.state.mcp_servers`, and add them to the registry in `app.state.tools`."""
    async with open_servers(settings, workers) as servers:
        app.state.mcp_servers = servers
        app.state.tools.add_source(servers)
        yield


async def _servers(request: Request) -> McpServers:
    servers: McpServers = request.app.state.mcp_servers
    return servers


McpServersDep = Annotated[McpServers, Depends(_servers)]
