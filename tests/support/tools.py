"""Makes tools for tests."""

from collections.abc import Awaitable, Callable
from typing import Any

from backend.tools.tool import Tool, ToolResult


async def show_arguments(arguments: dict[str, Any]) -> ToolResult:
    return ToolResult(str(arguments))


def make_tool(
    name: str = "tool",
    run: Callable[[dict[str, Any]], Awaitable[ToolResult]] = show_arguments,
    **fields: Any,
) -> Tool:
    """Return a tool that takes any arguments, and returns them as text."""
    defaults = {"title": "Test tool", "description": "A tool.", "parameters": {"type": "object"}}
    return Tool(name=name, run=run, **defaults | fields)
