"""All configured MCP servers, a source of tools."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import chain

from backend.errors import McpServerNotFoundError
from backend.json_schema.worker import WorkerPool
from backend.settings import Settings
from backend.tools.mcp.config import ServerConfig, load_config
from backend.tools.mcp.errors import McpError
from backend.tools.mcp.limits import McpLimits
from backend.tools.mcp.server import McpServer, Session, import_connect
from backend.tools.mcp.tool_list import ToolListReader
from backend.tools.tool import Tool

logger = logging.getLogger(__name__)

_STDIO_IS_OFF = (
    "It starts a program, which is off by default. Set SMOLCHAT_MCP_STDIO=true if you trust it."
)


class McpServers:
    """The configured servers; `error` says why the configuration cannot be read, if so."""

    def __init__(self, servers: Iterable[McpServer], error: str | None = None) -> None:
        self._servers = {server.config.name: server for server in servers}
        self.error = error

    def __iter__(self) -> Iterator[McpServer]:
        return iter(self._servers.values())

    def tools(self) -> list[Tool]:
        """Return the tools of all servers that are connected."""
        return list(chain.from_iterable(server.tools for server in self))

    def get(self, name: str) -> McpServer:
        """Return a server.

        Raises:
            McpServerNotFoundError: There is none of this name.
        """
        if (server := self._servers.get(name)) is None:
            raise McpServerNotFoundError("MCP server not found. GET /tools/servers lists all.")
        return server


@asynccontextmanager
async def open_servers(
    settings: Settings, workers: WorkerPool, limits: McpLimits | None = None
) -> AsyncIterator[McpServers]:
    """Read the configuration, connect its servers in the background, and stop them on exit."""
    config = await asyncio.to_thread(load_config, settings.mcp_config)
    if config.error:
        logger.warning("SMOLCHAT_MCP_CONFIG: %s", config.error)
    factory = _ServerFactory(settings, workers, limits or McpLimits())
    servers = McpServers(map(factory.new_server, config.servers), config.error)
    try:
        for server in servers:
            if server.config.is_enabled:
                await server.start()
        yield servers
    finally:
        await asyncio.gather(*(server.stop() for server in servers))


class _ServerFactory:
    def __init__(self, settings: Settings, workers: WorkerPool, limits: McpLimits) -> None:
        self._settings = settings
        self._workers = workers
        self._limits = limits

    def new_server(self, config: ServerConfig) -> McpServer:
        """Return a server that is off."""
        if config.transport == "stdio" and not self._settings.mcp_stdio:
            config = replace(config, problem=config.problem or _STDIO_IS_OFF, is_enabled=False)
        if config.problem:
            logger.warning("MCP server %s: %s", config.name, config.problem)

        async def connect() -> Session:
            open_session = await import_connect()
            return open_session(config, self._limits, self._proxy(config))

        return McpServer(
            config,
            limits=self._limits,
            reader=ToolListReader(config, self._limits, self._workers),
            connect=connect,
        )

    def _proxy(self, config: ServerConfig) -> str | None:
        """Return the URL of the proxy for a server, or None.

        Raises:
            McpError: The proxy setting is not valid.
        """
        if config.transport == "stdio":
            return None
        try:
            proxy = self._settings.proxy_for(config.url)
        except ValueError as error:
            raise McpError(f"HTTP_PROXY, HTTPS_PROXY or ALL_PROXY {error}.") from None
        return proxy.get_secret_value() if proxy else None
