"""All servers of a file are opened together: through a proxy where one is set, with the SDK."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backend.json_schema.worker import WorkerPool
from backend.settings import Settings
from backend.tools.mcp.errors import McpError
from backend.tools.mcp.server import import_connect
from backend.tools.mcp.servers import open_servers
from tests.support.http_proxy import HttpProxy
from tests.support.mcp_servers import QUICK, call, running_scripted_server, wait_for, wait_settled
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio


def settings_with(folder: Path, servers: dict[str, Any], **fields: Any) -> Settings:
    file = folder / "mcp.json"
    file.write_text(json.dumps({"mcpServers": servers}))
    return Settings(model_id=MODEL_ID, mcp_config=str(file), **fields)


async def test_same_tool_of_two_servers_has_two_names(tmp_path: Path, workers: WorkerPool) -> None:
    async with running_scripted_server() as script:
        servers = {name: {"url": script.url} for name in ("a b", "a.b", "c")}
        settings = settings_with(tmp_path, servers)
        async with open_servers(settings, workers, QUICK) as opened:
            await wait_for(lambda: len(opened.tools()) == 3)
            assert len({tool.name for tool in opened.tools()}) == 3
            assert opened.tools()[2].name == "c__echo"
        assert opened.tools() == []


async def test_remote_server_is_requested_through_the_proxy(
    tmp_path: Path, workers: WorkerPool
) -> None:
    async with running_scripted_server() as script:
        proxy = HttpProxy(int(script.url.split(":")[2].split("/")[0]))
        listener = await asyncio.start_server(proxy.serve, "127.0.0.1")
        address = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        servers = {"remote": {"url": "http://mcp.example/mcp"}}
        settings = settings_with(tmp_path, servers, http_proxy=SecretStr(address))
        async with listener, open_servers(settings, workers, QUICK) as opened:
            server = opened.get("remote")
            await wait_settled(server)
            assert (await call(server, "echo")).text == "called"
    assert set(proxy.requests) == {"POST http://mcp.example/mcp HTTP/1.1"}


async def test_proxy_that_is_not_supported_is_an_error(tmp_path: Path, workers: WorkerPool) -> None:
    servers = {"remote": {"url": "http://mcp.example/mcp"}}
    settings = settings_with(tmp_path, servers, all_proxy=SecretStr("socks5://127.0.0.1:9"))
    async with open_servers(settings, workers, QUICK) as opened:
        server = opened.get("remote")
        await wait_for(lambda: server.state == "failed")
        assert "SOCKS is not supported" in (server.error or "")


async def test_missing_sdk_says_what_to_install() -> None:
    with pytest.raises(McpError, match=r"pip install 'mcp>=2.3,<3'"):
        await import_connect("no_such_package.session")
