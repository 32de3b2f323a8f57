"""MCP servers over streamable HTTP, an ordinary one and hostile ones, that run as one process.

Each has a path of its own, `/<name>`, and follows the table at the end of this file. They are
written without the SDK, which would refuse most of it. `/calls` returns how many calls of each
server are not answered yet. What a server sends is bounded, though by far more than is read of it.
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

Send = Callable[[bytes], Awaitable[None]]
# A result or an error, a whole response, or what sends it.
Reply = dict[str, Any] | bytes | Callable[["Request", Send], Awaitable[None]]

CALL_SECONDS = 0.3  # of the ordinary server
FLOOD_BYTES = 60 << 20
_TOOLS_PER_PAGE = 40
_LARGE_CHARACTERS = 12_000
_HEADER_BYTES = 1 << 16
_EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
_numbers = count()


@dataclass(frozen=True)
class Request:
    """A request to one of the servers; `message` is empty without a body."""

    server: str
    session: str
    method: str  # of JSON-RPC, or else of HTTP
    message: Mapping[str, Any]
    cancelled: asyncio.Event

    def answer(self, outcome: Mapping[str, Any]) -> bytes:
        """Return a JSON-RPC response with a result, or with an error."""
        fields = outcome if "error" in outcome else {"result": outcome}
        return json.dumps({"jsonrpc": "2.0", "id": self.message.get("id")} | dict(fields)).encode()


class HostileMcpServers:
    """The state that all connections share."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str, Any], Request] = {}  # those not answered, by their ids

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the request of a connection, until its client leaves."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            request = await _read_request(reader)
            answering = asyncio.create_task(self._answer(request, writer))
            leaving = asyncio.create_task(reader.read(1))
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
        writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        if request.server == "calls":
            counts = Counter(server for server, *_ in self._calls)
            await send(_response(json.dumps(counts).encode()))
            return
        key = (request.server, request.session, request.message.get("id"))
        if request.method == "tools/call":
            self._calls[key] = request
        elif request.method == "notifications/cancelled":
            cancelled = (*key[:2], request.message["params"]["requestId"])
            if call := self._calls.get(cancelled):
                call.cancelled.set()
        try:
            await _send_reply(request, send)
        finally:
            if request.method == "tools/call":
                self._calls.pop(key, None)


async def _read_request(reader: asyncio.StreamReader) -> Request:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    method, path, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    message = json.loads(body) if body else {}
    return Request(
        server=path.strip("/"),
        session=headers.get("mcp-session-id", ""),
        method=message.get("method", method),
        message=message,
        cancelled=asyncio.Event(),
    )


async def _send_reply(request: Request, send: Send) -> None:
    reply = SERVERS[request.server].get(request.method, _DEFAULTS.get(request.method, _UNKNOWN))
    if callable(reply):
        await reply(request, send)
    elif isinstance(reply, bytes):
        await send(reply)
    else:
        await send(_response(request.answer(reply)))


