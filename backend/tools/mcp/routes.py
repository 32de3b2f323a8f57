"""HTTP routes of the MCP servers: list, enable, disable, reconnect."""

from typing import Annotated

from fastapi import Path

from backend.http.error_handlers import DEFAULT_RESPONSE, error_responses
from backend.http.strict_json import StrictJsonRouter
from backend.tools.mcp.lifespan import McpServersDep
from backend.tools.mcp.protocol import ServerDescription, ServerList, ServerUpdate

router = StrictJsonRouter(prefix="/tools/servers", tags=["tools"], responses=DEFAULT_RESPONSE)

Name = Annotated[str, Path(max_length=200, description="The server's name in the configuration.")]


@router.get("")
async def list_servers(servers: McpServersDep) -> ServerList:
    """List the MCP servers of `SMOLCHAT_MCP_CONFIG`, and whether they are connected."""
    return ServerList.of(servers)


@router.patch("/{name:path}", responses=error_responses(404, 415))
async def update_server(
    name: Name, update: ServerUpdate, servers: McpServersDep
) -> ServerDescription:
    """Enable or disable an MCP server until the API is restarted."""
    server = servers.get(name)
    if update.enabled:
        await server.start()
    else:
        await server.stop()
    return ServerDescription.of(server)


@router.post("/{name:path}/reconnect", responses=error_responses(404, 415))
async def reconnect_server(name: Name, servers: McpServersDep) -> ServerDescription:
    """Reconnect an MCP server now, and list its tools again. A disabled one stays off."""
    server = servers.get(name)
    await server.reconnect()
    return ServerDescription.of(server)
