"""The official SDK's own server, in process and on a real socket, in each protocol era."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from mcp.client._memory import InMemoryTransport
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ImageContent, ToolAnnotations

from backend.tools.mcp.client.session import McpSession
from backend.tools.mcp.server import McpServer, Session
from tests.support.mcp_servers import (
    QUICK,
    OpenServer,
    call,
    http_config,
    serving,
    wait_for,
    wait_settled,
)

pytestmark = pytest.mark.anyio


class Calls:
    """What the server's tools have seen."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()


def demo_server(calls: Calls) -> MCPServer:
    server = MCPServer("demo", log_level="CRITICAL")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True, title="Addition"))
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool()
    def fail() -> str:
        raise ToolError("it is broken")

    @server.tool()
    def picture() -> ImageContent:
        return ImageContent(data="QUJD", mime_type="image/png")

    @server.tool()
    async def wait() -> str:
        calls.started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            calls.cancelled.set()
            raise
        return "done"

    @server.tool()
    async def grow(context: Context[Any]) -> str:
        server.add_tool(lambda: "grown", name="grown")
        await context.notify_tools_changed()
        return "grew"

    return server


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture(params=["memory", "json", "stream", "stateless"])
async def server(
    request: pytest.FixtureRequest, open_server: OpenServer, calls: Calls
) -> AsyncIterator[McpServer]:
    demo = demo_server(calls)

    async def connect_in_memory() -> Session:
        return McpSession(InMemoryTransport(demo), QUICK)

    if request.param == "memory":
        async with open_server(
            http_config("http://memory/mcp"), connect=connect_in_memory
        ) as server:
            await wait_settled(server)
            yield server
        return
    app = demo.streamable_http_app(
        json_response=request.param == "json", stateless_http=request.param == "stateless"
    )
    async with serving(app) as url, open_server(http_config(f"{url}/mcp")) as server:
        await wait_settled(server)
        yield server


async def test_tools_are_listed_and_called(server: McpServer) -> None:
    assert (server.state, server.error) == ("connected", None)
    add = server.tools[0]
    assert (add.name, add.title, add.read_only) == ("demo__add", "Addition", True)
    assert add.description == "Add two numbers."
    assert not server.tools[1].read_only
    assert (await call(server, "add", a=2, b=3)).text == "5"


async def test_failure_of_a_tool_is_an_error_result(server: McpServer) -> None:
    result = await call(server, "fail")
    assert result.is_error
    assert "it is broken" in result.text
    assert (await call(server, "add", a="x", b=3)).is_error


async def test_picture_is_named(server: McpServer) -> None:
    assert (await call(server, "picture")).text == "[image: image/png, 3 bytes, not shown]"


@pytest.mark.parametrize("server", ["memory", "stream", "stateless"], indirect=True)
async def test_cancelled_call_is_cancelled_at_the_server(server: McpServer, calls: Calls) -> None:
    task = asyncio.create_task(call(server, "wait"))
    await calls.started.wait()
    task.cancel()
    await asyncio.wait_for(calls.cancelled.wait(), 10)
    assert (await call(server, "add", a=2, b=3)).text == "5"


async def test_calls_run_side_by_side(server: McpServer) -> None:
    results = await asyncio.gather(*(call(server, "add", a=n, b=1) for n in range(10)))
    assert [result.text for result in results] == [str(n + 1) for n in range(10)]


async def test_changed_list_is_noticed(server: McpServer) -> None:
    assert (await call(server, "grow")).text == "grew"
    await wait_for(lambda: server.tools[-1].name == "demo__grown")
    assert (await call(server, "grown")).text == "grown"


async def test_server_that_was_restarted_is_connected_again(open_server: OpenServer) -> None:
    async with AsyncExitStack() as stack:
        async with serving(demo_server(Calls()).streamable_http_app()) as url:
            server = await stack.enter_async_context(open_server(http_config(f"{url}/mcp")))
            await wait_settled(server)
        await wait_for(lambda: "cannot be reached" in (server.error or ""))
        assert not server.tools
        port = int(url.rpartition(":")[2])
        app = demo_server(Calls()).streamable_http_app()
        await stack.enter_async_context(serving(app, port))
        await wait_for(lambda: server.state == "connected")
        assert (server.error, (await call(server, "add", a=1, b=1)).text) == (None, "2")
