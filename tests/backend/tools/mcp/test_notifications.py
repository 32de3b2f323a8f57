"""A server of the 2025 protocol says on a stream of its own that its tools have changed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from backend.tools.mcp.limits import McpLimits
from backend.tools.mcp.server import McpServer
from tests.support.mcp_servers import (
    INITIALIZED,
    QUICK,
    OpenServer,
    Reply,
    ScriptedMcpServer,
    answer,
    http_config,
    response,
    running_scripted_server,
    tool,
    wait_for,
    wait_settled,
)

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
CHANGED = b'data: {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}\n\n'


async def initialize(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    writer.write(response(answer(request, INITIALIZED), headers="Mcp-Session-Id: 1\r\n"))


@asynccontextmanager
async def connected(
    open_server: OpenServer, stream: Reply, limits: McpLimits = QUICK
) -> AsyncIterator[tuple[ScriptedMcpServer, McpServer]]:
    """Connect a server with a stream of notifications."""
    async with (
        running_scripted_server(initialize=initialize, GET=stream) as script,
        open_server(http_config(script.url), limits) as server,
    ):
        await wait_settled(server)
        yield script, server


def streams(script: ScriptedMcpServer) -> int:
    return sum(head.startswith("GET") for head in script.headers)


async def test_changed_list_is_listed_again(open_server: OpenServer) -> None:
    has_changed = asyncio.Event()

    async def stream(_: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        await has_changed.wait()
        writer.write(CHANGED)
        await writer.wait_closed()

    async with connected(open_server, stream) as (script, server):
        assert [tool.name for tool in server.tools] == ["demo__echo"]
        script.replies["tools/list"] = {"tools": [tool("a"), tool("b")]}
        has_changed.set()
        await wait_for(lambda: [tool.name for tool in server.tools] == ["demo__a", "demo__b"])


async def test_server_that_says_so_all_the_time_is_not_listed_all_the_time(
    open_server: OpenServer,
) -> None:
    async def stream(_: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        while True:
            writer.write(CHANGED)
            await writer.drain()
            await asyncio.sleep(0.001)

    limits = replace(QUICK, min_relist_seconds=0.3)
    async with connected(open_server, stream, limits) as (script, server):
        await wait_for(lambda: script.methods().count("tools/list") >= 2)
        await asyncio.sleep(1)
        assert script.methods().count("tools/list") <= 6
        assert server.state == "connected"


async def test_stream_that_ends_at_once_is_not_requested_all_the_time(
    open_server: OpenServer,
) -> None:
    async with connected(open_server, HEAD + b"retry: 0\n\n") as (script, server):
        await wait_for(lambda: streams(script) >= 1)
        await asyncio.sleep(1.5)
        assert streams(script) <= 3
        assert server.state == "connected"
