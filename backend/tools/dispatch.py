"""Run one tool call. A failure is its result, marked as an error."""

import asyncio
import logging
from typing import Any

import jsonschema_rs
from pydantic_core import PydanticSerializationError, to_json

from backend.json_schema.errors import SchemaError
from backend.tools.tool import Tool, ToolError, ToolResult

MAX_ARGUMENT_CHARACTERS = 256 * 1024

logger = logging.getLogger(__name__)


async def run_call(
    tool: Tool, arguments: dict[str, Any], *, max_characters: int, seconds: float
) -> ToolResult:
    """Run a tool for at most `seconds` or its own limit, and truncate its result.

    Cancelling the caller cancels the call.
    """
    if (problem := _argument_problem(tool, arguments)) is not None:
        result = ToolResult(problem, is_error=True)
    else:
        result = await _run(tool, arguments, min(seconds, tool.seconds))
    return ToolResult(truncate(result.text, max_characters), result.is_error)


def truncate(text: str, max_characters: int) -> str:
    """Return text that can be encoded as UTF-8, truncated with a note to `max_characters`."""
    if (total := len(text)) > max_characters:
        kept = max(0, max_characters - len(_truncation_note(max_characters, total)))
        text = text[:kept] + _truncation_note(kept, total)
    return text.encode("utf-8", "replace").decode()  # a lone surrogate is not Unicode


def _truncation_note(kept: int, total: int) -> str:
    return f"\n[truncated: {kept:,} of {total:,} characters]"


def _argument_problem(tool: Tool, arguments: dict[str, Any]) -> str | None:
    """Return why a tool cannot be called with these arguments, or None."""
    try:
        text = to_json(arguments).decode()
    except (PydanticSerializationError, ValueError):
        return "The arguments are not valid JSON, or nested too deeply."
    if len(text) > MAX_ARGUMENT_CHARACTERS:
        return (
            f"The arguments are too long: {len(text):,} characters of JSON, "
            f"{MAX_ARGUMENT_CHARACTERS:,} at most."
        )
    try:
        issues = tool.validator.validate(text).errors
    except (SchemaError, jsonschema_rs.ReferencingError, ValueError):
        return "The tool's schema is not valid."
    if not issues:
        return None
    location = f" at {issues[0].pointer}" if issues[0].pointer else ""
    return f"The arguments do not match the tool's schema{location}: {issues[0].message}."


async def _run(tool: Tool, arguments: dict[str, Any], seconds: float) -> ToolResult:
    """Run a tool in its own task, so that nothing waits for one that ignores cancellation."""
    call = asyncio.create_task(_await_result(tool, arguments))
    try:
        done, _ = await asyncio.wait({call}, timeout=max(seconds, 0))
    finally:
        call.add_done_callback(_retrieve)  # it may fail at the moment that the caller is cancelled
        call.cancel()
    if not done:
        return ToolResult(f"{tool.title} took longer than {seconds:.3g} s.", is_error=True)
    return _result(tool, call)


async def _await_result(tool: Tool, arguments: dict[str, Any]) -> ToolResult:
    return await tool.run(arguments)


def _result(tool: Tool, call: asyncio.Task[ToolResult]) -> ToolResult:
    if call.cancelled():  # not by this module, but within the tool
        return ToolResult(f"{tool.title} was interrupted.", is_error=True)
    error = call.exception()
    if error is None:
        return call.result()
    if isinstance(error, ToolError):
        return ToolResult(str(error), is_error=True)
    logger.error("The tool %s failed", tool.name, exc_info=error)
    return ToolResult(f"{tool.title} failed ({type(error).__name__}).", is_error=True)


def _retrieve(call: asyncio.Task[ToolResult]) -> None:
    """Retrieve the exception of an abandoned call, so that asyncio does not log it."""
    if not call.cancelled():
        call.exception()
