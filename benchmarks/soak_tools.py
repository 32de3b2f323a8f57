"""The last part of the soak test: chats with tools, and hostile MCP servers."""

import asyncio
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.hostile_mcp_server import SERVERS
from benchmarks.http_client import json_request
from benchmarks.processes import MODEL_ID, Program, running_api
from benchmarks.response_outcome import classify_response
from benchmarks.scripted_calls import ToolScript
from benchmarks.soak_attacks import AttackResult, OrdinaryClients, run_attack
from benchmarks.soak_resources import Programs, ResourceUsage, get
from benchmarks.tool_attacks import HOSTILE_TOOLS, TOOL_ATTACKS

SETTINGS = {
    "SMOLCHAT_TOOLS_SECONDS": "4",
    "SMOLCHAT_MAX_CONCURRENT": "32",
    "SMOLCHAT_MAX_WAITING": "512",
}
CONNECT_SECONDS = 40
WARM_UP_CHATS = 40
_SCRIPT = ToolScript(tools=("calculator", "ordinary__run"), tokens=4)
_NEVER_CONNECTED = ("silent", "invalid")


@dataclass(frozen=True)
class ToolSoakResult:
    """The results of the attacks, and what was held before and after them."""

    attacks: list[AttackResult]
    before: ResourceUsage
    after: ResourceUsage


@contextmanager
def running_api_with_tools(upstream: Program, tools: Program) -> Iterator[Program]:
    """Run the API with all MCP servers."""
    urls = {name: {"url": f"http://127.0.0.1:{tools.port}/{name}"} for name in SERVERS}
    with tempfile.TemporaryDirectory(prefix="smolchat-soak-") as folder:
        config = Path(folder) / "mcp.json"
        config.write_text(json.dumps({"mcpServers": urls}))
        with running_api(upstream, SETTINGS | {"SMOLCHAT_MCP_CONFIG": str(config)}) as api:
            yield api


async def soak_tools(programs: Programs, names: Sequence[str]) -> ToolSoakResult:
    """Run attacks. What is held is measured with all MCP servers off, before and after them.

    Raises:
        RuntimeError: The API does not work.
    """
    clients = ToolClients(programs.api.port)
    await clients.prepare()
    await _wait_connected(programs.api)
    await clients.allow_tools(("ordinary__run", *HOSTILE_TOOLS))
    await clients.warm_up()
    await clients.switch_servers(is_on=False)
    before = await programs.wait_until_released()
    await clients.switch_servers(is_on=True)
    await _wait_connected(programs.api)
    attacks = []
    for name in names:
        result = AttackResult(name)
        await run_attack(result, TOOL_ATTACKS[name], programs.api, clients.requests)
        if (await programs.open_calls()).get("ordinary"):
            result.errors["calls of the ordinary MCP server still run"] += 1
        attacks.append(result)
    await clients.switch_servers(is_on=False)
    return ToolSoakResult(attacks, before, await programs.wait_until_idle(before))


async def _wait_connected(api: Program) -> None:
    """Wait until the servers are connected.

    Raises:
        RuntimeError: They are not.
    """
    for _ in range(CONNECT_SECONDS * 4):
        servers = json.loads(await get(api, "/tools/servers"))["data"]
        states = {
            server["name"]: server["state"]
            for server in servers
            if server["name"] not in _NEVER_CONNECTED
        }
        if set(states.values()) == {"connected"}:
            return
        await asyncio.sleep(0.25)
    raise RuntimeError(f"MCP servers are not connected: {states}")


class ToolClients(OrdinaryClients):
    """Ordinary clients, one of which uses tools; and one that sets them up."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.requests.append(self._chat_with_tools)

    async def allow_tools(self, names: Sequence[str]) -> None:
        """Let tools run without asking."""
        for name in names:
            await self._set(f"/tools/{name}", {"approval": "always"})

    async def switch_servers(self, *, is_on: bool) -> None:
        for name in SERVERS:
            await self._set(f"/tools/servers/{name}", {"enabled": is_on})

    async def warm_up(self) -> None:
        """Chat, so that all is loaded that stays loaded.

        Raises:
            RuntimeError: The chats fail.
        """
        result = AttackResult("warm-up")
        for _ in range(WARM_UP_CHATS // 8):
            await asyncio.gather(*(self._chat_with_tools(result) for _ in range(8)))
        if result.errors:
            raise RuntimeError(f"Chats with tools fail: {result.errors}")

    async def _set(self, path: str, fields: dict[str, Any]) -> None:
        response = await self._send(json_request(path, fields, method="PATCH"))
        if response.status != 200:
            raise RuntimeError(f"PATCH {path} responds with {response.raw!r}")

    async def _chat_with_tools(self, result: AttackResult) -> None:
        messages = [{"role": "user", "content": _SCRIPT.message()}]
        options = {"tools": _SCRIPT.tools}
        body = {"model": MODEL_ID, "messages": messages, "stream": True, "smolchat": options}
        response = await self._send(json_request("/chat", body))
        result.requests += 1
        steps = response.body.count(b'"state":"finished"')
        if not classify_response(response).is_complete or steps != len(_SCRIPT.tools):
            kind = f"a chat with tools ended with {response.status} {response.body[-300:]!r}"
            result.errors[kind] += 1
