"""The tools that the API runs, and the MCP servers that some of them come from."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from api.chat_chunk import Count, Text

Approval = Literal["ask", "always", "never"]
BUILT_IN = "built-in"


class Tool(BaseModel):
    """A tool; `source` is `built-in` or the name of an MCP server."""

    name: str
    title: str = ""
    description: str = ""
    parameters: Annotated[dict[str, Any], Field(alias="schema")]
    source: str = BUILT_IN
    read_only: bool = False
    approval: Approval = "ask"


class ToolList(BaseModel):
    data: list[Tool]


class ToolServer(BaseModel):
    """An MCP server: its `state` is `off`, `connecting`, `connected` or `failed`."""

    name: str
    address: str = ""
    transport: str = ""
    state: str
    error: Text = None
    tools: Count = None


class ToolServerList(BaseModel):
    """`error` says why the file that lists the servers cannot be read."""

    data: list[ToolServer] = []
    error: Text = None
