"""MCP servers on a real socket: any ASGI app, and one that answers what a test has scripted."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from backend.model_server.discovery import cancel_tasks
from backend.tools.mcp.config import ServerConfig
from backend.tools.mcp.limits import McpLimits
from backend.tools.mcp.server import McpServer
from backend.tools.tool import ToolResult

QUICK = McpLimits(
    connect_seconds=20,  # on a busy machine
    list_seconds=20,
    call_seconds=20,
    min_relist_seconds=0.02,
    min_retry_seconds=0.05,
    max_retry_seconds=0.2,
    max_message_bytes=200_000,
    max_message_values=20_000,
)

OpenServer = Callable[..., AbstractAsyncContextManager[McpServer]]

INITIALIZED = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {"listChanged": True}},
    "serverInfo": {"name": "scripted", "version": "1"},
}
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}


async def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # whatever the condition is
            await asyncio.sleep(0.01)


async def wait_settled(server: McpServer) -> None:
    await wait_for(lambda: server.state != "connecting")


async def call(server: McpServer, name: str, **arguments: Any) -> ToolResult:
    """Call a tool by its server's name for it, as the registry would."""
    tool = next(tool for tool in server.tools if tool.name.endswith(f"__{name}"))
    return await tool.run(arguments)


def http_config(url: str, **fields: Any) -> ServerConfig:
    return ServerConfig(**{"name": "demo", "url": url} | fields)


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Serve an app in this event loop; yield its URL."""
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for listening in server.servers:  # all at once, as if the program was killed
            listening.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        server.should_exit = server.force_exit = True
        await task


def tool(name: str, schema: Any = SCHEMA, **fields: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": schema} | fields


def text_result(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}]}


def response(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """Return an HTTP response with JSON."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


Reply = dict[str, Any] | bytes | Callable[[dict[str, Any], asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ScriptedMcpServer:
    """A server of the 2025 protocol, whose answers are replaced by those in `replies`.

    A reply to a method is a result, the bytes of a whole response, or what writes it.
    """

    replies: dict[str, Reply] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)  # the head of each request
    url: str = ""
    tasks: set["asyncio.Task[Any] | None"] = field(default_factory=set)

    def methods(self) -> list[str]:
        return [request["method"] for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._respond(reader, writer)
        writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.headers.append(head)
        if not head.startswith("POST"):
            await self._respond_without_request(head.partition(" ")[0], writer)
            return
        length = head.lower().partition("content-length:")[2].split("\r\n")[0]
        request = json.loads(await reader.readexactly(int(length)))
        self.requests.append(request)
        reply = self.replies.get(request["method"], self._default(request["method"]))
        if callable(reply):
            await reply(request, writer)
        elif isinstance(reply, bytes):
            writer.write(reply)
        elif "id" not in request:
            writer.write(response(b"", status="202 Accepted"))
        else:
            writer.write(response(answer(request, reply)))
        await writer.drain()

    async def _respond_without_request(self, method: str, writer: asyncio.StreamWriter) -> None:
        reply = self.replies.get(method)
        if callable(reply):
            await reply({}, writer)
        else:
            refusal = response(b"", status="405 Method Not Allowed")
            writer.write(reply if isinstance(reply, bytes) else refusal)

    def _default(self, method: str) -> dict[str, Any]:
        defaults: dict[str, dict[str, Any]] = {
            "initialize": INITIALIZED,
            "tools/list": {"tools": [tool("echo")]},
            "tools/call": text_result("called"),
        }
        unknown = {"error": {"code": -32601, "message": "Method not found"}}
        return defaults.get(method, unknown)


def answer(request: dict[str, Any], reply: dict[str, Any]) -> bytes:
    """Return a JSON-RPC response with a result, or with an error."""
    outcome = reply if "error" in reply else {"result": reply}
    return json.dumps({"jsonrpc": "2.0", "id": request.get("id")} | outcome).encode()


@asynccontextmanager
async def running_scripted_server(**replies: Reply) -> AsyncIterator[ScriptedMcpServer]:
    """Run a scripted server; `tools_call` is the reply to `tools/call`, `GET` to that."""
    script = ScriptedMcpServer({name.replace("_", "/"): reply for name, reply in replies.items()})
    server = await asyncio.start_server(script.serve, "127.0.0.1")
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    async with server:
        yield script
        await cancel_tasks(script.tasks)
