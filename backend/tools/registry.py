"""The tools that the API can run: those built in, and those of its sources, such as MCP servers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, Protocol

from backend.errors import ToolNotFoundError, UnknownToolError
from backend.tools.approvals import Approval, ApprovalRepository, approval_of
from backend.tools.tool import Tool


class ToolSource(Protocol):
    """A provider of tools, which may change over time."""

    def tools(self) -> Sequence[Tool]:
        """Return the tools that can be called now."""
        ...


@dataclass(frozen=True)
class ToolSelection:
    """Tools and their approvals, by name."""

    tools: Mapping[str, Tool]
    approvals: Mapping[str, Approval]


class ToolRegistry:
    def __init__(self, built_in: Sequence[Tool], approvals: ApprovalRepository) -> None:
        self._built_in = built_in
        self._sources: list[ToolSource] = []
        self._approvals = approvals

    def add_source(self, source: ToolSource) -> None:
        self._sources.append(source)

    def with_tool(self, tool: Tool) -> "ToolRegistry":
        """Return the same registry with another tool, in place of one with its name."""
        registry = ToolRegistry([tool, *self._built_in], self._approvals)
        registry._sources = self._sources
        return registry

    def tools(self) -> dict[str, Tool]:
        """Return all tools by name; the first one with a name wins."""
        tools: dict[str, Tool] = {}
        for tool in chain(self._built_in, *(source.tools() for source in self._sources)):
            tools.setdefault(tool.name, tool)
        return tools

    async def list_all(self) -> ToolSelection:
        """Return all tools, including those that may never run."""
        stored = await self._approvals.list_all()
        tools = self.tools()
        return ToolSelection(
            tools, {name: approval_of(tool, stored) for name, tool in tools.items()}
        )

    async def select(self, names: Literal["all"] | Sequence[str]) -> ToolSelection:
        """Return the tools of a request, without those that may never run.

        Raises:
            UnknownToolError: There is no tool with one of the names.
        """
        available = await self.list_all()
        selected = list(available.tools) if names == "all" else names
        for name in selected:
            if name not in available.tools:
                raise UnknownToolError(
                    f"There is no tool {name!r:.80}. GET /tools lists all; tools of an MCP server "
                    "are missing while it is not connected.",
                    param="smolchat.tools",
                )
        allowed = [name for name in selected if available.approvals[name] != "never"]
        return ToolSelection(
            {name: available.tools[name] for name in allowed},
            {name: available.approvals[name] for name in allowed},
        )

    async def store_approval(self, name: str, approval: Approval) -> Tool:
        """Store whether a tool may run, and return the tool.

        Raises:
            ToolNotFoundError: There is no tool with this name.
        """
        if (tool := self.tools().get(name)) is None:
            raise ToolNotFoundError("Tool not found. GET /tools lists all tools.")
        await self._approvals.store(tool, approval)
        return tool
