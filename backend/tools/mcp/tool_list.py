"""Converts an MCP server's list of tools to tools that the API can run."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic_core import to_json

from backend.json_schema.errors import (
    SchemaCrashError,
    SchemaError,
    SchemaTimeoutError,
    SchemaTooLargeError,
)
from backend.json_schema.limits import check_original
from backend.json_schema.prepare import prepare_passthrough
from backend.json_schema.worker import WorkerBusyError, WorkerPool, WorkerUnavailableError
from backend.tools.mcp.clean_text import clean_line, clean_schema, clean_text
from backend.tools.mcp.config import ServerConfig
from backend.tools.mcp.limits import McpLimits
from backend.tools.mcp.names import tool_name
from backend.tools.tool import Tool, ToolResult

MAX_TITLE_CHARACTERS = 100
_MAX_MCP_NAME_CHARACTERS = 256
_MAX_DROPPED = 3  # tools that are named of those that cannot be used

Call = Callable[[str, dict[str, Any]], Awaitable[ToolResult]]


@dataclass(frozen=True, kw_only=True)
class ListedTool:
    """A tool as its server lists it: nothing in it has been checked."""

    name: str
    title: str
    description: str
    input_schema: Any
    is_read_only: bool


@dataclass(frozen=True)
class ToolList:
    """The usable tools, and why others cannot be used, if so."""

    tools: tuple[Tool, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class _CheckedSchema:
    """The schema of a tool, as it is and as it is sent, or why it cannot be used."""

    parameters: dict[str, Any] = field(default_factory=dict)
    sent: Any = None
    problem: str | None = None
    is_slow: bool = False  # finding the problem took too long


class ToolListReader:
    """Checks the names and schemas that a server lists, the schemas in a worker process."""

    def __init__(self, config: ServerConfig, limits: McpLimits, workers: WorkerPool) -> None:
        self._config = config
        self._limits = limits
        self._workers = workers

    async def read(self, listed: Sequence[ListedTool], call: Call) -> ToolList:
        """Return the tools, which run by `call` with their own name."""
        tools = dict[str, Tool]()
        dropped = list[str]()
        slow_schemas = 0
        for entry in listed[: self._limits.max_tools]:
            name = tool_name(self._config.name, entry.name)
            problem = _find_name_problem(entry.name, is_taken=name in tools)
            schema = _CheckedSchema()
            if problem is None and slow_schemas < self._limits.max_rejected_schemas:
                schema = await self._check_schema(entry.input_schema)
                problem = schema.problem
                slow_schemas += schema.is_slow
            elif problem is None:
                problem = "its schema was not checked: others took too long"
            if problem:
                dropped.append(f"{clean_line(entry.name, 60) or '(no name)'} ({problem})")
            else:
                tools[name] = self._tool(name, entry, schema, call)
        return ToolList(tuple(tools.values()), self._problem(len(listed), dropped))

    def _tool(self, name: str, entry: ListedTool, schema: "_CheckedSchema", call: Call) -> Tool:
        return Tool(
            name=name,
            title=clean_line(entry.title or entry.name, MAX_TITLE_CHARACTERS),
            description=clean_text(entry.description, self._limits.max_description_characters),
            parameters=schema.parameters,
            sent_parameters=schema.sent,
            source=self._config.name,
            read_only=entry.is_read_only,
            seconds=self._limits.call_seconds,
            cues=(),
            binding=self._config.binding,
            run=partial(call, entry.name),
        )

    async def _check_schema(self, schema: Any) -> "_CheckedSchema":
        """Check a schema, and prepare it once for all requests to a model server."""
        if not isinstance(schema, dict) or schema.get("type", "object") != "object":
            return _CheckedSchema(problem="its schema is not one of an object")
        problem, is_slow = None, False
        try:
            self._check_size(schema)
            parameters = {"type": "object"} | clean_schema(schema)
            await self._workers.run(check_original, parameters)
            sent = await self._workers.run(prepare_passthrough, parameters)
        except (SchemaTimeoutError, SchemaCrashError):
            problem, is_slow = "its schema takes too long to check", True
        except SchemaTooLargeError:
            problem = "its schema is too large"
        except (SchemaError, ValueError, RecursionError):
            problem = "its schema is not valid"
        except (WorkerBusyError, WorkerUnavailableError):
            problem, is_slow = "its schema could not be checked now", True
        else:
            return _CheckedSchema(parameters, sent)
        return _CheckedSchema(problem=problem, is_slow=is_slow)

    def _check_size(self, schema: dict[str, Any]) -> None:
        if len(to_json(schema)) > self._limits.max_schema_bytes:
            raise SchemaTooLargeError("The schema is too large.")

    def _problem(self, count: int, dropped: list[str]) -> str | None:
        problems = []
        if count > self._limits.max_tools:
            problems.append(f"Only the first {self._limits.max_tools} tools are used.")
        if dropped:
            more = len(dropped) - _MAX_DROPPED
            names = ", ".join(dropped[:_MAX_DROPPED]) + (f" and {more} more" if more > 0 else "")
            problems.append(f"Some tools cannot be used: {names}.")
        return " ".join(problems) or None


def _find_name_problem(name: str, *, is_taken: bool) -> str | None:
    if not 0 < len(name) <= _MAX_MCP_NAME_CHARACTERS:
        return "its name is empty or too long"
    return "its name is listed twice" if is_taken else None
