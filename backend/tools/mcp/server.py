"""One configured MCP server: connected in the background, and again after a failure."""

import asyncio
import importlib
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal, Protocol

from backend.model_server.discovery import cancel_tasks
from backend.tools.mcp.config import ServerConfig
from backend.tools.mcp.errors import McpError, SessionExpiredError, SessionLostError
from backend.tools.mcp.limits import McpLimits
from backend.tools.mcp.tool_list import ListedTool, ToolListReader
from backend.tools.tool import Tool, ToolError, ToolResult

logger = logging.getLogger(__name__)

SESSION_MODULE = "backend.tools.mcp.client.session"
_MISSING_SDK = "The package `mcp` is not installed. Run `pip install 'mcp>=2.3,<3'` and restart."
# A connection that lasted this long resets the delay before the next one.
_STABLE_SECONDS = 30.0

State = Literal["off", "connecting", "connected", "failed"]


class Session(Protocol):
    """The methods of `McpSession`, whose module is imported at the first connection."""

    async def wait_opened(self) -> None: ...
    async def wait_changed(self, seconds: float) -> None: ...
    async def list_tools(self) -> list[ListedTool]: ...
    async def call(self, name: str, arguments: dict[str, Any]) -> ToolResult: ...
    async def close(self) -> None: ...


Connect = Callable[[], Awaitable[Session]]


async def import_connect(module_name: str = SESSION_MODULE) -> Callable[..., Session]:
    """Import the SDK, which takes more than a second, in a thread.

    Raises:
        McpError: It is not installed.
    """
    try:
        module = await asyncio.to_thread(importlib.import_module, module_name)
    except ModuleNotFoundError as error:
        raise McpError(_MISSING_SDK) from error
    connect: Callable[..., Session] = module.connect
    return connect


class McpServer:
    """The state and tools of a server, and the task that keeps it connected."""

    def __init__(
        self,
        config: ServerConfig,
        *,
        limits: McpLimits,
        reader: ToolListReader,
        connect: Connect,
    ) -> None:
        self.config = config
        self.state: State = "off"
        self.error: str | None = config.problem
        self.tools: tuple[Tool, ...] = ()
        self._limits = limits
        self._reader = reader
        self._connect = connect
        self._session: Session | None = None
        self._listed: list[ListedTool] | None = None
        self._settled = asyncio.Event()  # not connecting
        self._retry_now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._switching = asyncio.Lock()

    async def start(self) -> None:
        """Connect in the background, and reconnect whenever the connection is lost."""
        async with self._switching:
            if self.config.problem is not None:
                self.state = "failed"
            elif self._task is None:
                self._set_connecting()
                self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Disconnect, and stop its program if it has one."""
        async with self._switching:
            await cancel_tasks([self._task])
            self._task = self._listed = None
            self.state, self.error, self.tools = "off", self.config.problem, ()
            self._settled.set()

    async def reconnect(self) -> None:
        """Connect again now, unless it is off."""
        if self.state != "off":
            await self.stop()
            await self.start()

    async def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        """Call a tool by the server's own name for it.

        Raises:
            ToolError: The server is not connected, or was lost.
        """
        session = await self._connected_session()
        try:
            return await session.call(name, arguments)
        except SessionExpiredError:  # it has not carried out the call
            self._set_reconnecting(session)
            await session.close()
        except SessionLostError:
            self._set_reconnecting(session)
            raise ToolError(
                f"The connection to the MCP server {self.config.name} was lost. It may have "
                "carried out the call."
            ) from None
        session = await self._connected_session()
        try:
            return await session.call(name, arguments)
        except McpError:
            raise self._unavailable() from None

    async def _run(self) -> None:
        delay = self._limits.min_retry_seconds
        while True:
            began_at = time.monotonic()
            try:
                await self._keep_connected()
            except McpError as error:
                is_stable = time.monotonic() - began_at > _STABLE_SECONDS
                if is_stable or self._retry_now.is_set():
                    self._retry_now.clear()
                    delay = self._limits.min_retry_seconds
                    self._set_connecting()
                    continue
                self._set_failed(str(error))
            await asyncio.sleep(delay)
            delay = min(delay * 2, self._limits.max_retry_seconds)
            self._set_connecting()

    async def _keep_connected(self) -> None:
        """Connect, and keep the tools up to date until the connection is lost.

        Raises:
            McpError: Connecting failed, or the connection was lost.
        """
        session = await self._connect()
        try:
            await session.wait_opened()
            await self._update_tools(session)
            self._session, self.state = session, "connected"
            self._settled.set()
            logger.info("MCP server %s is connected: %d tools", self.config.name, len(self.tools))
            while True:
                await session.wait_changed(self._limits.relist_seconds)
                await asyncio.sleep(self._limits.min_relist_seconds)
                await self._update_tools(session)
        finally:
            self._session = None
            await session.close()

    async def _update_tools(self, session: Session) -> None:
        listed = await session.list_tools()
        if listed != self._listed or self.error:
            tool_list = await self._reader.read(listed, self.call)
            self.tools, self.error = tool_list.tools, tool_list.problem
            self._listed = listed

    def _set_reconnecting(self, session: Session) -> None:
        """Drop a session that has ended, so that calls wait for the next connection."""
        if session is self._session:
            self._session = None
            self._retry_now.set()
            self._set_connecting()

    async def _connected_session(self) -> Session:
        """Return the session; wait for it while connecting.

        Raises:
            ToolError: The server is not connected.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.connect_seconds):
                await self._settled.wait()
        if self._session is None:
            raise self._unavailable()
        return self._session

    def _set_connecting(self) -> None:
        """Keep the tools: a call waits until the server is connected."""
        self.state = "connecting"
        self._settled.clear()

    def _set_failed(self, problem: str) -> None:
        if problem != self.error:
            logger.warning("MCP server %s: %s", self.config.name, problem)
        self.state, self.error, self.tools, self._listed = "failed", problem, (), None
        self._settled.set()

    def _unavailable(self) -> ToolError:
        return ToolError(
            f"The MCP server {self.config.name} is not connected ({self.state}). Try again later."
        )
