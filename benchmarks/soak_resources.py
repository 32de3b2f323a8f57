"""What the API and its servers hold: measured before and after a soak, and compared."""

import asyncio
import json
import re
from dataclasses import dataclass

from benchmarks.http_client import ClientConnection, get_request
from benchmarks.load import active_chats
from benchmarks.processes import Program

IDLE_SECONDS = 30  # to release everything; idle connections are kept for 5 s
EXTRA_FILES = 4
EXTRA_MEGABYTES = 32.0
_ANY = 1 << 40
_QUEUE = re.compile(rb"^smolchat_(?:running|waiting) (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class ResourceUsage:
    """The API's open resources, and the active chats and calls of its servers."""

    clients: int  # accepted connections
    upstream: int  # connections to the model server
    files: int
    megabytes: float
    running: int
    queued: int = 0  # running and waiting requests in the API's queue
    tools: int = 0  # connections to MCP servers
    calls: int = 0  # not answered by MCP servers


@dataclass(frozen=True)
class Programs:
    """The programs of a soak."""

    api: Program
    upstream: Program
    tools: Program | None = None  # the MCP servers

    async def usage(self) -> ResourceUsage:
        """Measure what is held now."""
        queued = sum(map(int, _QUEUE.findall(await get(self.api, "/metrics"))))
        running = await active_chats(self.upstream)
        return ResourceUsage(
            clients=self.api.connections_to(self.api.port),
            upstream=self.api.connections_to(self.upstream.port),
            files=self.api.process.num_fds(),
            megabytes=round(self.api.resident_bytes() / 2**20, 1),
            running=running,
            queued=queued,
            tools=self.api.connections_to(self.tools.port) if self.tools else 0,
            calls=sum((await self.open_calls()).values()),
        )

    async def open_calls(self) -> dict[str, int]:
        """Return how many calls each MCP server has not answered."""
        calls: dict[str, int] = json.loads(await get(self.tools, "/calls")) if self.tools else {}
        return calls

    async def wait_until_released(self) -> ResourceUsage:
        """Wait until nothing is open, whatever the files and the memory are."""
        return await self.wait_until_idle(
            ResourceUsage(clients=0, upstream=0, files=_ANY, megabytes=_ANY, running=0)
        )

    async def wait_until_idle(self, before: ResourceUsage) -> ResourceUsage:
        """Wait until the API has released everything, or the time is over."""
        usage = await self.usage()
        for _ in range(IDLE_SECONDS * 4):
            if not leaked_resources(before, usage):
                break
            await asyncio.sleep(0.25)
            usage = await self.usage()
        return usage


def leaked_resources(before: ResourceUsage, after: ResourceUsage) -> list[str]:
    """Return what is still held without any client."""
    leaks = {
        "client connections are still open": after.clients,
        "connections to the model server are still open": after.upstream,
        "chats are still active at the model server": after.running,
        "slots of the queue are still taken": after.queued,
        "connections to MCP servers are still open": after.tools,
        "calls of tools are still running": after.calls,
        "more files are open than before": after.files > before.files + EXTRA_FILES,
        "memory has grown": after.megabytes > before.megabytes + EXTRA_MEGABYTES,
    }
    return [fault for fault, is_leaked in leaks.items() if is_leaked]


async def get(program: Program, path: str) -> bytes:
    """Return what is at a path of a program."""
    connection = await ClientConnection.open(program.port)
    try:
        return (await connection.send(get_request(path))).body
    finally:
        connection.abort()
