"""`/tools/servers`: servers of a file, in the API."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support.api_server import api_client_with
from tests.support.fake_model_server import FakeModelServer
from tests.support.mcp_servers import running_scripted_server, tool
from tests.support.paths import ROOT

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def api_with(
    model_server: FakeModelServer, data_dir: Path, servers: Any, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    file = data_dir / "mcp.json"
    file.write_text(servers if isinstance(servers, str) else json.dumps({"mcpServers": servers}))
    async with api_client_with(
        model_server, data_dir=data_dir, mcp_config=str(file), **settings
    ) as api:
        yield api


async def wait_for_state(api: httpx.AsyncClient, state: str, *, number: int = 0) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            server: dict[str, Any] = (await api.get("/tools/servers")).json()["data"][number]
            if server["state"] == state:
                return server
            await asyncio.sleep(0.02)


async def tool_names(api: httpx.AsyncClient) -> list[str]:
    tools = (await api.get("/tools")).json()["data"]
    return [tool["name"] for tool in tools if tool["source"] != "built-in"]


async def test_servers_are_switched_off_and_on(
    model_server: FakeModelServer, data_dir: Path
) -> None:
    async with (
        running_scripted_server() as script,
        api_with(model_server, data_dir, {"my/notes": {"url": f"{script.url}?key=secret"}}) as api,
    ):
        assert await wait_for_state(api, "connected") == {
            "name": "my/notes",
            "address": script.url,
            "transport": "http",
            "state": "connected",
            "error": None,
            "tools": 1,
        }
        names = await tool_names(api)
        assert names == [names[0]]
        off = await api.patch("/tools/servers/my/notes", json={"enabled": False})
        assert (off.json()["state"], off.json()["tools"]) == ("off", 0)
        assert await tool_names(api) == []
        on = await api.patch("/tools/servers/my/notes", json={"enabled": True})
        assert on.json()["state"] == "connecting"
        await wait_for_state(api, "connected")
        assert await tool_names(api) == names


async def test_reconnect_lists_the_tools_again(
    model_server: FakeModelServer, data_dir: Path
) -> None:
    async with (
        running_scripted_server() as script,
        api_with(model_server, data_dir, {"notes": {"url": script.url}}) as api,
    ):
        await wait_for_state(api, "connected")
        script.replies["tools/list"] = {"tools": [tool("a"), tool("b")]}
        response = await api.post("/tools/servers/notes/reconnect")
        assert (response.status_code, response.json()["state"]) == (200, "connecting")
        await wait_for_state(api, "connected")
        assert await tool_names(api) == ["notes__a", "notes__b"]


async def test_what_a_tool_may_do_is_bound_to_the_headers_of_its_server(
    model_server: FakeModelServer, data_dir: Path
) -> None:
    approvals = []
    async with running_scripted_server() as script:
        for key in "1", "2", "1":
            servers = {"notes": {"url": script.url, "headers": {"Key": key}}}
            async with api_with(model_server, data_dir, servers) as api:
                await wait_for_state(api, "connected")
                tools = (await api.get("/tools")).json()["data"]
                approvals.append(tools[-1]["approval"])
                if len(approvals) == 1:
                    await api.patch("/tools/notes__echo", json={"approval": "always"})
    assert approvals == ["ask", "ask", "always"]


async def test_server_that_is_disabled_in_the_file_is_off(
    model_server: FakeModelServer, data_dir: Path
) -> None:
    servers = {"notes": {"url": "http://127.0.0.1:9/mcp", "disabled": True}}
    async with api_with(model_server, data_dir, servers) as api:
        assert (await wait_for_state(api, "off"))["error"] is None
        response = await api.post("/tools/servers/notes/reconnect")
        assert response.json()["state"] == "off"


async def test_program_needs_the_setting(model_server: FakeModelServer, data_dir: Path) -> None:
    async with api_with(model_server, data_dir, {"files": {"command": "/no/such"}}) as api:
        server = await wait_for_state(api, "off")
        assert (server["transport"], server["address"]) == ("stdio", "/no/such")
        assert "SMOLCHAT_MCP_STDIO=true" in server["error"]
        await api.patch("/tools/servers/files", json={"enabled": True})
        assert "SMOLCHAT_MCP_STDIO" in (await wait_for_state(api, "failed"))["error"]
    servers = {"files": {"command": "/no/such"}}
    async with api_with(model_server, data_dir, servers, mcp_stdio=True) as api:
        assert "not found" in (await wait_for_state(api, "failed"))["error"]


@pytest.mark.slow
async def test_program_ends_with_the_api(model_server: FakeModelServer, data_dir: Path) -> None:
    program = str(ROOT / "tests" / "support" / "mcp_program.py")
    servers = {"files": {"command": sys.executable, "args": [program]}}
    async with api_with(model_server, data_dir, servers, mcp_stdio=True) as api:
        await wait_for_state(api, "connected")
        processes = psutil.Process().children()
        (pid,) = [process.pid for process in processes if program in process.cmdline()]
    assert not psutil.pid_exists(pid)


async def test_file_that_cannot_be_read_does_not_stop_the_api(
    model_server: FakeModelServer, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with api_with(model_server, data_dir, "{") as api:
        servers = (await api.get("/tools/servers")).json()
    assert (servers["object"], servers["data"]) == ("list", [])
    assert "is not valid JSON" in servers["error"]
    assert "SMOLCHAT_MCP_CONFIG" in caplog.text


async def test_entry_that_cannot_be_used_fails_alone(
    model_server: FakeModelServer, data_dir: Path
) -> None:
    async with (
        running_scripted_server() as script,
        api_with(model_server, data_dir, {"bad": {}, "notes": {"url": script.url}}) as api,
    ):
        assert "needs a `url`" in (await wait_for_state(api, "failed"))["error"]
        await wait_for_state(api, "connected", number=1)
        assert await tool_names(api) == ["notes__echo"]


async def test_unknown_server_is_not_found(api_client: httpx.AsyncClient) -> None:
    for response in (
        await api_client.patch("/tools/servers/none", json={"enabled": True}),
        await api_client.post("/tools/servers/none/reconnect"),
    ):
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "mcp_server_not_found"


async def test_update_has_to_be_a_boolean(api_client: httpx.AsyncClient) -> None:
    for body in ({}, {"enabled": "yes"}, {"enabled": True, "approval": "always"}):
        response = await api_client.patch("/tools/servers/none", json=body)
        assert response.status_code in (400, 422)


async def test_without_a_file_there_are_no_servers(api_client: httpx.AsyncClient) -> None:
    response = await api_client.get("/tools/servers")
    assert response.json() == {"object": "list", "data": [], "error": None}
