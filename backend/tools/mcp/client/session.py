"""One connection to an MCP server: lists its tools and calls them."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

from mcp.client import Client, IncomingMessage
from mcp.client._transport import TransportStreams
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_REQUEST,
    PARSE_ERROR,
    REQUEST_TIMEOUT,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    InputRequiredResult,
    PaginatedRequestParams,
    Tool,
    ToolListChangedNotification,
)
from pydantic import TypeAdapter, ValidationError

from backend import VERSION
from backend.model_server.discovery import cancel_tasks, ignore_result
from backend.tools.mcp.clean_text import clean_text
from backend.tools.mcp.client.error_messages import connection_error_message, find_exceeded_limit
from backend.tools.mcp.client.http_transport import HttpTrace, open_http
from backend.tools.mcp.client.monitored_transport import MonitoredTransport
from backend.tools.mcp.client.results import read_result
from backend.tools.mcp.client.stdio_transport import open_program
from backend.tools.mcp.config import ServerConfig
from backend.tools.mcp.errors import McpError, SessionExpiredError, SessionLostError
from backend.tools.mcp.limits import McpLimits
from backend.tools.mcp.tool_list import ListedTool
from backend.tools.tool import ToolResult

_CALL_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(
    CallToolResult | InputRequiredResult
)
_MAX_ERROR_CHARACTERS = 1000
_SDK_LOGGERS = ("mcp", "client")  # the second is of its `client/session.py`
_LOST = "The connection was lost."
_INVALID = "The server sent an invalid MCP response."
_TERMINATED = "Session terminated"  # the SDK's, for a 404 of a server that had given a session


class McpSession:
    """A connection, kept open by a task of its own until it is lost or closed."""

    def __init__(
        self,
        transport: AbstractAsyncContextManager[TransportStreams],
        limits: McpLimits,
        http_trace: HttpTrace | None = None,
    ) -> None:
        self._http_trace = http_trace or HttpTrace()
        self._tools_changed = asyncio.Event()
        self._limits = limits
        self._transport = MonitoredTransport(transport)
        self._client = Client(
            self._transport,
            read_timeout_seconds=limits.list_seconds,
            message_handler=self._handle_message,
            client_info=Implementation(name="SmolChat", version=VERSION),
            cache=None,  # tools are only listed when they may have changed
        )
        self._opened = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] = asyncio.create_task(self._run())
        self._task.add_done_callback(ignore_result)

    async def wait_opened(self) -> None:
        """Wait until the server is connected.

        Raises:
            McpError: Connecting failed or timed out.
        """
        seconds = self._limits.connect_seconds
        with self._mapped_errors(seconds):
            await self._wait(self._opened, seconds)
            if not self._opened.is_set():
                raise TimeoutError

    async def wait_changed(self, seconds: float) -> None:
        """Wait for a notification that the tools changed, at most `seconds`.

        Raises:
            McpError: The connection was lost.
        """
        with self._mapped_errors(seconds):
            await self._wait(self._tools_changed, seconds)
        self._tools_changed.clear()

    async def list_tools(self) -> list[ListedTool]:
        """Return the server's tools, of which the last page may exceed `max_tools`.

        Raises:
            McpError: The request failed or timed out.
        """
        tools: list[ListedTool] = []
        cursor: str | None = None
        seconds = self._limits.list_seconds
        with self._mapped_errors(seconds):
            async with asyncio.timeout(seconds):
                for _ in range(self._limits.max_pages):
                    page = await self._client.session.list_tools(
                        params=PaginatedRequestParams(cursor=cursor)
                    )
                    tools += map(_listed_tool, page.tools)
                    cursor = page.next_cursor
                    if cursor is None or len(tools) > self._limits.max_tools:
                        break
        return tools

    async def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        """Call a tool. A caller that is cancelled cancels the call at the server.

        Raises:
            SessionExpiredError: The server no longer knows this session.
            SessionLostError: The connection was lost.
        """
        request = CallToolRequest(params=CallToolRequestParams(name=name, arguments=arguments))
        try:
            # Not `Client.call_tool`, which validates results by the server's own schema, and so
            # may keep the API busy for any length of time.
            result = await self._client.session.send_request(
                request, _CALL_RESULT, request_read_timeout_seconds=self._limits.call_seconds
            )
        except MCPError as error:
            return self._error_result(error)
        except ValidationError:
            return ToolResult(_INVALID, is_error=True)
        except RuntimeError as error:  # the SDK's, for a client that has been closed
            raise SessionLostError(_LOST) from error
        if isinstance(result, InputRequiredResult):
            return ToolResult(
                "The server asked for input, which SmolChat does not support.", is_error=True
            )
        return read_result(result, self._limits.max_result_characters)

    async def close(self) -> None:
        """End the connection, and the program if it is one."""
        self._closing.set()
        if self._opened.is_set():
            await asyncio.wait({self._task}, timeout=self._limits.close_seconds)
        await cancel_tasks([self._task])

    async def _run(self) -> None:
        async with self._client as client:
            self._opened.set()
            tasks: list[asyncio.Task[Any]] = [
                asyncio.create_task(self._closing.wait()),
                asyncio.create_task(self._transport.ended.wait()),
            ]
            listening = asyncio.create_task(self._listen(client))
            listening.add_done_callback(ignore_result)
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await cancel_tasks([*tasks, listening])

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for an event, at most `seconds`.

        Raises:
            Exception: The SDK's, or an McpError: the connection was lost.
        """
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait(
                {waiting, self._task}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            await cancel_tasks([waiting])
        if self._task.done():
            await self._task
            raise SessionLostError(_LOST)

    @contextmanager
    def _mapped_errors(self, seconds: float) -> Iterator[None]:
        try:
            yield
        except McpError:
            raise
        except Exception as error:  # anything that the SDK and its libraries raise
            message = connection_error_message(
                error, status=self._http_trace.status, seconds=seconds
            )
            raise McpError(message) from error

    def _error_result(self, error: MCPError) -> ToolResult:
        """Return the result of a failed call; raise if the session has ended."""
        if limit := find_exceeded_limit(error.message):
            text = limit
        elif error.code == CONNECTION_CLOSED and self._transport.ended.is_set():
            raise SessionLostError(_LOST) from error
        elif error.code == CONNECTION_CLOSED:
            text = "The connection was lost during the call, which may have been carried out."
        elif error.code == INVALID_REQUEST and error.message == _TERMINATED:
            raise SessionExpiredError(_LOST) from error
        elif error.code == REQUEST_TIMEOUT:
            text = f"The server did not respond within {self._limits.call_seconds:g} s."
        elif error.code == PARSE_ERROR:
            text = _INVALID
        else:
            text = clean_text(error.message, _MAX_ERROR_CHARACTERS)
        return ToolResult(text or "The server reported an error.", is_error=True)

    async def _handle_message(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            self._tools_changed.set()

    async def _listen(self, client: Client) -> None:
        """Subscribe to changes of the tools, which servers before protocol 2026 send unasked."""
        capability = client.server_capabilities.tools
        if capability is None or not capability.list_changed:
            return
        while True:
            try:
                async with client.listen(tools_list_changed=True) as events:
                    async for _ in events:
                        self._tools_changed.set()
            except (ListenNotSupportedError, MCPError):
                return
            except (SubscriptionLost, TimeoutError):
                pass
            await asyncio.sleep(self._limits.min_relist_seconds)
            self._tools_changed.set()  # it may have missed a change


def connect(config: ServerConfig, limits: McpLimits, proxy: str | None) -> McpSession:
    """Start connecting to a server."""
    # The SDK would log what servers send, with stack traces.
    for name in _SDK_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    if config.transport == "stdio":
        return McpSession(open_program(config, limits), limits)
    trace = HttpTrace()
    return McpSession(open_http(config, limits, proxy, trace), limits, trace)


def _listed_tool(tool: Tool) -> ListedTool:
    annotations = tool.annotations
    return ListedTool(
        name=tool.name,
        title=tool.title or (annotations and annotations.title) or "",
        description=tool.description or "",
        input_schema=tool.input_schema,
        is_read_only=annotations is not None and annotations.read_only_hint is True,
    )