def _response(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def _tool(name: str, schema: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a tool that takes what the calculator takes, or says that it does."""
    expression = {"type": "object", "properties": {"expression": {"type": "string"}}}
    return {"name": name, "inputSchema": schema or expression} | fields


def _text(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}]}


async def _initialize(request: Request, send: Send) -> None:
    result = {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": request.server, "version": "1"},
    }
    session = f"Mcp-Session-Id: {next(_numbers)}\r\n"
    await send(_response(request.answer(result), headers=session))


async def _wait(request: Request, send: Send) -> None:
    """Answer a call after a while, or say that it was cancelled."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            await request.cancelled.wait()
    except TimeoutError:
        await send(_response(request.answer(_text("waited"))))
        return
    error = {"code": 0, "message": "Request cancelled"}
    await send(_response(request.answer({"error": error})))


async def _never(_request: Request, _send: Send) -> None:
    await asyncio.get_running_loop().create_future()


async def _drop(request: Request, send: Send) -> None:
    """End the connection: at once, in the head, in the body, or in an event."""
    data = _response(request.answer(_text("x" * 500)))
    starts = (b"", data[:30], data[:-100], _EVENTS + b"data: " + data[-300:-100])
    if start := starts[next(_numbers) % len(starts)]:
        await send(start)


async def _flood(request: Request, send: Send) -> None:
    """Send without end: a large text, many values, one large event, or many small ones."""
    notification = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
    start, part = (
        (_json_head(), b"x" * 65_536),
        (_json_head() + b"[", b"[]," * 20_000),
        (_EVENTS + b"data: ", b"x" * 65_536),
        (_EVENTS, f"data: {notification}\n\n".encode() * 500),
        (_EVENTS, b": x\n\n" * 5_000),
    )[next(_numbers) % 5]
    await send(start)
    for _ in range(FLOOD_BYTES // len(part)):
        await send(part)
    await _never(request, send)


def _json_head() -> bytes:
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {FLOOD_BYTES * 2}\r\n\r\n".encode()


async def _flood_list(request: Request, send: Send) -> None:
    """Send pages without end, of tools with large schemas and descriptions."""
    schema = {"type": "object", "properties": {"a": {"description": "x" * _LARGE_CHARACTERS}}}
    tools = [
        _tool(f"tool{next(_numbers)}", schema, description="y" * _LARGE_CHARACTERS)
        for _ in range(_TOOLS_PER_PAGE)
    ]
    await send(_response(request.answer({"tools": tools, "nextCursor": "more"})))


async def _change(_request: Request, send: Send) -> None:
    """Say all the time that the list of tools has changed."""
    changed = json.dumps({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    await send(_EVENTS)
    for _ in range(FLOOD_BYTES // len(changed)):
        await send(f"data: {changed}\n\n".encode())
        await asyncio.sleep(0.01)


async def _list_others(request: Request, send: Send) -> None:
    """List one tool that stays, though with another schema, and many that do not."""
    tools = [_tool(f"tool{next(_numbers)}", _exploding_schema(8)) for _ in range(_TOOLS_PER_PAGE)]
    tools.append(_tool("stays", title=f"Number {next(_numbers)}"))
    await send(_response(request.answer({"tools": tools})))


async def _lie(request: Request, send: Send) -> None:
    """Send something else than a result."""
    results: tuple[dict[str, Any], ...] = (
        {"content": "text"},
        {"content": None, "structuredContent": {"expression": 5}},
        {"content": [{"type": "hologram"}]},
        {"content": [{"type": "text", "text": "\x1b[8m" + "x" * 900_000}]},
        {"content": [], "isError": "maybe"},
        {"error": {"code": "five", "message": 5}},
        {"error": {"code": -32000, "message": "x" * 900_000}},
        {"resultType": "input_required", "inputRequests": {}},
    )
    answer = request.answer(results[number := next(_numbers) % len(results)])
    if number == 0:
        answer = answer.replace(b'"id": ', b'"id": 9')  # of another request
    await send(_response(answer))


def _exploding_schema(depth: int) -> dict[str, Any]:
    """Return a schema whose references double at each step."""
    definitions: dict[str, Any] = {
        f"d{n}": {
            "anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"items": {"$ref": f"#/$defs/d{n + 1}"}}]
        }
        for n in range(depth)
    }
    definitions[f"d{depth}"] = {"type": "string"}
    properties = {"expression": {"$ref": "#/$defs/d0"}}
    return {"type": "object", "properties": properties, "$defs": definitions}


def _lying_tools() -> list[dict[str, Any]]:
    def with_argument(schema: Any) -> dict[str, Any]:
        return {"type": "object", "properties": {"expression": schema}}

    nested: dict[str, Any] = {"type": "string"}
    for _ in range(40):  # parsers refuse 100
        nested = {"allOf": [nested]}
    schemas = (
        _exploding_schema(40),
        with_argument(nested),
        with_argument({"$ref": "#"}),
        with_argument({"$ref": "https://localhost/schema"}),
        with_argument({"type": "string", "pattern": "^(a+)+(b|c{1,1000}){1,1000}$"}),
        with_argument({"enum": [str(number) for number in range(5_000)]}),
        with_argument({"type": "string", "minLength": 10**9}),
        with_argument({"type": "array", "minItems": 10**9}),
        with_argument({"$ref": "#/nowhere"}),
        with_argument({"type": "everything"}),
    )
    tools = [_tool(f"lie{number}", schema) for number, schema in enumerate(schemas)]
    output = {"type": "object", "required": ["number"]}
    claims = {"readOnlyHint": True, "destructiveHint": False}
    return [*tools, _tool("fits", annotations=claims, outputSchema=output)]


_UNKNOWN = {"error": {"code": -32601, "message": "Method not found"}}
_DEFAULTS: dict[str, Reply] = {
    "initialize": _initialize,
    "notifications/initialized": _response(b"", status="202 Accepted"),
    "notifications/cancelled": _response(b"", status="202 Accepted"),
    "tools/list": {"tools": [_tool("run")]},
    "GET": _response(b"", status="405 Method Not Allowed"),
    "DELETE": _response(b""),
}
SERVERS: dict[str, dict[str, Reply]] = {
    "ordinary": {"tools/call": _wait},
    "silent": {"initialize": _never},
    "invalid": {"tools/list": {"tools": [_tool("run", {"type": "array"})]}},
    "mute": {"tools/call": _never, "notifications/cancelled": _never},
    "drops": {"tools/call": _drop},
    "floods": {"tools/call": _flood},
    "forgets": {"tools/call": _response(b"", status="404 Not Found")},
    "lies": {"tools/list": {"tools": _lying_tools()}, "tools/call": _lie},
    "lists": {"tools/list": _flood_list, "tools/call": _text("done")},
    "changes": {"tools/list": _list_others, "tools/call": _text("done"), "GET": _change},
}


async def serve(port: int) -> None:
    """Serve until the process is stopped."""
    servers = HostileMcpServers()
    server = await asyncio.start_server(
        servers.serve, "127.0.0.1", port, limit=_HEADER_BYTES, backlog=2048
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))
