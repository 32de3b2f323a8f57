"""Open and close the registry of tools."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from backend.database.database import Database
from backend.tools.approvals import ApprovalRepository
from backend.tools.builtin import BUILT_IN_TOOLS
from backend.tools.builtin.search_files import FileSearchTools
from backend.tools.registry import ToolRegistry


@asynccontextmanager
async def open_tools(app: FastAPI, database: Database) -> AsyncIterator[None]:
    """Open the registry as `app.state.tools`, after the files that one of the tools searches."""
    app.state.tools = registry = ToolRegistry(BUILT_IN_TOOLS, ApprovalRepository(database))
    registry.add_source(FileSearchTools(app.state.files))
    yield


async def _tools(request: Request) -> ToolRegistry:
    registry: ToolRegistry = request.app.state.tools
    return registry


ToolRegistryDep = Annotated[ToolRegistry, Depends(_tools)]
