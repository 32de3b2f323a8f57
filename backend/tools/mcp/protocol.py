"""Requests and responses of `/tools/servers`."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from backend.tools.mcp.server import McpServer, State
from backend.tools.mcp.servers import McpServers


class ServerDescription(BaseModel):
    """An MCP server of the configuration."""

    name: str
    address: Annotated[
        str, Field(description="Its URL without user and query, or the command of its program.")
    ]
    transport: Literal["http", "stdio"]
    state: Annotated[
        State,
        Field(description="A `failed` server is retried automatically, with increasing delays."),
    ]
    error: Annotated[
        str | None,
        Field(description="Why it is not connected, or which of its tools cannot be used."),
    ]
    tools: Annotated[int, Field(description="How many of its tools can be used now.")]

    @classmethod
    def of(cls, server: McpServer) -> Self:
        return cls(
            name=server.config.name,
            address=server.config.address,
            transport=server.config.transport,
            state=server.state,
            error=server.error,
            tools=len(server.tools),
        )


class ServerList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ServerDescription]
    error: Annotated[
        str | None, Field(description="Why the file of SMOLCHAT_MCP_CONFIG cannot be read.")
    ]

    @classmethod
    def of(cls, servers: McpServers) -> Self:
        return cls(data=[ServerDescription.of(server) for server in servers], error=servers.error)


class ServerUpdate(BaseModel):
    """A change of a server, until the API is restarted."""

    model_config = ConfigDict(extra="forbid")

    enabled: Annotated[bool, Field(strict=True, description="Whether the server is connected.")]
