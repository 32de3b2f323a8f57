"""HTTP routes of the tools that the API runs: list them, and set whether each may run."""

from typing import Annotated

from fastapi import Path

from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.strict_json import StrictJsonRouter
from backend.tools.lifespan import ToolRegistryDep
from backend.tools.protocol import ToolDescription, ToolList, ToolUpdate

router = StrictJsonRouter(prefix="/tools", tags=["tools"], responses=DATABASE_RESPONSES)

Name = Annotated[str, Path(max_length=200, description="The tool's name.")]


@router.get("")
async def list_tools(registry: ToolRegistryDep) -> ToolList:
    """List the tools that a chat can use with `smolchat.tools`."""
    selection = await registry.list_all()
    return ToolList(
        data=[
            ToolDescription.of(tool, selection.approvals[name])
            for name, tool in selection.tools.items()
        ]
    )


@router.patch("/{name}", responses=error_responses(404, 415))
async def update_tool(name: Name, update: ToolUpdate, registry: ToolRegistryDep) -> ToolDescription:
    """Set whether a tool may run. For an MCP server's this holds while its address is the same."""
    tool = await registry.store_approval(name, update.approval)
    return ToolDescription.of(tool, update.approval)
